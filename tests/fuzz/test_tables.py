"""A damaged table is refused with one `DataError`, or what is read of it is right.

Each text that is not damaged has its own label, or none, and each row without a label is counted in a note. No reader
can find damage whose result is a valid file with other labels. Such damage is only read, its labels are not compared:

- bytes that are lost from the label of one row up to the label of another row,
- a label of which another label is left (no label is the beginning of another one here),
- changed bytes in pages of Parquet or in frames of zstd without checksums.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import MultiTaskBuilder, Source
from modeling_multitask.errors import DataError
from tests.fuzz.damage import EXAMPLES, damaged_bytes, damaged_lines, flipped_bytes, fuzzed, refusal
from tests.fuzz.labelled_tables import BINARY_FORMATS, LABELS, ROWS, TEXT_FORMATS, Format

FORMATS = TEXT_FORMATS | BINARY_FORMATS
TASK = {"name": "topic", "problem_type": "single_label_classification", "labels": LABELS}
sometimes = settings(fuzzed, max_examples=max(EXAMPLES // 4, 1))  # for each of three kinds of damage to each format
COUNTED = r"train: (\d+) rows without any label are skipped in training"


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {name: each.content() for name, each in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_damaged_is_read_before(name: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    rows = read(FORMATS[name], contents[name], tmp_path)

    if name == "lines":
        assert rows == [(text.replace("\n", " "), "film") for text, _, _ in ROWS]
    else:
        assert rows == [(text, topic) for text, topic, _ in ROWS]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@sometimes
@given(data=st.data())
def test_a_table_with_changed_bytes_has_no_wrong_label(
    data: st.DataObject, name: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    check_labels(FORMATS[name], data.draw(flipped_bytes(contents[name])), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT_FORMATS)
@sometimes
@given(data=st.data())
def test_a_table_with_damaged_lines_has_no_wrong_label(
    data: st.DataObject, name: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    check_labels(FORMATS[name], data.draw(damaged_lines(contents[name])), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@sometimes
@given(data=st.data())
def test_a_table_with_bytes_that_are_removed_or_added_is_refused(
    data: st.DataObject, name: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    content = data.draw(damaged_bytes(contents[name]))

    said = refusal(lambda: read(FORMATS[name], content, tmp_path), DataError)

    assert said is None or is_clear(said, FORMATS[name], tmp_path), said


def check_labels(table: Format, content: bytes, folder: Path) -> None:
    """Assert that the content is refused with one clear error, or that no text that is left has a wrong label."""
    topics = {text: "film" if table.ending == ".txt" else topic for text, topic, _ in ROWS}

    def check() -> None:
        rows = read(table, content, folder)
        assert [(text, label) for text, label in rows if label not in (topics.get(text, label), None)] == []

    said = refusal(check, DataError)
    assert said is None or is_clear(said, table, folder), said


def read(table: Format, content: bytes, folder: Path) -> list[tuple[str, str | None]]:
    """Read the text and the label of each row, and assert that a note counts the rows without a label."""
    path = folder / f"rows{table.ending}"
    path.write_bytes(content)
    words: dict[str, Any] = {"labels": {"topic": "topic"}} | table.words
    builder = MultiTaskBuilder(tasks=[TASK], train=[Source(str(path), **words)], cache_dir=str(folder / "cache"))
    builder.download_and_prepare()
    rows = builder.as_dataset()["train"].to_list()
    unlabelled = sum(row["topic"] is None for row in rows)
    assert [int(count) for count in re.findall(COUNTED, "\n".join(builder.notes))] == [unlabelled] * (unlabelled > 0)
    return [(row["text"], None if row["topic"] is None else LABELS[row["topic"]]) for row in rows]


def is_clear(said: str, table: Format, folder: Path) -> bool:
    """Return whether a message names the file in its first line, which only a list of wrong cells may follow."""
    heading, *cells = said.split("\n")
    named = str(folder / f"rows{table.ending}") in heading
    return named and len(heading) < 600 and all(re.match(r"  (row \d+, |and \d+ more|if )", each) for each in cells)
