"""The files of one commit, and the checks of changes to them."""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple

from tests.hub_server import cards
from tests.hub_server.wire import HubError

LARGEST_REGULAR = 10 * 2**20  # bytes; larger files need LFS

ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in (
        *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lfs.*", "*.mlmodel"),
        *("*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb", "*.pickle", "*.pkl", "*.pt"),
        *("*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*", "*.tar", "*.tflite", "*.tgz", "*.wasm"),
        *("*.xz", "*.zip", "*.zst", "*tfevents*"),
    )
)


@dataclass(frozen=True)
class Blob:
    """The content of a file, and whether git stores only a pointer to it."""

    content: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        """Return the id of the content in LFS."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """Return the pointer that git stores for an LFS file."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        )

    @property
    def oid(self) -> str:
        """Return the id of the blob in git."""
        kept = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(kept) + kept).hexdigest()

    @property
    def etag(self) -> str:
        """Return the id of the blob in the caches of the clients."""
        return self.sha256 if self.lfs else self.oid


Tree = dict[str, Blob]


class Change(NamedTuple):
    """One line of a commit's body."""

    key: str
    value: dict[str, Any]


def checked_path(path: Any) -> str:
    """Return the path if it is valid in git and on every client's disk."""
    if not isinstance(path, str) or "\\" in path or any(part in {"", ".", "..", ".git"} for part in path.split("/")):
        raise HubError(400, f"Invalid path in repo: {path!r}")
    return path


def upload_mode(tree: Mapping[str, Blob], path: str, size: int) -> str:
    """Return whether a file is uploaded with the commit ("regular") or before it ("lfs")."""
    attributes = tree[".gitattributes"].content.decode() if ".gitattributes" in tree else ""
    patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line.split()[1:]]
    return "lfs" if size > LARGEST_REGULAR or any(_matches(path, pattern) for pattern in patterns) else "regular"


def is_ignored(path: str, gitignore: str) -> bool:
    """Return whether a .gitignore matches the path or one of its folders. The last matching line decides."""
    ignored = False
    parts = path.split("/")
    prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    for line in filter(None, map(str.strip, gitignore.splitlines())):
        pattern = line.removeprefix("!")
        candidates = prefixes[:-1] if pattern.endswith("/") else prefixes
        if not line.startswith("#") and any(_matches(prefix, pattern.strip("/")) for prefix in candidates):
            ignored = not line.startswith("!")
    return ignored


def _matches(path: str, pattern: str) -> bool:
    """Return whether the pattern matches. As in git, a pattern without a slash matches only the file name."""
    subject = path if "/" in pattern else path.rsplit("/", 1)[-1]
    return fnmatch(subject, pattern) or fnmatch(subject, pattern.replace("**/", ""))


def changed_tree(tree: Tree, changes: Iterable[Change], objects: Mapping[str, bytes]) -> Tree:
    """Return a new tree with all changes, or raise an error if one change is not valid."""
    changed = dict(tree)
    for key, value in changes:
        if key not in _CHANGES:
            raise HubError(400, f"Unknown operation in a commit: {key!r}")
        path = value.get("path")
        folder = key == "deletedFolder" and isinstance(path, str)
        _CHANGES[key](changed, checked_path(path.removesuffix("/") if folder else path), value, objects)
    folders = {path[:end] for path in changed for end, letter in enumerate(path) if letter == "/"}
    if clash := folders & changed.keys():
        raise HubError(400, f"Both a file and a folder: {', '.join(sorted(clash))}")
    return changed


def _add_file(tree: Tree, path: str, value: dict[str, Any], objects: Mapping[str, bytes]) -> None:
    content = value["content"]
    data = b64decode(content, validate=True) if value.get("encoding") == "base64" else content.encode()
    if len(data) > LARGEST_REGULAR:
        raise HubError(400, f"{path} has more than 10 MiB: upload it by LFS")
    if path == "README.md" and (problems := cards.problems(data.decode())):
        raise HubError(400, "Invalid metadata in README.md.\n" + "\n".join(problems), errors=_messages(problems))
    tree[path] = Blob(data)


def _add_lfs_file(tree: Tree, path: str, value: dict[str, Any], objects: Mapping[str, bytes]) -> None:
    content = objects.get(value["oid"])
    if value.get("algo") != "sha256" or content is None:
        raise HubError(400, f"An LFS pointer pointed to a file that does not exist. Offending file: {path}")
    if value.get("size", len(content)) != len(content):
        raise HubError(400, f"The LFS pointer of {path} says {value['size']} bytes, the object has {len(content)}")
    tree[path] = Blob(content, lfs=True)


def _delete_file(tree: Tree, path: str, value: dict[str, Any], objects: Mapping[str, bytes]) -> None:
    # The client looks for this message (`HfApi.create_commit`).
    if tree.pop(path, None) is None:
        raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")


def _delete_folder(tree: Tree, path: str, value: dict[str, Any], objects: Mapping[str, bytes]) -> None:
    inside = [name for name in tree if name.startswith(f"{path}/")]
    if not inside:
        raise HubError(404, f"A folder with this name doesn't exist: {path}", "EntryNotFound")
    for name in inside:
        del tree[name]


def _messages(problems: list[str]) -> list[dict[str, str]]:
    return [{"message": problem} for problem in problems]


_Apply = Callable[[Tree, str, dict[str, Any], Mapping[str, bytes]], None]
_CHANGES: dict[str, _Apply] = {
    "file": _add_file,
    "lfsFile": _add_lfs_file,
    "deletedFile": _delete_file,
    "deletedFolder": _delete_folder,
}
