"""Compressed files are read by their ending, and damaged ones are refused."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables

ROWS = "text,topic\n" + "".join(f"text {i},film\n" for i in range(200))


def as_zst(content: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as file:
        file.write(content)
    return packed.getvalue().to_pybytes()


def as_zip(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return path


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": as_zst,
}


def read(path: Path, **words: str) -> list[str]:
    tables = open_tables(Source(str(path), **words))
    return [text for table in tables for chunk in table.read(["text"]) for text in chunk["text"].to_pylist()]


@pytest.mark.parametrize("ending", PACK)
def test_a_compressed_file_has_the_rows_of_the_file_within(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.csv{ending}"
    path.write_bytes(PACK[ending](ROWS.encode()))

    assert read(path) == [f"text {i}" for i in range(200)]


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_incomplete_compressed_file_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    path, packed = tmp_path / f"rows.csv{ending}", PACK[ending](ROWS.encode())
    path.write_bytes(packed[: int(len(packed) * share)])

    with pytest.raises(
        DataError, match=rf"rows\.csv{ending}: the file is damaged or incomplete and cannot be decompress"
    ):
        read(path)


def test_a_file_that_is_not_compressed_in_spite_of_its_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_text(ROWS)

    with pytest.raises(DataError, match=r"rows\.csv\.gz: the file is damaged .* \(Not a gzipped file"):
        read(tmp_path / "rows.csv.gz")


def test_the_only_file_of_an_archive_is_read_whatever_macos_adds(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "rows.zip", deep__rows_csv=ROWS, __MACOSX__rows_csv="x")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/rows.csv", ROWS)
        archive.writestr("__MACOSX/deep/._rows.csv", "x")
        archive.writestr("deep/.DS_Store", "x")

    assert len(read(path)) == 200


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "rows.zip", a_csv=ROWS, b_csv=ROWS)

    with pytest.raises(DataError, match=r"rows\.zip: contains 2 files \(a\.csv, b\.csv\); .* must contain exactly one"):
        read(path)


def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "rows.zip", a_csv=ROWS)
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(DataError, match=r"rows\.zip: not a complete \.zip file"):
        read(path)


@pytest.mark.parametrize("utf_8", [False, True])
@pytest.mark.parametrize("header", [b"PK\x03\x04", b"PK\x01\x02"])  # of the file, and in the list of files
@pytest.mark.parametrize("name", [b"\xff.csv", b"\0.csv", b"b.csv"])
def test_an_archive_with_a_damaged_name_is_refused_in_one_line(
    tmp_path: Path, header: bytes, name: bytes, utf_8: bool
) -> None:
    content = bytearray(as_zip(tmp_path / "rows.zip", a_csv=ROWS).read_bytes())
    start = content.index(header)
    flags, place = (start + 6, start + 30) if header == b"PK\x03\x04" else (start + 8, start + 46)
    content[flags + 1] |= 8 * utf_8
    content[place : place + 5] = name
    (tmp_path / "rows.zip").write_bytes(bytes(content))

    with pytest.raises(DataError, match=r"^[^\n]*rows\.zip: [^\n]{,200}$"):
        read(tmp_path / "rows.zip")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "rows.zip", a_csv=ROWS)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of encryption in the header of the file, and below in the list of files
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))

    with pytest.raises(DataError, match=r"rows\.zip: a\.csv cannot be decompressed \(.*encrypted"):
        read(path)


def test_the_format_of_a_compressed_file_without_its_ending_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(gzip.compress(ROWS.encode()))

    with pytest.raises(DataError, match=r"rows\.gz: the ending before \.gz is ''; it must be .*, or add `format` to"):
        read(tmp_path / "rows.gz")
    assert len(read(tmp_path / "rows.gz", format="csv")) == 200


def test_a_binary_table_is_not_compressed_once_more(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet.gz").write_bytes(b"")

    with pytest.raises(
        DataError, match="files of the format parquet are not read from a compressed file; decompress it"
    ):
        read(tmp_path / "rows.parquet.gz")


def test_a_folder_may_hold_compressed_files_of_one_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"text\nb\n"))
    (tmp_path / "notes.txt").write_text("not a table\n")

    assert read(tmp_path) == ["a", "b"]


def test_a_file_that_is_there_twice_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\na\n"))

    with pytest.raises(DataError, match=r"contains a\.csv and the same file compressed; remove one of them"):
        read(tmp_path)


def test_a_folder_of_lines_is_read_if_there_is_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")

    assert read(tmp_path) == ["one", "two"]


def test_the_format_chooses_among_the_tables_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "b.jsonl").write_text('{"text": "b"}\n')

    assert read(tmp_path, format="jsonl") == ["b"]


@pytest.mark.parametrize(
    ("name", "message"), [("t.xml", "XML is not supported"), ("t.xls", "old Excel workbooks are not")]
)
def test_a_format_that_is_not_supported_says_what_to_do(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("x")

    with pytest.raises(DataError, match=rf"{name}: the ending is .*; {message}"):
        read(tmp_path / name)
