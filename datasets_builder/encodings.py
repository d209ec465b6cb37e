"""Where a text file is not in its encoding, and the encoding that it probably has."""

import codecs
import io
import re
from pathlib import Path
from typing import IO

from .compressed import opened

SAMPLE = 2**20  # bytes
WESTERN = ("cp1252", "iso8859-1", "iso8859-15")  # single-byte encodings, in which UTF-8 reads as `Ã¼`
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16"}
_MARKS |= {codecs.BOM_UTF16_BE: "utf-16"}  # after UTF-32, whose mark begins with that of UTF-16


class Recoded(io.RawIOBase):
    """A file as UTF-8, to be read in parts. Unlike `codecs.EncodedFile` it refuses a file that ends within a character.

    Args:
        file: The file.
        encoding: Its encoding, by its name in Python.
    """

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int = -1) -> bytes:
        """Return the next characters, of about this number of bytes; nothing at the end of the file.

        Raises:
            UnicodeError: If the bytes are not in the encoding, also if the file ends within a character.
        """
        while content := self._file.read(size):
            if text := self._decoder.decode(content):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()


def without_order(path: Path, encoding: str) -> str:
    """Return UTF-16 for UTF-16-LE and so on if a file has a byte order mark, which is no part of its first cell."""
    family = encoding.removesuffix("-le").removesuffix("-be")
    if family not in _MARKS.values() or family == encoding:
        return encoding
    with opened(path) as file:
        beginning = file.read(4)
    return family if guessed_encoding(beginning) == family else encoding


def first_undecodable(path: Path, encoding: str) -> str:
    """Return `, line 3, byte 12` for the first byte that is not in the encoding, or an empty string if not known."""
    try:
        with opened(path) as file, _as_text(file, encoding) as lines:
            for number, line in enumerate(lines, start=1):
                if found := re.search("[\udc80-\udcff]", line):
                    before = line[: found.start()].encode(encoding.removesuffix("-sig"))
                    return f", line {number}, byte {len(before)}"
    except UnicodeError:  # UTF-16 and UTF-32 do not allow to continue after an error
        pass
    return ""


def _as_text(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")


def is_utf_8(path: Path) -> bool:
    """Return whether the beginning of a file has characters beyond ASCII, and all of them are UTF-8."""
    with opened(path) as file:
        content = file.read(SAMPLE)
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(content).isascii()
    except UnicodeDecodeError:
        return False


def way_out(path: Path, encoding: str) -> str:
    """Return a sentence with the setting to add, for a file that is not in this encoding.

    Args:
        path: The file.
        encoding: The encoding, by its name in Python, in which it could not be read.
    """
    with opened(path) as file:
        content = file.read(SAMPLE)
    guess = guessed_encoding(content)
    if guess == codecs.lookup(encoding.removesuffix("-sig")).name:
        return "The file is damaged, or has several encodings; repair it"
    if guess == "utf-8":
        return "Remove `encoding` from this source; the file seems to be UTF-8"
    if guess is None:
        return "Add `encoding` with its encoding to this source, such as `encoding: latin-1` or `encoding: shift_jis`"
    return f"Add `encoding: {guess}` to this source"


def guessed_encoding(content: bytes) -> str | None:
    """Return the probable encoding: UTF-8, UTF-16, UTF-32 or cp1252; `None` if it is another one.

    Args:
        content: The beginning of a file.
    """
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return name
    odd, even = content[1::2].count(0), content[::2].count(0)
    if max(odd, even) > len(content) / 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    read = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(content)
    wrong, right = len(re.findall("[\udc80-\udcff]", read)), len(re.findall("[^\0-\x7f\udc80-\udcff]", read))
    if right >= wrong:  # bytes of other encodings rarely form characters of UTF-8
        return "utf-8"
    latin, other = len(re.findall(rb"[A-Za-z]", content)), len(re.findall(rb"[\x80-\xff]", content))
    # Cyrillic, Greek or Chinese text in a legacy encoding has more bytes above 127 than letters of English.
    undefined = re.search(rb"[\x81\x8d\x8f\x90\x9d]", content)
    return "cp1252" if other < latin and not undefined else None
