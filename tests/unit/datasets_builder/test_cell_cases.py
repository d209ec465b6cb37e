"""Small tables as people have them, whose cells mean the expected rows or are an error.

Each folder of `tests/cases` is a case: a recipe, its tables, and the rows or the fragments of the error or the notes.
One fragment per line; ` || ` separates alternatives, and case is ignored.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_rows, open_sources
from tests.conftest import ROOT

CASES = ROOT / "tests" / "cases"
ROWS = [
    "blank_rows",
    "contradictions_drop",
    "contradictions_majority",
    "empty_text_csv",
    "empty_text_jsonl",
    "list_of_one",
    "lists_in_cells",
    "missing_text",
    "none_words",
    "numbers_as_labels",
    "numbers_in_aliases_and_missing",
    "numbers_in_onehot",
    "onehot_blank_missing",
    "onehot_blank_none",
    "parquet_gaps",
    "separators_with_spaces",
    "tags_blank_missing",
    "tags_blank_none",
    "tags_extra_separators",
    "text_pair",
    "words_of_one_source",
]
ERRORS = ["error_aliases_match_nothing", "error_ids_for_names", "error_label_bracket"]


def build(name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The training rows of a case with names of labels, and the notes."""
    recipe = load_recipe(CASES / name / "recipe.yaml")
    builder = open_sources(recipe)
    dataset, tasks = build_rows(recipe, builder)
    kinds = {task.name: PROBLEM_TYPES[task.problem_type] for task in tasks}
    names = {task.name: task.labels for task in tasks}

    def shown(column: str, value: Any) -> Any:
        is_id = column in kinds and kinds[column].one_label and value is not None
        return names[column][value] if is_id else value

    rows = [{column: shown(column, value) for column, value in row.items()} for row in dataset["train"]]
    return rows, builder.notes


def missing_fragments(file: Path, text: str) -> list[str]:
    """The fragments of a file that a text lacks."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if not any(part.lower() in text.lower() for part in line.split(" || "))]


@pytest.mark.parametrize("name", ROWS)
def test_the_cells_of_a_table_mean_these_rows(name: str) -> None:
    expected = (CASES / name / "expected.jsonl").read_text(encoding="utf-8").splitlines()

    rows, notes = build(name)

    assert rows == [json.loads(line) for line in expected]
    assert missing_fragments(CASES / name / "expected_note.txt", "\n".join(notes)) == []


@pytest.mark.parametrize("name", ERRORS)
def test_cells_that_mean_nothing_are_an_error_with_the_way_out(name: str) -> None:
    with pytest.raises(DataError) as caught:
        build(name)

    assert missing_fragments(CASES / name / "expected_error.txt", str(caught.value)) == []
