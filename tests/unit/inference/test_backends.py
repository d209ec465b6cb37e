"""The backends for a model: torch, or an exported graph."""

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.export.folder import write_export
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.predict_onnx import read_text_or_pair
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.texts_multitask import read_text
from tests.unit.inference.test_answering import TEXTS


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    save_folder(model, tokenizer, tmp_path / "model")
    return str(tmp_path / "model")


@pytest.mark.slow  # an export takes many seconds
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_graph_gives_the_answers_and_embeddings_of_the_model(
    folder: str, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, backend: str
) -> None:
    write_export(model, tokenizer, Path(folder) / backend, backend)

    given, embeddings = predict(folder, TEXTS, backend=backend), encode(folder, TEXTS, backend=backend)

    expected = predict(folder, TEXTS)
    assert embeddings == pytest.approx(encode(folder, TEXTS), abs=1e-4)
    for one, other in zip(given, expected, strict=True):
        assert one["topic"]["label"] == other["topic"]["label"]
        assert one["rating"]["score"] == pytest.approx(other["rating"]["score"], abs=1e-4)
    assert predict(folder, [], backend=backend) == []


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_model_without_a_graph_says_how_to_write_one(folder: str, backend: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"multitask export {folder} {folder}/{backend} --format {backend}"):
        predict(folder, TEXTS, backend=backend)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"not a local folder .* It is not looked up on the Hub"):
        predict(str(tmp_path / "none"), TEXTS, backend="onnx")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", "a"),
        ({"text": "a"}, "a"),
        (("a", "b"), ("a", "b")),
        (["a", "b"], ("a", "b")),
        ({"text": "a", "text_pair": "b"}, ("a", "b")),
    ],
)
def test_an_export_reads_the_texts_that_predict_reads(given: Any, expected: Any) -> None:
    assert read_text_or_pair(given, "texts[0]") == expected == read_text(given)


@pytest.mark.parametrize("given", [None, float("nan"), 3, ["a"], ["a", None], {"text": None}, {"txt": "a"}, {}])
def test_an_export_refuses_what_predict_refuses(given: Any) -> None:
    for read in (read_text_or_pair, read_text):
        with pytest.raises(
            ValueError, match=r"^texts\[2\] is .*; it must be a string, two strings for a pair, or a dict"
        ):
            read(given, "texts[2]")


def test_a_backend_that_there_is_not_is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="backend is 'jax'; it must be torch, onnx or openvino"):
        predict(folder, TEXTS, backend="jax")


def test_a_graph_is_named_by_its_folder(model: MultiTaskModel) -> None:
    with pytest.raises(
        ValueError, match="which reads a graph from a folder; give the folder instead of a loaded model"
    ):
        encode(model, TEXTS, backend="onnx")


def test_a_graph_has_its_own_precision(folder: str) -> None:
    with pytest.raises(ValueError, match="dtype, tokens_per_batch and tokenizer are fixed by the graph"):
        encode(folder, TEXTS, backend="onnx", tokens_per_batch=100)
