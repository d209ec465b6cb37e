"""Tables in the forms that people have. Each folder of `tests/cases` has a recipe and the rows or the error to expect.

The data files keep their encodings and line ends, see `.gitattributes`.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.errors import DataError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import write_rows
from tests.conftest import ROOT

CASES = sorted(path.parent for path in (ROOT / "tests" / "cases").glob("*/recipe.yaml"))


def written_rows(case: Path, folder: Path) -> list[dict[str, Any]]:
    """The rows that `multitask data recipe.yaml --rows rows.jsonl` writes in a copy of the case."""
    shutil.copytree(case, folder / "case", ignore=shutil.ignore_patterns("expected*"))
    write_rows(load_recipe(folder / "case" / "recipe.yaml"), folder / "rows.jsonl")
    return read(folder / "rows.jsonl")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=1e-6) if numbers else one == other  # numbers are stored as float32


def missing_fragments(file: Path, text: str) -> list[str]:
    """The fragments of a file that a text lacks. ` || ` separates alternatives."""
    lines = file.read_text(encoding="utf-8").casefold().splitlines() if file.exists() else []
    return [line for line in lines if not any(choice in text.casefold() for choice in line.split(" || "))]


@pytest.mark.parametrize(
    "case", [each for each in CASES if (each / "expected.jsonl").exists()], ids=lambda path: path.name
)
def test_a_table_is_read_with_every_label_in_its_place(
    case: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = read(case / "expected.jsonl")

    rows = [
        {name: value for name, value in row.items() if name != "split" or "split" in expected[0]}
        for row in written_rows(case, tmp_path)
    ]

    assert len(rows) == len(expected)
    assert [(row, each) for row, each in zip(rows, expected, strict=True) if not same(row, each)] == []
    assert missing_fragments(case / "expected_note.txt", caplog.text) == []


@pytest.mark.parametrize(
    "case", [each for each in CASES if not (each / "expected.jsonl").exists()], ids=lambda path: path.name
)
def test_an_error_names_the_place_and_the_way_out(case: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        written_rows(case, tmp_path)

    assert missing_fragments(case / "expected_error.txt", str(caught.value)) == []


def test_there_are_cases_of_both_kinds() -> None:
    assert len(CASES) == len(list((ROOT / "tests" / "cases").iterdir())) > 30
