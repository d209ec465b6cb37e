"""The checks of a folder before a push."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import predict_onnx
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.inspection import adapter_problems, folder_problems, pushed_files
from modeling_multitask.publishing.staging import HANDLER

TOKEN = "hf_" + "a" * 34


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    save_folder(model, tokenizer, tmp_path / "run" / "model")
    return tmp_path / "run" / "model"


def test_a_saved_model_has_no_problems(folder: Path) -> None:
    assert folder_problems(folder) == []


def test_hidden_files_and_pythons_caches_are_not_pushed(folder: Path) -> None:
    for name in (".git/config", "__pycache__/modeling_multitask.pyc", ".env"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(TOKEN)

    assert not {".git", "__pycache__", ".env"} & {path.relative_to(folder).parts[0] for path in pushed_files(folder)}
    assert folder_problems(folder) == []


def save_pickle(folder: Path) -> None:
    (folder / "labels.dat").write_bytes(pickle.dumps({"a": 1}))


def save_by_torch(folder: Path) -> None:
    torch.save({"a": torch.zeros(1)}, folder / "weights")


def name_a_pickle_like_weights(folder: Path) -> None:
    (folder / "model-2.safetensors").write_bytes(pickle.dumps({"a": 1}))


def name_anothers_module(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "os.system"}]')


def put_link(folder: Path) -> None:
    (folder / "passwords.txt").symlink_to("/etc/hostname")


def alter_config(folder: Path, **settings: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))


def name_a_task_like_a_path(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["tasks"][0]["name"] = "../../etc/cron"
    alter_config(folder, tasks=config["tasks"])


def name_no_labels(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["tasks"][0]["labels"] = ["LABEL_0", "LABEL_1", "LABEL_2"]
    alter_config(folder, tasks=config["tasks"])


def append(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        # P57
        (append("training_args.bin", "x"), "training_args.bin: is a pickle"),
        (save_pickle, "labels.dat: is a pickle, which can run code when it is loaded; remove it"),
        (append("labels.sav", "cos"), "labels.sav: is not a file type of a model's repository; remove it"),
        (append("rows.csv", "text"), "rows.csv: is a table; remove it, and push data with `multitask data`"),
        (append("evil.bin", "x"), "evil.bin: is a pickle"),
        (save_by_torch, "weights: is a pickle"),
        (name_a_pickle_like_weights, "model-2.safetensors: is not a valid .safetensors file"),
        (append("modules.json", "x"), "modules.json: is not a valid .json file"),
        (name_anothers_module, "modules.json: names 'os.system', which is not allowed; save the model again"),
        (put_link, "passwords.txt: is a link; replace it with the file itself, or remove it"),
        (append("notes.md", f"token {TOKEN}"), "notes.md: seems to contain a secret (hf_aaa... in line"),
        (append("key.txt", "-----BEGIN RSA PRIVATE KEY-----"), "key.txt: seems to contain a secret"),
        (append("notes.md", "in /home/ann/models"), "notes.md: contains a path of this machine (/home/ann); remove it"),
        (append("notes.md", r"C:\\Users\\ann\\models"), "contains a path of this machine"),
        (append("modeling_multitask.py", "\nimport os\n"), "modeling_multitask.py: differs from the file of this"),
        (append("evil.py", "import os"), "evil.py: is not code of this package; remove it"),
        (lambda folder: (folder / "answers_multitask.py").unlink(), "answers_multitask.py: is missing"),
        (lambda folder: (folder / "tokenizer_config.json").unlink(), "tokenizer_config.json: is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: is missing"),
        (name_a_task_like_a_path, "config.json: cannot be read"),
        (name_no_labels, "config.json: the labels of 'topic' have only default names (LABEL_0, ...); name them"),
        (lambda folder: alter_config(folder, tasks=[]), "config.json: cannot be read"),
    ],
)
def test_what_speaks_against_a_push_is_said(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)

    assert any(message in problem for problem in folder_problems(folder))


def test_the_folder_of_the_model_on_this_machine_is_found(folder: Path) -> None:
    append("notes.md", f"see {folder.parent}/results.json")(folder)

    assert folder_problems(folder) == [f"notes.md: contains a path of this machine ({folder.parent}); remove it"]


def test_what_an_export_or_an_earlier_push_brings_along_is_ours(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "onnx" / "predict_onnx.py").write_bytes(Path(predict_onnx.__file__).read_bytes())
    (folder / "handler.py").write_bytes(HANDLER.read_bytes())

    assert folder_problems(folder) == []


def test_a_changed_handler_is_not_ours(folder: Path) -> None:
    append("handler.py", HANDLER.read_text() + "import os\n")(folder)

    assert folder_problems(folder) == ["handler.py: is not code of this package; remove it"]


@pytest.mark.parametrize("text", ["https://x.org/home/blog", "see data/home/x", "a/tmp/b", "~/tmp"])
def test_an_address_is_no_path_of_this_machine(folder: Path, text: str) -> None:
    append("notes.md", text)(folder)

    assert folder_problems(folder) == []


def test_a_word_that_holds_the_beginning_of_a_secret_is_none(folder: Path) -> None:
    append("notes.md", "https://huggingface.co/me/multi-task-classification-model-for-everyone")(folder)

    assert folder_problems(folder) == []


def test_a_working_folder_that_stands_in_an_address_is_no_path_of_this_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path("/data"))
    append("notes.md", "https://x.org/data/rows, /database and their/data")(folder)
    before = folder_problems(folder)
    append("notes.md", " in /data")(folder)

    assert (before, folder_problems(folder)) == ([], ["notes.md: contains a path of this machine (/data); remove it"])


@pytest.mark.parametrize("place", ["/home/ann/model.py", str(Path(torch.__file__))])
def test_a_graph_that_notes_where_its_code_lay_is_found(folder: Path, place: str) -> None:
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"\x08\x07" + place.encode() + b"\x00")

    (problem,) = folder_problems(folder)
    assert problem.startswith("onnx/model.onnx: contains a path of this machine (")
    assert problem.endswith("); export the model again")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (append("adapter.py", "import os"), "adapter.py: an adapter must not contain code; remove the file"),
        (append("tokenizer_config.json", '{"auto_map": {}}'), "tokenizer_config.json: names code (auto_map)"),
        (append("args.pkl", ""), "args.pkl: is a pickle"),
    ],
)
def test_what_speaks_against_an_adapter_is_said(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    # P57: peft and transformers would run it.
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "modeling_multitask.py").write_text("")
    before = adapter_problems(tmp_path)

    spoil(tmp_path)

    (problem,) = adapter_problems(tmp_path)
    assert before == []
    assert problem.startswith(message)


@pytest.mark.parametrize("text", ["/mnt/nfs/alice", "in `/tmp/alice`", "/scratch/alice/run"])
def test_places_outside_a_home_are_found_too(folder: Path, text: str) -> None:
    append("notes.md", text)(folder)

    assert "contains a path of this machine" in folder_problems(folder)[0]


def test_weights_whose_length_looks_like_a_pickle_are_weights(folder: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(640)
    (folder / "model-00002.safetensors").write_bytes((640).to_bytes(8, "little") + header + bytes(4))

    assert (folder / "model-00002.safetensors").read_bytes()[:2] == b"\x80\x02"
    assert folder_problems(folder) == []


def test_all_problems_are_told_at_once(folder: Path) -> None:
    for spoil in (append("training_args.bin", "x"), append("evil.py", "import os"), name_no_labels):
        spoil(folder)

    assert len(folder_problems(folder)) == 3


def test_nothing_of_the_folder_is_run(folder: Path, tmp_path: Path) -> None:
    append("modeling_multitask.py", f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")(folder)

    folder_problems(folder)

    assert not (tmp_path / "ran").exists()
