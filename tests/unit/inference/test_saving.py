"""A saved folder is complete, and contains nothing about the machine that wrote it."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, needs_minilm, tasks_of_each_type

CODE = {path.name for path in (Path(__file__).parents[3] / "modeling_multitask").glob("*_multitask.py")}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_weights_code_tokenizer_and_sentence_transformers_files(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path)

    assert files(tmp_path) == CODE | {
        *["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
        *["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json"],
    }


def test_the_folder_names_no_path_of_this_machine(tmp_path: Path, backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type())
    save_folder(model, AutoTokenizer.from_pretrained(backbone), tmp_path / "model")

    text = "".join(path.read_text() for path in (tmp_path / "model").rglob("*.json"))

    assert str(backbone) not in text
    assert str(tmp_path) not in text


def test_the_saved_tokenizer_has_the_models_length_and_the_given_one_is_left_alone(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    before = tokenizer.model_max_length

    save_folder(model, tokenizer, tmp_path)

    assert AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=False).model_max_length == 16
    assert tokenizer.model_max_length == before


@needs_minilm
def test_the_tokenizer_file_of_minilm_loses_its_fixed_padding(tmp_path: Path) -> None:
    # P58: as shipped, the raw file gives 128 ids for "hello".
    path = resolve_model_path(MINILM)
    assert len(Tokenizer.from_file(f"{path}/tokenizer.json").encode("hello").ids) == 128

    save_folder(
        MultiTaskModel.from_backbone(MINILM, tasks_of_each_type()), AutoTokenizer.from_pretrained(path), tmp_path
    )

    assert len(Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("hello").ids) == 3


@pytest.mark.parametrize("ending", [".bin", ".pkl", ".pt", ".pickle", ".joblib"])
def test_the_folder_holds_no_pickle(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, ending: str
) -> None:
    save_folder(model, tokenizer, tmp_path)

    assert not [name for name in files(tmp_path) if name.endswith(ending)]
