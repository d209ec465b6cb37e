"""A model loaded without this package gives the same outputs as here."""

import json
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.fresh_load import fresh_load_problem

TEXTS = ["the film was good", "bad", "very tasty soup"]

pytestmark = pytest.mark.slow  # each starts a process that imports transformers


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    save_folder(model, tokenizer, tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_is_the_same_to_a_stranger(
    folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    assert fresh_load_problem(folder, model, tokenizer, TEXTS) is None


def test_code_that_needs_this_package_is_found(
    folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    # P48
    code = (folder / "modeling_multitask.py").read_text()
    (folder / "modeling_multitask.py").write_text(code + "\nfrom modeling_multitask.version import __version__\n")

    problem = fresh_load_problem(folder, model, tokenizer, TEXTS)

    assert problem is not None
    assert problem.startswith("loading without this package failed: ")
    assert "modeling_multitask" in problem.partition(": ")[2]


def test_other_weights_are_found(folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    with torch.no_grad():
        list(model.heads.sentiment.parameters())[-1].add_(0.1)

    problem = fresh_load_problem(folder, model, tokenizer, TEXTS)

    assert problem == (
        "without this package, the logits of 'sentiment' are different; save the model again with save_folder"
    )


def test_another_pooling_of_the_sentence_transformer_is_found(
    folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    path = folder / "1_Pooling" / "config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": True}))

    problem = fresh_load_problem(folder, model, tokenizer, TEXTS)

    assert problem == "without this package, the embeddings are different; save the model again with save_folder"
