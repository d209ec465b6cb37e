"""Text files in other encodings are read if the encoding is given, and the error names the encoding if it is not."""

from pathlib import Path

import pytest

from datasets_builder import DataError, Source
from datasets_builder.encodings import guessed_encoding
from datasets_builder.sources import open_tables

ROWS = "text,topic\nFrühstück à la carte,Köln\n“quiet” – 12 €,Zürich\n"


def read(path: Path, encoding: str | None = None) -> list[str]:
    (table,) = open_tables(Source(str(path), encoding=encoding))
    return [text for chunk in table.read(["text"]) for text in chunk["text"].to_pylist()]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "windows-1252"]
)
def test_a_file_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(ROWS.encode(encoding))

    assert read(tmp_path / "t.csv", encoding) == ["Frühstück à la carte", "“quiet” – 12 €"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".json", ".jsonl"])
def test_the_error_names_the_encoding_to_add(tmp_path: Path, encoding: str, ending: str) -> None:
    (tmp_path / f"t{ending}").write_bytes(ROWS.encode(encoding))

    with pytest.raises(DataError, match=f"Add `encoding: {encoding}` to this source$"):
        read(tmp_path / f"t{ending}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", "text,label\na,b\n"),
        (".txt", "a\n"),
        (".jsonl", '{"text": "a"}\n'),
        (".json", '[{"text": "a"}]'),
        (".json", '{"text": {"0": "a"}}'),
    ],
)
def test_ascii_text_in_a_wide_encoding_is_not_called_broken(
    tmp_path: Path, ending: str, content: str, encoding: str
) -> None:
    (tmp_path / f"t{ending}").write_bytes(content.encode(encoding))

    with pytest.raises(DataError, match=f"Add `encoding: {encoding}` to this source$"):
        read(tmp_path / f"t{ending}")


@pytest.mark.parametrize(
    ("text", "encoding"), [("Лифт не работает", "cp1251"), ("部屋が狭い", "shift_jis"), ("房间", "gb18030")]
)
def test_an_encoding_that_cannot_be_guessed_is_asked_for(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(f"text\n{text * 5}\n".encode(encoding))

    with pytest.raises(DataError, match=r"not UTF-8 text .* Add `encoding` with its encoding to this source, such as"):
        read(tmp_path / "t.csv")


def test_damaged_utf_8_is_not_called_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(ROWS.encode() + b"caf\xff,x\n")

    with pytest.raises(
        DataError, match=r"line 4, byte 3: not UTF-8 text .* The file is damaged, or has several encodings"
    ):
        read(tmp_path / "t.csv")


def test_a_wrong_encoding_of_a_file_in_utf_8_is_removed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("text\n“a” à\n".encode())

    with pytest.raises(
        DataError, match=r"not UTF-16 text .* Remove `encoding` from this source; the file seems to be UTF-8"
    ):
        read(tmp_path / "t.csv", "utf-16")


def test_the_byte_that_an_encoding_lacks_is_located(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"text\nabc\x81\n")

    with pytest.raises(DataError, match=r"t\.csv, line 2, byte 3: not CP1252 text"):
        read(tmp_path / "t.csv", "cp1252")


def test_text_of_ascii_is_utf_8() -> None:
    assert guessed_encoding(b"text,topic\n") == "utf-8"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ISO-8859-15"])
def test_utf_8_is_not_read_as_a_western_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("text,topic\nFrühstück,Köln\n".encode())

    with pytest.raises(
        DataError, match=rf"t\.csv: `encoding` is {encoding}, but the file seems to be UTF-8. Remove `enc"
    ):
        read(tmp_path / "t.csv", encoding)


def test_ascii_may_be_read_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"text\na\n")

    assert read(tmp_path / "t.csv", "latin-1") == ["a"]
