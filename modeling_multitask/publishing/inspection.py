"""What is wrong with a folder that is to be pushed: everything that can be told by looking at its files."""

import re
from collections.abc import Iterator
from pathlib import Path

from ..configuration_multitask import MultiTaskConfig

_PACKAGE = Path(__file__).parents[1]
_EXPORTED = _PACKAGE / "inference" / "predict_onnx.py"
# What Python, torch and joblib pickle into; reading one runs whatever it says.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".npy")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # the last a zip, as torch writes
_TEXTS = (".json", ".yaml", ".yml", ".md", ".txt", ".py", ".csv", ".jinja", ".cfg", ".toml")
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json")
_SECRETS = re.compile(
    r"hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{30,}|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_HOMES = re.compile(r"(?:/home|/Users|/root|[A-Za-z]:\\+Users)[/\\]+[\w.-]+")
_NEEDED = ("config.json", "tokenizer.json", "modules.json")


def folder_problems(folder: Path) -> list[str]:
    """Everything that speaks against pushing this folder, each with what to do; empty if nothing does.

    Nothing of the folder is run.
    """
    files = pushed_files(folder)
    return [
        *_missing(folder),
        *_unsafe(folder),
        *(problem for path in files for problem in _content_problems(folder, path)),
        *_code_problems(folder),
        *_config_problems(folder),
    ]


def pushed_files(folder: Path) -> list[Path]:
    """The files of a folder that are pushed: all but hidden ones and what Python caches."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(_is_hidden(part) for part in path.relative_to(folder).parts)
    ]


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"


def _missing(folder: Path) -> Iterator[str]:
    for name in _NEEDED:
        if not (folder / name).is_file():
            yield f"{name}: is not there; save the model and its tokenizer by save_folder, or train it anew"
    if not any(folder.glob("model*.safetensors")):
        yield "model.safetensors: is not there; weights are pushed as safetensors alone"


def _unsafe(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield f"{path.relative_to(folder)}: is a link; put the file itself there, or take it away"


def _content_problems(folder: Path, path: Path) -> Iterator[str]:
    name = path.relative_to(folder).as_posix()
    if _is_pickle(path):
        yield f"{name}: is a pickle, which runs code where it is read; take it away"
    if path.suffix not in _TEXTS or path.name in _VOCABULARIES:
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if found := _SECRETS.search(text):
        yield f"{name}: holds what looks like a secret ({found[0][:6]}...); take it out, and revoke it"
    if path_found := _machine_path(text, folder):
        yield f"{name}: names a path of this machine ({path_found}); take it out"


def _is_pickle(path: Path) -> bool:
    if path.suffix == ".bin" and path.with_suffix(".xml").is_file():  # OpenVINO's weights, numbers alone
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return path.suffix in _PICKLES or start.startswith(_PICKLE_STARTS)


def _machine_path(text: str, folder: Path) -> str | None:
    """A home, or the folder that the model or the present process lies in."""
    known = [str(each) for each in (folder.resolve().parent, Path.cwd()) if len(each.parts) > 1]
    found = _HOMES.search(text)
    return found[0] if found else next((each for each in known if each in text), None)


def _code_problems(folder: Path) -> Iterator[str]:
    ours = {path.name: path for path in _PACKAGE.glob("*_multitask.py")}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name in ours and path.read_bytes() != ours[name].read_bytes():
            yield (
                f"{name}: differs from this package's; if another version saved it, load the model and save it anew by "
                "save_folder; else somebody altered it"
            )
        elif name not in ours and not _is_ours(path):
            yield f"{name}: is no code of this package; take it away"
    for name in sorted(ours):
        if not (folder / name).is_file():
            yield f"{name}: is not there; save the model anew by save_folder"


def _is_ours(path: Path) -> bool:
    """Whether it is the script that an export brings along, as it was."""
    return path.name == _EXPORTED.name and path.read_bytes() == _EXPORTED.read_bytes()


def _config_problems(folder: Path) -> Iterator[str]:
    if not (folder / "config.json").is_file():
        return
    try:
        config = MultiTaskConfig.from_pretrained(folder)
    except Exception as error:  # whatever a stranger's file makes transformers raise
        yield f"config.json: cannot be read ({str(error).strip().splitlines()[0]})"
        return
    for task in config.tasks:
        if task.labels and all(re.fullmatch(r"LABEL_\d+", label) for label in task.labels):
            yield f"config.json: the labels of {task.name!r} have no names but {task.labels[0]}, ...; name them"
