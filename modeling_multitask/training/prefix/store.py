"""The output of a model on disk, by text: that of the frozen encoder part, or the answers of a teacher.

A store is a folder of segments. A segment is a flat file of numbers and an index of its texts. The index is written
last, by a rename, so a segment is either complete or absent. Runs at the same time write different segments.

Shapes: T tokens of a text (1 where its tokens were pooled), D width of the encoder.
"""

import contextlib
import json
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers.utils import logging

from ...files import write_json

logger = logging.get_logger(__name__)

_INDEX, _NUMBERS = ".json", ".states"
_STORE = re.compile("[0-9a-f]{32}")  # the folder name of a store
_CHUNK = 2**24  # bytes that are read at a time for the checksum


class _Place(NamedTuple):
    """The location of a text: the file of numbers, the first row and the number of rows."""

    numbers: np.ndarray
    start: int
    rows: int


class PrefixStore:
    """The states of texts, (T, D) each, by the key of their tokens.

    Args:
        folder: The folder for one encoder with one frozen depth. It is created when states are added.
        width: D.
        dtype: The dtype of the states: float32, bfloat16 or float16.
    """

    def __init__(self, folder: Path, width: int, dtype: torch.dtype) -> None:
        self.folder, self.width, self.dtype = folder, width, dtype
        self._places: dict[str, _Place] = {}
        self._read: set[Path] = set()

    def refresh(self) -> None:
        """Open new segments. A damaged segment is removed, with a warning.

        Raises:
            OSError: If a segment cannot be read, for example with too many open files. It is not removed.
        """
        with contextlib.suppress(OSError):  # it does not exist yet, or is read-only
            os.utime(self.folder)  # marks it as used, so that others are removed first
        for index in sorted(self.folder.glob(f"*{_INDEX}")):
            if index in self._read:
                continue
            try:
                self._open(index)
            except (FileNotFoundError, ValueError, KeyError) as error:
                logger.warning(f"{index.with_suffix(_NUMBERS)} is damaged ({error}); its content is computed again")
                _remove(index)
            self._read.add(index)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return the keys without stored states, in their order."""
        return [key for key in keys if key not in self._places]

    def states(self, key: str) -> Tensor:
        """Return the states of a stored key, (T, D)."""
        place = self._places[key]
        return self._tensor(place.numbers[place.start : place.start + place.rows])

    def bytes_of(self, rows: int) -> int:
        """Return the size in bytes of this number of state vectors."""
        return rows * self.width * self.dtype.itemsize

    def add(self, keys: Sequence[str], states: Iterable[Tensor]) -> None:
        """Write a segment with the states of each key, (T, D). If this fails, no file is left.

        Raises:
            OSError: If the disk is full or not writable.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        index = self.folder / f"{uuid.uuid4().hex}{_INDEX}"
        checksum, rows = 0, []
        try:
            with index.with_suffix(_NUMBERS).open("wb") as file:
                for each in states:
                    content = self._array(each).tobytes()
                    checksum = zlib.crc32(content, checksum)
                    file.write(content)
                    rows.append(len(each))
                file.flush()
                os.fsync(file.fileno())
            write_json(index, {"keys": list(keys), "rows": rows, "checksum": checksum})
        except BaseException:
            _remove(index)
            raise
        self.refresh()

    def _open(self, index: Path) -> None:
        content = json.loads(index.read_text(encoding="utf-8"))
        keys, rows = content["keys"], content["rows"]
        path, total = index.with_suffix(_NUMBERS), sum(rows)
        if len(keys) != len(rows) or path.stat().st_size != self.bytes_of(total):
            raise ValueError("its length differs from its index")
        if _checksum(path) != content["checksum"]:
            raise ValueError("its checksum is wrong")
        kind = np.float32 if self.dtype == torch.float32 else np.int16
        numbers = np.memmap(path, dtype=kind, mode="r", shape=(total, self.width)) if total else np.empty((0, 0), kind)
        for key, start, count in zip(keys, np.cumsum([0, *rows[:-1]]), rows, strict=True):
            self._places[key] = _Place(numbers, int(start), count)

    def _array(self, states: Tensor) -> np.ndarray:
        states = states.detach().to("cpu", self.dtype).contiguous()
        return (states if self.dtype == torch.float32 else states.view(torch.int16)).numpy()

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        states = torch.from_numpy(np.array(numbers))  # a copy: the mapped file is read-only
        return states if self.dtype == torch.float32 else states.view(self.dtype)


def make_room(root: Path, needed: int, limit: int, own: Path) -> None:
    """Remove the least recently used stores until the needed bytes fit into the limit.

    The store in use is removed last. Other files in the folder are neither removed nor counted.

    Args:
        root: The folder that contains the stores.
        needed: The bytes that are needed.
        limit: The maximum size of all stores together, in bytes.
        own: The store in use. Processes that have opened it keep their states.
    """
    stores = [path for path in root.glob("*") if _STORE.fullmatch(path.name) and path.is_dir()]
    sizes = {path: sum(_noted(file, "st_size") for file in path.glob("*")) for path in stores}
    for path in sorted(sizes, key=lambda each: (each == own, _noted(each, "st_mtime"))):
        if sum(sizes.values()) + needed <= limit:
            break
        shutil.rmtree(path, ignore_errors=True)  # processes that have opened it keep the file
        del sizes[path]


def _noted(path: Path, what: str) -> float:
    """Return a value of `stat` for a path; 0 if another run has renamed or removed the file."""
    try:
        return getattr(path.stat(), what)
    except FileNotFoundError:
        return 0


def _remove(index: Path) -> None:
    for path in (index, index.with_suffix(_NUMBERS)):
        path.unlink(missing_ok=True)


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
