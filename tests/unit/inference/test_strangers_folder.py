"""Loading a model from an unknown author runs no code, whatever its folder contains."""

import json
import os
import pickle
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import predict
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.saving import save_folder


class Writes:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    save_folder(model, tokenizer, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The file that code would create if it ran."""
    return tmp_path / "ran"


def test_altered_code_is_not_run(folder: Path, ran: Path) -> None:
    for path in folder.glob("*.py"):
        path.write_text(f"import os\nos.mkdir({str(ran)!r})\n")

    assert predict(str(folder), ["the film was good"])
    assert not ran.exists()


def test_a_pickle_in_the_place_of_the_weights_is_not_read(folder: Path, ran: Path) -> None:
    # P57
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(ran)))

    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        load(str(folder))
    assert not ran.exists()


def test_a_tokenizers_own_code_is_not_run(folder: Path, ran: Path) -> None:
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(ran)!r})\nclass Evil: ...\n")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}))

    assert predict(str(folder), ["the film was good"])
    assert not ran.exists()


@pytest.mark.parametrize("name", ["../../etc/cron", "a/b", "<img src=x>", "C:\\x"])
def test_a_task_whose_name_is_a_path_or_markup_is_refused(folder: Path, name: str) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["tasks"][0]["name"] = name
    path.write_text(json.dumps(config))

    with pytest.raises(Exception, match="cannot name a task"):
        load(str(folder))
