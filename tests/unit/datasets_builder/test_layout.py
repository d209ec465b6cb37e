"""The words that say how a table is written: invalid values, contradictions, and words of another format."""

from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, Source
from datasets_builder.layout import WORDS, Layout, delimiter_in_yaml
from datasets_builder.sources import FORMATS, open_tables


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"format": "jsonlines"}, "format is 'jsonlines'; it must be one of csv, .*; did you mean 'jsonl'"),
        ({"quoting": "all"}, "quoting is 'all'; it must be one of minimal, none"),
        ({"decimal": ";"}, "decimal is ';'; it must be one of ., ,"),
        ({"delimiter": "||"}, r"delimiter is '\|\|'; it must be one character, such as ';', or tab"),
        ({"delimiter": '"'}, "delimiter is '\"'; it must be one character"),
        ({"encoding": "utf-9"}, "encoding is 'utf-9'; Python has no such encoding; examples: utf-8"),
        ({"encoding": "base64"}, "encoding is 'base64'; Python has no such encoding"),
        ({"header": "no"}, "header is 'no'; it must be true or false"),
        ({"columns": ["text"]}, "columns is only for tables without a header; add `header: false`"),
        ({"header": False}, "columns must list the names of all columns, because `header: false` is set"),
        ({"header": False, "columns": ["a", "b", "a"]}, "columns has 'a' more than once"),
        ({"skip_rows": -1}, "skip_rows is -1; it must be a whole number, at least 0"),
        ({"table": "t", "query": "SELECT 1"}, "query cannot be combined with table; leave one out"),
    ],
)
def test_an_invalid_word_is_an_error(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Source("rows.csv", **words)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("t.csv", {"sheet": "One"}, "`sheet` is only for tables of the format xlsx, ods; this table is read as csv"),
        (
            "t.xlsx",
            {"delimiter": ";"},
            "`delimiter` is only for tables of the format csv, tsv; this table is read as xlsx",
        ),
        ("t.jsonl", {"decimal": ","}, "`decimal` is only for .* this table is read as jsonl"),
        ("t.parquet", {"encoding": "cp1252"}, "`encoding` is only for .* this table is read as parquet"),
        ("t.txt", {"delimiter": ";"}, "`delimiter` is only for .*; add `format: csv` if its cells are separated"),
        ("t.csv", {"query": "SELECT 1"}, "`query` is only for tables of the format sqlite"),
    ],
)
def test_a_word_of_another_format_is_an_error(tmp_path: Path, name: str, words: dict[str, Any], message: str) -> None:
    (tmp_path / name).write_bytes(b"text\n")

    with pytest.raises(DataError, match=rf"{name}: {message}"):
        open_tables(Source(str(tmp_path / name), **words))


def test_rows_in_memory_have_no_layout() -> None:
    with pytest.raises(DataError, match="the given dict: delimiter is only for files; remove it"):
        open_tables(Source(data={"text": ["a"]}, delimiter=";"))


def test_a_default_that_is_written_out_is_no_foreign_word(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n')

    (table,) = open_tables(Source(str(tmp_path / "t.jsonl"), header=True, skip_rows=0))

    assert table.columns == ["text"]


def test_every_format_has_a_reader() -> None:
    assert set(FORMATS) == set(WORDS)


def test_the_words_that_are_set_are_known() -> None:
    assert Layout(delimiter=";", skip_rows=2, format="csv").given == ["delimiter", "skip_rows"]


def test_a_delimiter_is_shown_as_a_recipe_writes_it() -> None:
    assert (delimiter_in_yaml(";"), delimiter_in_yaml("\t")) == ('`delimiter: ";"`', "`delimiter: tab`")
