"""An exported folder runs without torch and without this package, and answers like the pipeline."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase, pipeline

from modeling_multitask import MultiTaskModel
from modeling_multitask.answers_multitask import _may_follow
from modeling_multitask.export.folder import describe_export, write_export
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.predict_onnx import MultiTaskOnnx
from modeling_multitask.output_layers_multitask import CumulativeLogits, StandardizedLinear
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, ROOT, WORDS, needs_minilm, tasks_of_each_type
from tests.contracts.test_hub_bundle import DEPENDENT
from tests.fresh_process import OURS, run_fresh

pytestmark = pytest.mark.slow  # one export takes many seconds

TEXTS = [f"the {one} {other}" for one in WORDS[2:9] for other in WORDS[9:16]]
TEXTS += ["", "bad", "Naïve “soup” 中 xqzzy", "good " * 300]
PAIRS = [("the film was good", "bad"), ("bad", "the film was good"), ("", "soup"), ("good " * 300, "bad " * 300)]
TOP_K = {"alone": {}, "all": {"top_k": None}, "two": {"top_k": 2}}
SETTINGS = {
    "topic": {"temperature": 0.5, "abstain_below": 0.6},
    "sentiment": {"temperature": 2.0, "thresholds": [0.45], "abstain_below": 0.5},
    "tags": {"thresholds": [0.4, 0.6]},
    "rating": {"targets": {"mean": 1e5, "std": 2e4}},
    "grade": {"decision": "median"},
    "genre": {"abstain_below": 0.9, "abstain_by": "energy"},
}
COST = {"name": "cost", "problem_type": "regression", "transform": "log1p", "targets": {"mean": 4.0, "std": 2.0}}
# Packages that are missing for a user with only onnxruntime, tokenizers and numpy.
ABSENT = ("torch", "transformers", "datasets", "huggingface_hub", "onnx", "onnxscript", "openvino", "pyarrow", *OURS)

STRANGER = f"""
import sys
for name in {ABSENT!r}: sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
from predict_onnx import MultiTaskOnnx
texts = {TEXTS!r}
model = MultiTaskOnnx(sys.argv[1], file=sys.argv[2])
result = {{name: model.predict(texts, **given) for name, given in {TOP_K!r}.items()}}
result["embeddings"] = model.encode(texts).tolist()
result["dtype"] = str(model.encode(texts).dtype)
"""


class Exported(NamedTuple):
    """A model, and the folder that was made of it."""

    folder: Path
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase
    found: dict[str, Any]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Exported:
    """Tasks of each type, and tasks that depend on each other."""
    tasks = [{**task, **SETTINGS.get(task["name"], {})} for task in [*tasks_of_each_type(), *DEPENDENT, COST]]
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(backbone, tasks, max_length=16, num_hidden_layers=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    spread_answers(model, tokenizer)
    folder = tmp_path_factory.mktemp("exported") / "onnx"
    _may_follow.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "optimum", None)  # P62: its newest wants an older transformers
        found = write_export(model, tokenizer, folder, int8=True)
    return Exported(folder, model, tokenizer, found)


@pytest.fixture(scope="module")
def stranger(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results for a user without this package, torch and transformers."""
    return run_fresh(STRANGER, exported.folder, "model.onnx", folder=tmp_path_factory.mktemp("stranger"))


@torch.no_grad()
def spread_answers(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Make random heads give many different answers to `TEXTS`: logits far apart, and around 0."""
    batch = tokenizer(TEXTS, truncation=True, max_length=16, padding=True, return_tensors="pt")
    lasts = {name: head[-1] for name, head in model.heads.named_children()}
    for last in lasts.values():
        getattr(last, "score", last).weight.mul_(30)
    for name, logits in model(**batch).logits.items():
        last = lasts[name]
        if isinstance(last, CumulativeLogits):
            last.cuts[0] += logits.mean()
        elif isinstance(last, StandardizedLinear):
            last.bias -= (logits.mean(dim=0) - last.target_mean) / last.target_std
        else:
            last.bias -= logits.mean(dim=0)


def numbers(value: Any) -> list[float]:
    """All numbers of an answer, in order."""
    if isinstance(value, dict):
        return [each for part in value.values() for each in numbers(part)]
    if isinstance(value, list):
        return [each for part in value for each in numbers(part)]
    return [value] if isinstance(value, float) else []


def without_numbers(value: Any) -> Any:
    """An answer with each number but `None` replaced by 0."""
    if isinstance(value, dict):
        return {name: without_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_numbers(part) for part in value]
    return 0 if isinstance(value, float) else value


@pytest.mark.parametrize("given", TOP_K)
def test_a_stranger_gets_the_answers_of_the_pipeline(exported: Exported, stranger: Any, given: str) -> None:
    # P58: the last text has 300 words.
    answer = pipeline("multitask-classification", model=exported.model, tokenizer=exported.tokenizer, batch_size=1)

    expected = answer(TEXTS, **TOP_K[given])

    assert without_numbers(stranger[given]) == without_numbers(expected)
    assert numbers(stranger[given]) == pytest.approx(numbers(expected), rel=1e-5, abs=1e-4)


def test_the_answers_are_of_every_kind(stranger: Any) -> None:
    rows = stranger["alone"]

    assert {row["topic"]["label"] for row in rows} == {"film", "food", "phone", None}
    assert {row["sentiment"]["label"] for row in rows} == {"negative", "positive", None}
    assert {len(row["tags"]) for row in rows} == {0, 1, 2}
    assert {row["genre"]["label"] for row in rows} == {"comedy", "drama", None}
    assert {row["price"]["label"] for row in rows} == {"low", "high", None}
    assert {row["grade"]["label"] for row in rows} == {"poor", "fair", "fine"}
    assert {row["age"]["score"] is None for row in rows} == {True, False}
    assert 5e4 < min(row["rating"]["score"] for row in rows) < 1e5 < max(row["rating"]["score"] for row in rows)
    assert max(row["cost"]["score"] for row in rows) > 10 * min(row["cost"]["score"] for row in rows)


def test_a_stranger_gets_the_embeddings_of_the_model(exported: Exported, stranger: Any) -> None:
    expected = encode(exported.model, TEXTS, tokenizer=exported.tokenizer)

    assert stranger["dtype"] == "float32"
    assert np.array(stranger["embeddings"]) == pytest.approx(expected, abs=1e-4)


def test_pairs_of_texts_are_answered_as_by_the_model(exported: Exported) -> None:
    expected = predict(exported.model, PAIRS, tokenizer=exported.tokenizer)

    answers = MultiTaskOnnx(exported.folder).predict(PAIRS)

    assert without_numbers(answers) == without_numbers(expected)
    assert numbers(answers) == pytest.approx(numbers(expected), rel=1e-5, abs=1e-4)


def test_answers_do_not_depend_on_the_batch_size(exported: Exported) -> None:
    model = MultiTaskOnnx(exported.folder)

    one, together = (numbers(model.predict(TEXTS[-9:], batch_size=size)) for size in (1, 32))

    assert one == pytest.approx(together, rel=1e-5, abs=1e-5)


def test_no_texts_give_no_rows(exported: Exported) -> None:
    model = MultiTaskOnnx(exported.folder)

    assert (model.predict([]), model.encode([]).shape) == ([], (0, 32))


def test_a_single_text_is_refused_and_not_read_letter_by_letter(exported: Exported) -> None:
    with pytest.raises(TypeError, match="texts is a single text, 'soup'; give a list of texts"):
        MultiTaskOnnx(exported.folder).predict("soup")
    with pytest.raises(TypeError, match=r"texts is a single text, .*; give a list of texts"):
        MultiTaskOnnx(exported.folder).predict(("soup", "film"))


def test_a_graph_that_is_not_there_is_an_error_that_names_those_that_are(exported: Exported) -> None:
    message = r"has no model_int4.onnx; its graphs are: model.onnx, model_int8.onnx$"
    with pytest.raises(FileNotFoundError, match=message):
        MultiTaskOnnx(exported.folder, file="model_int4.onnx")


def test_the_command_prints_a_line_of_json_for_each_text(exported: Exported) -> None:
    texts = ["the film", "soup “中”"]
    command = [sys.executable, "predict_onnx.py", *texts, "--file", "model.onnx"]

    finished = subprocess.run(command, cwd=exported.folder, capture_output=True, text=True, check=True)

    expected = MultiTaskOnnx(exported.folder).predict(texts)
    assert [json.loads(line) for line in finished.stdout.splitlines()] == expected


def test_the_folder_holds_all_that_it_needs_and_no_more(exported: Exported) -> None:
    assert {path.name for path in exported.folder.iterdir()} - {"__pycache__"} == {
        *["model.onnx", "model_int8.onnx", "config.json", "tokenizer.json", "tokenizer_config.json"],
        *["predict_onnx.py", "export.json"],
    }
    assert [path.name for path in exported.folder.parent.iterdir()] == ["onnx"]


def test_the_folder_names_no_path_of_this_machine(exported: Exported, backbone: Path) -> None:
    text = "".join(path.read_text() for path in exported.folder.glob("*.json"))

    assert str(backbone) not in text
    assert str(exported.folder.parent) not in text
    assert "multitask.py" not in text  # nor the code of a folder that has some
    # torch's exporter notes of each node which line of code it came from.
    for graph in exported.folder.glob("*.onnx"):
        content = graph.read_bytes()
        assert [each for each in (str(ROOT), torch.__path__[0], str(Path.home())) if each.encode() in content] == []


def test_rows_and_tokens_may_be_any_number_of(exported: Exported) -> None:
    # P61
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(exported.folder / "model.onnx").graph

    shapes = {
        each.name: [axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in [*graph.input, *graph.output]
    }

    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert shapes[name] == ["batch", "sequence"]
    assert shapes["sentence_embedding"] == ["batch", 32]
    assert [shapes[f"price.{part}"] for part in ("logits", "scores", "chosen", "asked", "confidence")] == [
        *(["batch", 1], ["batch", 2], ["batch"], ["batch"], ["batch"])
    ]
    assert len(shapes) == 3 + 1 + 5 * 10


def test_how_far_the_graph_is_from_the_model_is_said(exported: Exported) -> None:
    record = json.loads((exported.folder / "export.json").read_text())
    words = describe_export(exported.found)

    assert record["equality"]["shapes"] == [[1, 3], [7, 3], [1, 16], [7, 16]]
    assert record["equality"]["largest_difference"] < 1e-5
    assert record["files"] == {
        name: (exported.folder / name).stat().st_size for name in ("model.onnx", "model_int8.onnx")
    }
    assert "where 1e-04 is allowed, in batches of 1 x 3, 7 x 3, 1 x 16, 7 x 16 tokens." in words


def test_without_rows_no_agreement_is_claimed(exported: Exported) -> None:
    assert exported.found["rows"] is None
    assert describe_export(exported.found).endswith(
        "No rows were given, so agreement and quality of the answers are not measured."
    )


def test_weights_of_8_bits_give_nearly_the_same_embeddings(exported: Exported) -> None:
    small = MultiTaskOnnx(exported.folder, file="model_int8.onnx").encode(TEXTS)
    exact = MultiTaskOnnx(exported.folder).encode(TEXTS)

    cosines = (small * exact).sum(axis=1) / np.linalg.norm(small, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.min() > 0.95  # of random weights; measured: 0.99
    assert not np.array_equal(small, exact)


@needs_minilm
def test_minilm_answers_as_in_torch(tmp_path: Path) -> None:
    # P58: its tokenizer's file cuts and pads to 128 tokens.
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(MINILM, tasks_of_each_type()).eval()
    tokenizer = AutoTokenizer.from_pretrained(resolve_model_path(MINILM))
    texts = ["The battery died within a day.", "", "Naïve — soup", "a long story " * 100, "one more word " * 500]

    found = write_export(model, tokenizer, tmp_path / "onnx", int8=True)

    exported = MultiTaskOnnx(tmp_path / "onnx")
    expected = predict(model, texts, tokenizer=tokenizer, top_k=None)
    assert found["equality"]["largest_difference"] < 1e-5
    assert exported.encode(texts) == pytest.approx(encode(model, texts, tokenizer=tokenizer), abs=1e-4)
    assert without_numbers(exported.predict(texts, top_k=None)) == without_numbers(expected)
    assert numbers(exported.predict(texts, top_k=None)) == pytest.approx(numbers(expected), rel=1e-5, abs=1e-4)
    assert found["files"]["model_int8.onnx"] < 0.3 * found["files"]["model.onnx"]


def test_an_export_to_openvino_answers_as_the_pipeline_does(exported: Exported, tmp_path: Path) -> None:
    found = write_export(exported.model, exported.tokenizer, tmp_path / "openvino", "openvino", int8=True)

    model = MultiTaskOnnx(tmp_path / "openvino")
    expected = predict(exported.model, TEXTS, tokenizer=exported.tokenizer, top_k=None)
    given = model.predict(TEXTS, top_k=None)
    assert without_numbers(given) == without_numbers(expected)
    assert numbers(given) == pytest.approx(numbers(expected), rel=1e-5, abs=1e-4)
    assert list(found["files"]) == ["openvino_model.xml", "openvino_model_int8.xml"]
    small = MultiTaskOnnx(tmp_path / "openvino", file="openvino_model_int8.xml").encode(TEXTS)
    assert small == pytest.approx(model.encode(TEXTS), abs=0.1)  # measured: 0.02
    assert {path.name for path in (tmp_path / "openvino").iterdir()} == {
        *["openvino_model.xml", "openvino_model.bin", "openvino_model_int8.xml", "openvino_model_int8.bin"],
        *["config.json", "tokenizer.json", "tokenizer_config.json", "predict_onnx.py", "export.json"],
    }
