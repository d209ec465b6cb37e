"""The graph of a model: its inputs and outputs, its errors, and the encoders that can be exported."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    BertModel,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    RobertaConfig,
)

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.answers_multitask import decide
from modeling_multitask.export.check import check_equal, probe_shapes
from modeling_multitask.export.onnx import (
    AnswerGraph,
    example_batch,
    example_batches,
    export_onnx,
    graph_inputs,
    without_adapters,
)
from modeling_multitask.export.openvino import export_openvino, read_graph
from modeling_multitask.inference.predict_onnx import open_graph
from modeling_multitask.tasks_multitask import TargetStatistics
from tests.conftest import random_batch, tasks_of_each_type, tiny_bert_config
from tests.contracts.test_hub_bundle import DEPENDENT

Arrays = dict[str, np.ndarray]
ONE_TASK = tasks_of_each_type()[:1]
SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
ENCODERS: dict[str, PreTrainedConfig] = {
    "roberta": RobertaConfig(**SIZES, type_vocab_size=1),
    "mpnet": MPNetConfig(**SIZES),
    "distilbert": DistilBertConfig(
        vocab_size=40, dim=32, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=64
    ),
    # Every third layer sees all tokens, the others 4 on either side.
    "modernbert": ModernBertConfig(
        **{**SIZES, "num_hidden_layers": 3},
        local_attention=8,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
    ),
    "deberta-v2": DebertaV2Config(
        **SIZES,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        position_biased_input=False,
        type_vocab_size=0,
    ),
}


class Undecided(BertModel):
    """An encoder whose path depends on the words, which no graph can follow."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> Any:
        """Turns some batches round."""
        if input_ids.sum().item() % 2:
            input_ids = input_ids.flip(0)
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, **kwargs)


def model_of(backbone_config: PreTrainedConfig, **settings: Any) -> MultiTaskModel:
    config = MultiTaskConfig(
        backbone_config=backbone_config,
        **{"tasks": ONE_TASK, "max_length": 16, "head": {"hidden_sizes": []}, **settings},
    )
    return MultiTaskModel(config).eval()


@pytest.mark.compat
def test_the_graph_gives_logits_decisions_and_the_embedding_of_each_row(model: MultiTaskModel) -> None:
    # P61: none is called `embedding`.
    batch = random_batch()

    outputs = AnswerGraph(model)(**batch)

    expected = model(**batch)
    parts = ("logits", "scores", "chosen", "asked", "confidence")
    assert list(outputs) == [
        "sentence_embedding",
        *(f"{task.name}.{part}" for task in model.config.tasks for part in parts),
    ]
    assert torch.equal(outputs["sentence_embedding"], expected.embeddings)
    assert torch.equal(outputs["topic.scores"], decide(expected.logits, model.config.tasks)["topic"].scores)


def test_a_plain_copy_is_float32_and_the_model_is_left_as_it_was(config: MultiTaskConfig) -> None:
    model = MultiTaskModel(config).to(torch.bfloat16).train()

    copied = without_adapters(model)

    assert (copied.dtype, copied.training, copied.backbone.config._attn_implementation) == (
        torch.float32,
        False,
        "eager",
    )
    assert (model.dtype, model.training, model.backbone.config._attn_implementation) == (torch.bfloat16, True, "sdpa")


def test_segments_are_an_input_where_the_encoder_takes_them(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    assert graph_inputs(model, tokenizer) == ["input_ids", "attention_mask", "token_type_ids"]
    assert graph_inputs(model_of(ENCODERS["distilbert"]), tokenizer) == ["input_ids", "attention_mask"]


def test_segments_are_no_input_where_the_tokenizer_gives_none(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    tokenizer.model_input_names = ["input_ids", "attention_mask"]

    assert graph_inputs(model, tokenizer) == ["input_ids", "attention_mask"]


def test_a_probe_has_rows_of_several_lengths_and_both_segments(model: MultiTaskModel) -> None:
    batch = example_batch(model, ["input_ids", "attention_mask", "token_type_ids"], 3, 4)

    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert batch["input_ids"][2, 2:].tolist() == [0, 0]
    assert batch["input_ids"].max() < 40


def test_a_probe_pads_with_the_encoders_own_padding() -> None:
    batch = example_batch(model_of(ENCODERS["roberta"]), ["input_ids", "attention_mask"], 2, 4)

    assert batch["input_ids"][1, 3] == 1
    assert list(batch) == ["input_ids", "attention_mask"]


@pytest.mark.parametrize(
    ("max_length", "shapes"),
    [
        (128, [(1, 3), (7, 3), (1, 128), (7, 128)]),
        (2, [(1, 2), (7, 2), (1, 2), (7, 2)]),
        (8192, [(1, 3), (7, 3), (1, 8192), (7, 512)]),
    ],
)
def test_graphs_are_tried_with_one_row_and_several_short_and_long(max_length: int, shapes: Any) -> None:
    assert probe_shapes(max_length) == shapes


def outputs_of(graph: AnswerGraph, change: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
    """A runtime that runs the graph in torch, and changes its output."""

    def run(inputs: Arrays) -> Arrays:
        with torch.no_grad():
            outputs = graph(**{name: torch.from_numpy(each) for name, each in inputs.items()})
        return change({name: each.numpy() for name, each in outputs.items()})

    return run


def test_a_graph_that_says_the_same_is_equal(model: MultiTaskModel) -> None:
    graph = AnswerGraph(model)

    equality = check_equal(outputs_of(graph, dict), graph, [random_batch(), random_batch(2, 5)], model.config.tasks)

    assert (equality.shapes, equality.largest_difference) == ([(6, 8), (2, 5)], 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda found: {**found, "sentence_embedding": found["sentence_embedding"] + 0.01},
            r"^the exported graph differs from the model: sentence_embedding by 0\.01 at 6 x 8 tokens, where 1e-04 is "
            r"allowed; this encoder cannot be exported$",
        ),
        (
            lambda found: {**found, "grade.scores": found["grade.scores"] * np.nan},
            "grade.scores by nan at 6 x 8 tokens",
        ),
        (lambda found: {**found, "topic.chosen": found["topic.chosen"] + 1}, "topic.chosen by 1 at 6 x 8 tokens"),
        (lambda found: {**found, "tags.asked": ~found["tags.asked"]}, "tags.asked by 1 at 6 x 8 tokens"),
    ],
    ids=["number", "nan", "label", "asked"],
)
def test_a_graph_that_says_something_else_is_an_error(
    model: MultiTaskModel, change: Callable[[Arrays], Arrays], message: str
) -> None:
    graph = AnswerGraph(model)

    with pytest.raises(ValueError, match=message):
        check_equal(outputs_of(graph, change), graph, [random_batch()], model.config.tasks)


def test_a_graph_that_does_not_run_at_other_shapes_is_an_error(model: MultiTaskModel) -> None:
    # A graph traced with 2 rows may only work for 2 rows.
    def run(inputs: Arrays) -> Arrays:
        raise RuntimeError("Got: 6\nExpected: 2")

    with pytest.raises(
        ValueError, match=r"^the exported graph does not run at 6 x 8 tokens \(Got: 6 Expected: 2\); this"
    ):
        check_equal(run, AnswerGraph(model), [random_batch()], model.config.tasks)


def test_numbers_are_compared_in_units_of_their_deviation(model: MultiTaskModel) -> None:
    targets = TargetStatistics(mean=0.0, std=1e5)
    model.config.tasks = [
        replace(task, targets=targets if task.kind.is_number else None) for task in model.config.tasks
    ]
    graph = AnswerGraph(model)
    shifted = ["rating.logits", "rating.scores", "rating.chosen"]
    near = outputs_of(graph, lambda found: found | {name: found[name] + 1 for name in shifted})

    assert check_equal(near, graph, [random_batch()], model.config.tasks).largest_difference == pytest.approx(1e-5)


def test_of_large_numbers_the_relative_difference_counts(model: MultiTaskModel) -> None:
    with torch.no_grad():
        model.heads.rating[-1].bias += 10_000
    graph = AnswerGraph(model)
    near = outputs_of(graph, lambda found: {**found, "rating.logits": found["rating.logits"] * 1.00001})

    assert check_equal(near, graph, [random_batch()], model.config.tasks).largest_difference == pytest.approx(
        1e-5, rel=0.1
    )


@pytest.mark.parametrize(
    ("export", "module", "extra"),
    [
        (export_onnx, "onnxscript", "onnx"),
        (export_onnx, "onnxruntime", "onnx"),
        (export_openvino, "openvino", "openvino"),
        (export_openvino, "nncf", "openvino"),
    ],
)
def test_a_package_that_is_not_installed_is_an_error_that_names_its_extra(
    export: Callable[..., Any],
    module: str,
    extra: str,
    tmp_path: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImportError, match=rf"{module} is not installed; it comes with the extra '{extra}'"):
        export(model, tokenizer, tmp_path / "export", int8=True)

    assert not (tmp_path / "export").exists()


def test_a_graph_that_openvino_cannot_read_is_an_error_that_names_the_encoder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("no graph")

    with pytest.raises(ValueError, match=r"^OpenVINO cannot read the graph of the encoder 'bert': .*Unable to read"):
        read_graph(tmp_path / "model.onnx", "bert")


@pytest.mark.compat
@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_runs_in_onnx_in_openvino_and_in_8_bits(
    encoder: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    model = model_of(ENCODERS[encoder])

    equality = export_onnx(model, tokenizer, tmp_path, int8=True)

    openvino = pytest.importorskip("openvino")
    openvino.save_model(read_graph(tmp_path / "model.onnx", encoder), tmp_path / "graph.xml", compress_to_fp16=False)
    batches = example_batches(model, graph_inputs(model, tokenizer))
    exact, small = (open_graph(tmp_path / name) for name in ("graph.xml", "model_int8.onnx"))
    inputs = {name: each.numpy() for name, each in batches[-1].items()}
    assert equality.largest_difference < 1e-5
    assert (
        check_equal(exact, AnswerGraph(without_adapters(model)), batches, model.config.tasks).largest_difference < 1e-5
    )
    assert small(inputs)["topic.scores"] == pytest.approx(exact(inputs)["topic.scores"], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len"])
def test_every_pooling_can_be_exported(pooling: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = model_of(tiny_bert_config(num_hidden_layers=1), pooling=pooling, normalize=True)

    assert export_onnx(model, tokenizer, tmp_path).largest_difference < 1e-5


@pytest.mark.slow
def test_a_model_in_half_precision_becomes_a_float32_graph(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = model_of(tiny_bert_config(num_hidden_layers=1)).to(torch.bfloat16)

    assert export_onnx(model, tokenizer, tmp_path).largest_difference < 1e-5
    assert model.dtype == torch.bfloat16


@pytest.mark.slow
def test_an_encoder_that_cannot_be_exported_is_an_error_that_names_it(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    model = model_of(tiny_bert_config(num_hidden_layers=1))
    model.backbone = Undecided(model.backbone.config).eval()

    with pytest.raises(ValueError, match=r"^torch cannot export the encoder 'bert' to ONNX: "):
        export_onnx(model, tokenizer, tmp_path)


@pytest.mark.slow
def test_after_an_export_answers_that_depend_on_each_other_can_still_be_had(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    # The tables of what may follow what are kept; those of a trace hold no numbers.
    model = model_of(tiny_bert_config(num_hidden_layers=1), tasks=[*ONE_TASK, {**DEPENDENT[2], "name": "fresh"}])

    export_onnx(model, tokenizer, tmp_path)

    with torch.no_grad():
        chosen = decide(model(**random_batch()).logits, model.config.tasks)["fresh"].chosen
    assert len(chosen.tolist()) == 6
