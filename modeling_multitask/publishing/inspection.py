"""Problems of a folder before a push, found by reading its files."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ..configuration_multitask import MultiTaskConfig
from ..hub.secret_files import NOT_TEXT, VOCABULARIES, secret_in
from ..wording import first_line

_PACKAGE = Path(__file__).parents[1]
# The scripts that an export and a push add to a model.
_ADDED = {
    path.name: path for path in (_PACKAGE / "inference" / "predict_onnx.py", _PACKAGE / "publishing" / "handler.py")
}
# The file types of a model's repository. Any other file may be a pickle, which can run code when it is loaded.
_KINDS = frozenset(
    {".json", ".md", ".txt", ".py", ".css", ".yaml", ".yml", ".safetensors", ".onnx", ".data", ".xml", ".bin", ".model"}
    | {".png", ".jpg", ".svg", ".html", ".pdf", ""}
)
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".npy", ".npz")
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")
# The last is a zip file, as torch writes it.
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
# The start of an absolute path, not a part of a URL or of a longer path.
_ABSOLUTE = r"(?<![\w.:/\\-])"
_HOMES = re.compile(
    _ABSOLUTE + r"(?:/(?:home|Users|root|mnt|scratch|Volumes|tmp|private)/[\w.-]+|[A-Za-z]:\\+Users\\+[\w.-]+)"
)
# For a graph, which is not text but may contain the path of its code.
_HOMES_IN_BYTES = re.compile(rb"/(?:home|Users|root|mnt|scratch|tmp)/[\w.-]+/[\w./-]+")
# The modules that a saved folder may tell sentence-transformers to import.
_MODULES = {f"sentence_transformers.models.{kind}" for kind in ("Transformer", "Pooling", "Dense", "Normalize")}
_NEEDED = ("config.json", "tokenizer_config.json", "modules.json")


def folder_problems(folder: Path) -> list[str]:
    """Return all problems that prevent a push of this folder, each with a fix. Empty if there are none.

    No code of the folder is run.
    """
    return [
        *_missing(folder),
        *file_problems(folder),
        *_code_problems(folder),
        *_config_problems(folder),
        *_module_problems(folder),
    ]


def adapter_problems(folder: Path) -> list[str]:
    """Return the problems of an adapter, without those of its base model in `base`."""
    problems = [each for each in file_problems(folder) if not each.startswith("base/")]
    problems += [
        f"{path.relative_to(folder).as_posix()}: an adapter must not contain code; remove the file"
        for path in sorted(folder.rglob("*.py"))
        if path.relative_to(folder).parts[0] != "base"
    ]
    tokenizer = folder / "tokenizer_config.json"
    if tokenizer.is_file() and "auto_map" in tokenizer.read_text(encoding="utf-8", errors="replace"):
        problems.append(
            "tokenizer_config.json: names code (auto_map), but a tokenizer must not need code; remove the entry"
        )
    return problems


def file_problems(folder: Path) -> list[str]:
    """Return the problems of the files of any folder: links, pickles, tables, secrets, paths of this machine."""
    return [
        *_unsafe(folder),
        *(problem for path in pushed_files(folder) for problem in _content_problems(folder, path)),
    ]


def pushed_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are pushed: all files except hidden files and Python caches."""
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
            yield f"{name}: is missing; save the model and its tokenizer with save_folder, or train it again"
    if not any(folder.glob("model*.safetensors")):
        yield "model.safetensors: is missing; weights must be in safetensors format; save the model with save_folder"


def _unsafe(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield f"{path.relative_to(folder)}: is a link; replace it with the file itself, or remove it"


def _content_problems(folder: Path, path: Path) -> Iterator[str]:
    name = path.relative_to(folder).as_posix()
    if path.suffix.lower() in _TABLES:
        yield f"{name}: is a table; remove it, and push data with `multitask data`"
    elif problem := _kind_problem(path):
        yield f"{name}: {problem}; remove it"
    if path.suffix.lower() == ".onnx" and (place := _path_in_bytes(path, folder)):
        yield f"{name}: contains a path of this machine ({place}); export the model again"
    text = _as_text(path)
    if text is None or path.name in VOCABULARIES:
        return
    if found := secret_in(path):
        yield f"{name}: seems to contain a secret ({found}); remove it and revoke it"
    if path_found := _machine_path(text, folder):
        yield f"{name}: contains a path of this machine ({path_found}); remove it"


def _kind_problem(path: Path) -> str | None:
    """Return why a file does not belong in a model's repository, or `None` if it does."""
    kind = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(4)
    # The first bytes of a safetensors file are its header size, which can have any value.
    pickled = kind != ".safetensors" and start.startswith(_PICKLE_STARTS)
    openvino = kind == ".bin" and path.with_suffix(".xml").is_file()
    if pickled or kind in _PICKLES or (kind == ".bin" and not openvino):
        return "is a pickle, which can run code when it is loaded"
    if kind in _READERS and not _can_be_read(path):
        return f"is not a valid {kind} file"
    return None if kind in _KINDS else "is not a file type of a model's repository"


def _can_be_read(path: Path) -> bool:
    try:
        _READERS[path.suffix.lower()](path)
    except Exception:  # an untrusted file can make a parser raise anything
        return False
    return True


def _read_weights(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        file.keys()


_READERS: dict[str, Callable[[Path], Any]] = {
    ".safetensors": _read_weights,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
}


def _as_text(path: Path) -> str | None:
    """Return the content, if it is text."""
    if path.suffix.lower() in NOT_TEXT:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def _machine_path(text: str, folder: Path) -> str | None:
    """Return a home folder, the folder of the model or the working folder, if the text contains one."""
    known = [form for each in _places(folder) for form in (str(each), each.as_posix(), json.dumps(str(each))[1:-1])]
    # Match whole paths only: many URLs contain a working folder such as `/data`.
    here = (re.search(rf"{_ABSOLUTE}{re.escape(each)}(?![\w.-])", text) for each in known)
    found = next(filter(None, here), None) or _HOMES.search(text)
    return found and found[0]


def _path_in_bytes(path: Path, folder: Path) -> str | None:
    content = path.read_bytes()
    known = [f"{each.as_posix()}/".encode() for each in (*_places(folder), _PACKAGE, Path(sys.prefix))]
    if here := next((each for each in known if each in content), None):
        return here.decode()
    found = _HOMES_IN_BYTES.search(content)
    return found[0].decode(errors="replace") if found else None


def _places(folder: Path) -> list[Path]:
    return [each for each in (folder.resolve().parent, Path.cwd()) if len(each.parts) > 1]


def _code_problems(folder: Path) -> Iterator[str]:
    ours = {path.name: path for path in _PACKAGE.glob("*_multitask.py")}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name in ours and path.read_bytes() != ours[name].read_bytes():
            yield (
                f"{name}: differs from the file of this package; if another version saved it, load the model and save "
                "it again with save_folder; if the file was edited, restore the original file"
            )
        elif name not in ours and not _is_ours(path):
            yield f"{name}: is not code of this package; remove it"
    for name in sorted(ours):
        if not (folder / name).is_file():
            yield f"{name}: is missing; save the model again with save_folder"


def _is_ours(path: Path) -> bool:
    """Return whether the file is an unchanged script of an export or of a push."""
    return path.name in _ADDED and path.read_bytes() == _ADDED[path.name].read_bytes()


def _module_problems(folder: Path) -> Iterator[str]:
    path = folder / "modules.json"
    if not path.is_file() or not _can_be_read(path):
        return  # reported already
    listing = json.loads(path.read_text(encoding="utf-8"))
    kinds = [each.get("type") if isinstance(each, dict) else each for each in listing] if listing else [None]
    if strange := [kind for kind in kinds if kind not in _MODULES]:
        yield f"modules.json: names {strange[0]!r}, which is not allowed; save the model again with save_folder"


def _config_problems(folder: Path) -> Iterator[str]:
    if not (folder / "config.json").is_file():
        return
    try:
        config = MultiTaskConfig.from_pretrained(folder)
    except Exception as error:  # an untrusted file can make transformers raise anything
        yield f"config.json: cannot be read ({first_line(error)})"
        return
    for task in config.tasks:
        if task.labels and all(re.fullmatch(r"LABEL_\d+", label) for label in task.labels):
            yield f"config.json: the labels of {task.name!r} have only default names ({task.labels[0]}, ...); name them"
