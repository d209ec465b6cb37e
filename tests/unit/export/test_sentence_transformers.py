"""The code-free twin: its vectors, its files, and the contracts of the servers that load it."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.export.linear import Affine, deep_tasks, linear_heads
from modeling_multitask.export.sentence_transformers import Twin, check_twin, describe_twin, write_twin
from modeling_multitask.inference import encode
from modeling_multitask.inference.text_encoder import TextEncoder
from modeling_multitask.sentence_transformers_multitask import POOLING_KEYS
from modeling_multitask.tasks_multitask import TargetStatistics
from tests.conftest import tasks_of_each_type, tiny_bert_config

TEXTS = ["the film was good", "bad", "good " * 300, "very tasty soup, not boring"]
NUMBERS = [
    {"name": "price", "problem_type": "regression", "targets": {"mean": 1000.0, "std": 250.0}},
    {"name": "views", "problem_type": "regression", "transform": "log1p", "targets": {"mean": 4.0, "std": 2.0}},
]


def linear_model(**settings: Any) -> MultiTaskModel:
    """Return a random model of all problem types with linear heads."""
    tasks = [*tasks_of_each_type(), *NUMBERS]
    # Dropout and normalisation belong to hidden blocks, so a linear head has neither.
    head = {"hidden_sizes": [], "dropout": 0.5, "normalization": "layer"}
    settings = {"tasks": tasks, "head": head, "max_length": 16, **settings}
    return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), **settings)).eval()


def written(folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    write_twin(model, tokenizer, folder / "twin")
    return folder / "twin"


def expected_vectors(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Return embeddings and logits side by side."""
    outputs = TextEncoder(model, tokenizer, dtype=torch.float32).run(TEXTS)
    return np.concatenate([outputs.embeddings, *outputs.logits.values()], axis=1)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.compat
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", POOLING_KEYS)
def test_a_vector_is_the_embedding_and_all_logits(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, pooling: str, normalize: bool
) -> None:
    model = linear_model(pooling=pooling, normalize=normalize)
    folder = written(tmp_path, model, tokenizer)

    found = SentenceTransformer(str(folder)).encode(TEXTS)

    # 1e-5 in the unit of each task; numbers of 1,000 have 1e-5 of their own size.
    assert found == pytest.approx(expected_vectors(model, tokenizer), abs=1e-5, rel=1e-5)


def test_the_first_numbers_are_the_embedding_alone(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = linear_model()
    folder = written(tmp_path, model, tokenizer)

    found = SentenceTransformer(str(folder), truncate_dim=32).encode(TEXTS)

    assert found == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=1e-5)


def test_dense_layers_and_the_prompt_of_the_backbone_are_part_of_the_twin(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    dense = [{"in_features": 32, "out_features": 8}]
    model = linear_model(
        dense=dense, normalize=True, prompts={"query": "very "}, default_prompt_name="query", include_prompt=False
    )
    model.config = model.config.with_prompt(tokenizer)
    folder = written(tmp_path, model, tokenizer)

    found = SentenceTransformer(str(folder)).encode(TEXTS)

    kinds = [each["type"].rpartition(".")[2] for each in read(folder / "modules.json")]
    assert kinds == ["Transformer", "Pooling", "Dense", "Normalize", "Dense"]
    assert found == pytest.approx(expected_vectors(model, tokenizer), abs=1e-5, rel=1e-5)


def test_the_folder_has_no_code_and_no_local_path(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    folder = written(tmp_path, linear_model(), tokenizer)

    files = [path for path in folder.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in files if path.suffix in (".json", ".md", ".txt")]
    assert [path.name for path in files if path.suffix in (".py", ".bin", ".incomplete")] == []
    assert [text for text in texts if "auto_map" in text or str(tmp_path) in text] == []


def test_the_settings_name_each_number_of_a_vector(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    model = linear_model()
    model.config.tasks[1].thresholds, model.config.tasks[0].temperature = [0.3], 1.7

    settings = read(written(tmp_path, model, tokenizer) / "multitask.json")

    assert settings["embedding"] == [0, 32]
    assert {task["name"]: task["slice"] for task in settings["tasks"]} == {
        "topic": [32, 35],
        "sentiment": [35, 36],
        "tags": [36, 38],
        "rating": [38, 39],
        "grade": [39, 41],
        "price": [41, 42],
        "views": [42, 43],
    }
    topic, sentiment, tags, *_, views = settings["tasks"]
    assert (topic["problem_type"], topic["labels"]) == ("single_label_classification", ["film", "food", "phone"])
    assert (topic["temperature"], sentiment["thresholds"], tags["thresholds"]) == (1.7, [0.3], [0.5, 0.5])
    assert (views["labels"], views["transform"]) == (None, "log1p")
    assert "not for cosine similarity" in settings["notes"][0]
    assert "normalize: false" in settings["notes"][1]


def test_a_model_in_half_precision_has_a_twin_in_float32(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    folder = written(tmp_path, linear_model().to(torch.bfloat16), tokenizer)

    weights = [
        *load_file(folder / "model.safetensors").values(),
        *load_file(folder / "2_Dense/model.safetensors").values(),
    ]
    assert {each.dtype for each in weights} == {torch.float32}
    assert read(folder / "config.json")["dtype"] == "float32"


def test_text_embeddings_inference_reads_these_files(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """The files meet the contract of huggingface/text-embeddings-inference.

    `router/src/lib.rs` (commit a28ad28f): `ModelConfig` needs `architectures` and `max_position_embeddings`, an
    architecture that ends in Classification is no embedding model, `PoolConfig` needs the booleans for cls and mean,
    `STConfig` needs `max_seq_length`, `NewSTConfig` takes texts by name. `backends/src/lib.rs` (028192f1): `ModuleType`
    knows four types, and each `Dense` is applied after pooling, whatever the place of `Normalize`.
    `backends/candle/src/models/dense.rs` (0d1b698f): the names of the tensors, and two activations.
    """
    folder = written(tmp_path, linear_model(), tokenizer)

    config, pooling = read(folder / "config.json"), read(folder / "1_Pooling" / "config.json")
    dense = read(folder / "2_Dense" / "config.json")
    assert (config["architectures"], config["model_type"], config["hidden_size"]) == (["BertModel"], "bert", 32)
    assert (config["max_position_embeddings"], config["pad_token_id"]) == (64, 0)
    assert [each["type"] for each in read(folder / "modules.json")] == [
        "sentence_transformers.models.Transformer",
        "sentence_transformers.models.Pooling",
        "sentence_transformers.models.Dense",
    ]
    assert (pooling["pooling_mode_cls_token"], pooling["pooling_mode_mean_tokens"]) == (False, True)
    assert read(folder / "sentence_bert_config.json")["max_seq_length"] == 16
    assert read(folder / "config_sentence_transformers.json")["prompts"] == {}
    assert dense == {
        "in_features": 32,
        "out_features": 43,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    shapes = {name: tuple(each.shape) for name, each in load_file(folder / "2_Dense" / "model.safetensors").items()}
    assert shapes == {"linear.weight": (43, 32), "linear.bias": (43,)}
    assert (folder / "tokenizer.json").is_file()


def test_vllm_reads_these_files(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """The files meet the contract of vllm-project/vllm.

    `vllm/transformers_utils/config.py` (commit 0036026e): `get_pooling_config` reads the pooling from the true values
    of its configuration, early releases from the first one (`next(... if val is True)`), and
    `get_sentence_transformer_tokenizer_config` needs both `max_seq_length` and `do_lower_case`. `Normalize` in
    modules.json normalises the result after the dense layers, unless a request says `use_activation: false`
    (`vllm/model_executor/layers/pooler/seqwise/heads.py`, 055e47c2). `_load_st_projector` of
    `vllm/model_executor/models/adapters.py` (00620f91) finds `sentence_transformers.models.Dense` and loads
    `linear.weight` and `linear.bias`. Its `get_act_fn` knows the lower-case name `identity` after `torch.nn.modules.`.
    """
    folder = written(tmp_path, linear_model(), tokenizer)

    pooling = read(folder / "1_Pooling" / "config.json")
    activation = read(folder / "2_Dense" / "config.json")["activation_function"].lower()
    assert next(name for name, value in pooling.items() if value is True) == "pooling_mode_mean_tokens"
    assert read(folder / "sentence_bert_config.json") == {"max_seq_length": 16, "do_lower_case": False}
    assert activation.startswith("torch.nn.modules.")
    assert activation.split(".")[-1] == "identity"


def test_infinity_loads_the_folder_as_sentence_transformers_does(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The vector of a normalised model can be recovered from what michaelfeil/infinity returns.

    `libs/infinity_emb/infinity_emb/transformer/embedder/sentence_transformer.py` (commit 4d373177): `encode_core` is
    the `forward` of a SentenceTransformer, and `encode_post` always normalises its result.
    """
    model = linear_model(normalize=True)
    vectors = SentenceTransformer(str(written(tmp_path, model, tokenizer))).encode(TEXTS)
    returned = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    recovered = returned / np.linalg.norm(returned[:, :32], axis=1, keepdims=True)

    assert recovered == pytest.approx(vectors, abs=1e-4, rel=1e-4)


def test_a_model_that_reads_windows_has_no_twin() -> None:
    with pytest.raises(ValueError, match="reads long texts in windows, but sentence-transformers reads only the first"):
        check_twin(linear_model(long_texts="windows").config, linear=False)


def test_heads_with_hidden_layers_are_named_with_the_option(model: MultiTaskModel) -> None:
    model.config.tasks[1].head = model.config.head.__class__(hidden_sizes=[])

    assert deep_tasks(model.config) == ["topic", "tags", "rating", "grade"]
    with pytest.raises(ValueError, match=r"hidden layers: topic, tags, rating, grade\. Add --linear to replace them"):
        check_twin(model.config, linear=False)


def test_without_sentence_transformers_the_twin_is_written_and_the_missing_comparison_is_said(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)

    twin = write_twin(linear_model(), tokenizer, tmp_path / "twin")

    assert (tmp_path / "twin" / "multitask.json").is_file()
    assert "Not compared with PyTorch, because sentence-transformers is not installed." in describe_twin(twin)


def test_the_result_names_the_place_of_each_task() -> None:
    tasks = [{"name": "topic", "slice": [32, 35]}]

    text = describe_twin(Twin({"embedding": [0, 32], "tasks": tasks}, 2e-7))

    assert text == (
        "A vector contains: embedding [0:32], topic [32:35]\n"
        "Equal to PyTorch: numbers of SentenceTransformer differ by at most 2.0e-07, where 1e-04 is allowed."
    )


def test_linear_heads_include_cut_points_and_the_units_of_a_regression() -> None:
    model = linear_model()
    rating, grade = model.heads.rating[-1], model.heads.grade[-1]
    rating.standardize(TargetStatistics(mean=10.0, std=4.0))

    heads = linear_heads(model)

    assert heads["rating"].bias == pytest.approx(4 * rating.bias.detach().double().numpy() + 10)
    assert heads["rating"].weight == pytest.approx(4 * rating.weight.detach().double().numpy())
    second_cut = -grade.cuts[0].item() - math.log1p(math.exp(grade.cuts[1].item()))
    assert heads["grade"].bias == pytest.approx([-grade.cuts[0].item(), second_cut])


def test_an_affine_layer_is_weight_times_embedding_plus_bias() -> None:
    head = Affine(np.array([[1.0, 2.0]]), np.array([0.5]))

    assert head.logits(np.array([[3.0, 4.0]], np.float32)).tolist() == [[11.5]]
