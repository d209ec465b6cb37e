"""What leaves the frozen part of an encoder, kept on disk by the tokens that went in.

A store is a folder of segments, each a flat file of numbers and an index of the texts in it. A segment is there whole
or not at all, for its index comes last, by a rename; runs at the same time write segments of their own.

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
_STORE = re.compile("[0-9a-f]{32}")  # what the folder of a store is called
_CHUNK = 2**24  # bytes that are read at a time to be checked


class _Place(NamedTuple):
    """Where a text lies: in which file of numbers, from which row on, and how many rows it has."""

    numbers: np.ndarray
    start: int
    rows: int


class PrefixStore:
    """The states of texts, (T, D) each, by a key of their tokens.

    Args:
        folder: Of one encoder, frozen to one depth; made when something is added.
        width: D.
        dtype: Of the states: float32, bfloat16 or float16.
    """

    def __init__(self, folder: Path, width: int, dtype: torch.dtype) -> None:
        self.folder, self.width, self.dtype = folder, width, dtype
        self._places: dict[str, _Place] = {}
        self._read: set[Path] = set()

    def refresh(self) -> None:
        """Looks for segments that are new; one that is damaged is removed, with a warning, and made anew.

        Raises:
            OSError: If they cannot be read, as with too many open files; they stay.
        """
        with contextlib.suppress(OSError):  # not made yet, or not ours to write to
            os.utime(self.folder)  # used now, so that others make room before
        for index in sorted(self.folder.glob(f"*{_INDEX}")):
            if index in self._read:
                continue
            try:
                self._open(index)
            except (FileNotFoundError, ValueError, KeyError) as error:
                logger.warning(f"{index.with_suffix(_NUMBERS)} is damaged ({error}); what it held is computed anew")
                _remove(index)
            self._read.add(index)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys whose states are not here, in their order."""
        return [key for key in keys if key not in self._places]

    def states(self, key: str) -> Tensor:
        """(T, D), of a key that is here."""
        place = self._places[key]
        return self._tensor(place.numbers[place.start : place.start + place.rows])

    def bytes_of(self, rows: int) -> int:
        """What so many rows of states take."""
        return rows * self.width * self.dtype.itemsize

    def add(self, keys: Sequence[str], states: Iterable[Tensor]) -> None:
        """Writes a segment, of the states of each key, (T, D); leaves nothing behind where that fails.

        Raises:
            OSError: If the disk is full, or cannot be written.
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
            raise ValueError("it has another length than its index says")
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
        states = torch.from_numpy(np.array(numbers))  # a copy: what is mapped cannot be written to
        return states if self.dtype == torch.float32 else states.view(self.dtype)


def make_room(root: Path, needed: int, limit: int, own: Path) -> None:
    """Removes the stores that were used longest ago, that in use last, until so many bytes more go into the limit.

    Nothing else that lies in the folder is touched, or counted.

    Args:
        root: Holds a folder for each store.
        needed: Bytes.
        limit: Bytes that all stores together may take.
        own: The store that is in use; who has read it keeps what it held.
    """
    stores = [path for path in root.glob("*") if _STORE.fullmatch(path.name) and path.is_dir()]
    sizes = {path: sum(_noted(file, "st_size") for file in path.glob("*")) for path in stores}
    for path in sorted(sizes, key=lambda each: (each == own, _noted(each, "st_mtime"))):
        if sum(sizes.values()) + needed <= limit:
            break
        shutil.rmtree(path, ignore_errors=True)  # who reads it still has the file
        del sizes[path]


def _noted(path: Path, what: str) -> float:
    """What the disk has noted of a path; 0 of one that another run has renamed or removed meanwhile."""
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
