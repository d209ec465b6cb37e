"""The rows to look at first: errors on which the raters disagreed come before those with a large loss."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.errors import task_errors
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.evaluation.report import make_report, write_report
from modeling_multitask.evaluation.worst_rows import WorstRow
from modeling_multitask.training.soft_targets import most_probable

TONE = TaskConfig("tone", "single_label_classification", labels=["calm", "glad", "sad"])
TOXIC = TaskConfig("toxic", "binary_classification", labels=["fine", "toxic"])
MARKS = TaskConfig("marks", "multi_label_classification", labels=["late", "broken"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])


def rated(task: TaskConfig, logits: Any, shares: Any) -> Judged:
    """Rows of one task whose labels are the most probable ones of these shares."""
    soft = np.array(shares, dtype=np.float32)
    labels = most_probable({task.name: soft}, [task])
    texts = [f"text {row}" for row in range(len(soft))]
    logits, shares = {task.name: np.array(logits, float)}, {task.name: soft}
    return Judged([task], texts, logits, labels, np.full(len(soft), 4), soft=shares, raters=shares)


def worst(judged: Judged, **words: Any) -> list[WorstRow]:
    return task_errors(judged, judged.tasks[0], resamples=3, **words).worst


# The answer to all rows is "toxic", and the loss of "fine" grows with the logit.
RATED = rated(
    TOXIC,
    [[1.0], [9.0], [2.0], [3.0], [4.0], [5.0]],
    [[0.6, 0.4], [1.0, 0.0], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]],
)


def test_errors_on_which_the_raters_disagreed_come_first_and_the_most_disputed_of_them_before_the_others() -> None:
    # Rows 4 and 0 are equally disputed, and 4 has the larger loss. Row 3 is right. Row 5 is a tie.
    assert [each.row for each in worst(RATED)] == [4, 0, 2, 1, 3]


def test_a_row_has_the_shares_of_its_raters_the_largest_first() -> None:
    assert {each.row: each.raters for each in worst(RATED)} == {
        0: {"fine": 0.6, "toxic": 0.4},
        1: None,
        2: {"fine": 0.9, "toxic": 0.1},
        3: {"toxic": 0.8, "fine": 0.2},
        4: {"fine": 0.6, "toxic": 0.4},
    }
    assert [next(iter(each.raters or {})) for each in worst(RATED) if each.row in (0, 3)] == ["fine", "toxic"]


def test_an_error_is_as_disputed_as_raters_contradict_its_label() -> None:
    assert {each.row: each.disputed for each in worst(RATED)} == {0: 0.4, 1: 0.0, 2: 0.1, 3: 0.0, 4: 0.4}


def test_a_row_without_a_most_probable_label_is_no_error() -> None:
    assert 5 not in {each.row for each in worst(RATED)}


def test_disputed_errors_do_not_push_out_the_rows_with_the_largest_loss() -> None:
    assert [each.row for each in worst(RATED, most=2)] == [4, 0, 1, 3]


def test_with_several_labels_only_the_wrong_answers_are_disputed() -> None:
    # All answers are yes. Rows 0 and 1 are wrong in "late", and only the raters of row 1 disagree on it.
    judged = rated(MARKS, [[8.0, 8.0], [1.0, 1.0], [1.0, 1.0]], [[0.0, 0.6], [0.25, np.nan], [0.5, 0.4]])

    found = {each.row: each for each in worst(judged)}

    assert [each.row for each in worst(judged)] == [2, 1, 0]
    assert {row: each.disputed for row, each in found.items()} == {0: 0.0, 1: 0.25, 2: 0.4}
    assert {row: each.raters for row, each in found.items()} == {
        0: {"broken": 0.6},
        1: {"late": 0.25},
        2: {"late": 0.5, "broken": 0.4},
    }


@pytest.mark.parametrize("task", [TONE, GRADE], ids=lambda task: task.name)
def test_among_more_than_two_labels_all_but_the_most_probable_one_contradict_it(task: TaskConfig) -> None:
    logits = [[-9.0, 0.0, 9.0][: task.num_logits]] if task is TONE else [[9.0, 8.0]]

    found = worst(rated(task, logits, [[0.5, 0.25, 0.25]]))

    assert found[0].disputed == 0.5
    assert list((found[0].raters or {}).values()) == [0.5, 0.25, 0.25]


def test_rows_without_soft_labels_are_listed_by_their_loss_alone() -> None:
    plain = worst(replace(RATED, soft={}, raters={}))

    assert [each.row for each in plain] == [1, 4, 2, 0, 3]
    assert {(each.raters, each.disputed) for each in plain} == {(None, 0.0)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_report(make_report(RATED, name="model", split="test", resamples=3), tmp_path)
    return tmp_path


def test_the_report_marks_each_row_with_what_its_raters_said(folder: Path) -> None:
    html, markdown = ((folder / name).read_text() for name in ("report.html", "report.md"))

    for page in (html, markdown):
        listed = page.split("Errors on which raters disagreed, then rows with the largest loss")[1]
        assert listed.count("raters: fine 0.6, toxic 0.4") == 2
        assert listed.index("text 4") < listed.index("text 0") < listed.index("text 1")
    rows = json.loads((folder / "report.json").read_text())["tasks"]["toxic"]["errors"]["worst"]
    assert (rows[0]["raters"], rows[0]["disputed"]) == ({"fine": 0.6, "toxic": 0.4}, 0.4)


def test_a_report_without_disputed_errors_has_the_rows_with_the_largest_loss(tmp_path: Path) -> None:
    report = make_report(replace(RATED, soft={}, raters={}), name="model", split="test", resamples=3)
    write_report(report, tmp_path)

    for name in ("report.html", "report.md"):
        page = (tmp_path / name).read_text()
        assert "Rows with the largest loss" in page
        assert "raters" not in page
