"""Likely label errors: labels changed by a test come first, and unusual label columns do not crash."""

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from datasets_builder import DataError
from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.evaluation import label_issues as module
from modeling_multitask.evaluation.label_issues import LabelIssue, label_issues, write_label_issues
from modeling_multitask.inference import encode
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, REVIEWS, needs_minilm

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
RATING = TaskConfig("rating", "regression")


def clouds(classes: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Embeddings that lie about one point for each class, the classes, and a text for each row."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    return np.eye(8)[labels] + rng.normal(scale=0.1, size=(rows, 8)), labels, [f"text {row}" for row in range(rows)]


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_wrong_labels_come_first_with_the_right_ones_beside_them(task: TaskConfig) -> None:
    embeddings, right, texts = clouds(len(task.labels))
    labels = right.copy()
    labels[[7, 20]] = (labels[[7, 20]] + 1) % len(task.labels)

    found = label_issues(task, embeddings, labels, texts)

    assert {each.row for each in found[:2]} == {7, 20}
    for each in found[:2]:
        assert (each.text, each.label) == (texts[each.row], task.labels[labels[each.row]])
        assert each.suggestion == task.labels[right[each.row]]
    assert all(each.label == each.suggestion for each in found[2:])


def test_each_of_several_labels_is_a_question_by_itself() -> None:
    embeddings, classes, texts = clouds(4)
    right = np.stack([classes // 2, classes % 2], axis=1)
    labels = right.copy()
    labels[5, 0], labels[8, 1] = 1 - labels[5, 0], 1 - labels[8, 1]
    labels[30:, 1] = -100

    found = label_issues(TAGS, embeddings, labels, texts)

    assert {(each.row, each.label, each.suggestion) for each in found[:2]} == {
        (5, "long: yes", "long: no"),
        (8, "loud: yes", "loud: no"),
    }
    assert sorted(each.row for each in found) == sorted([*range(60), *range(30)])


def test_every_labelled_row_is_ranked_and_no_other_the_most_suspicious_first() -> None:
    embeddings, labels, texts = clouds(3)
    labels[[0, 10]], labels[20] = -100, -1

    found = label_issues(TOPIC, embeddings, labels, texts)

    assert sorted(each.row for each in found) == [row for row in range(60) if row not in (0, 10, 20)]
    assert [each.score for each in found] == sorted(each.score for each in found)
    assert {each.task for each in found} == {"topic"}


def test_of_too_many_labels_the_most_suspicious_ones_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, classes, texts = clouds(4)
    labels = np.stack([classes // 2, classes % 2], axis=1)
    labels[5, 0], labels[8, 1] = 1 - labels[5, 0], 1 - labels[8, 1]
    whole = label_issues(TAGS, embeddings, labels, texts)

    monkeypatch.setattr(module, "MOST_ISSUES", 9)

    assert label_issues(TAGS, embeddings, labels, texts) == whole[:9]


def test_the_labels_of_a_task_with_thousands_of_them_are_not_checked_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.logger, "warning", said.append)
    monkeypatch.setattr(module, "MOST_QUESTIONS", 1)
    embeddings, classes, texts = clouds(2)

    assert label_issues(TAGS, embeddings, np.stack([classes, classes], axis=1), texts) == []
    assert said == [
        "task 'tags': its labels are not checked, because it has 2 of them; the check of a multi-label task trains 5 "
        "regressions for each label, for at most 1 labels"
    ]
    assert label_issues(LIKED, embeddings, classes, texts)


def test_a_rows_own_label_has_no_say_in_its_score() -> None:
    embeddings, labels, texts = clouds(2)
    labels[0], other = 0, labels.copy()
    other[0] = 1

    score = {each.row: each.score for each in label_issues(LIKED, embeddings, labels, texts, folds=2)}[0]
    score_of_other = {each.row: each.score for each in label_issues(LIKED, embeddings, other, texts, folds=2)}[0]

    # Except for the folds, which are drawn again for other labels.
    assert score + score_of_other == pytest.approx(1, abs=0.05)


def test_other_rows_of_the_same_text_have_no_say_either() -> None:
    vectors, labels = np.repeat(np.eye(30), 10, axis=0), np.repeat(np.arange(30) % 2, 10)
    repeated, different = [f"text {row // 10}" for row in range(300)], [f"text {row}" for row in range(300)]

    together, apart = (label_issues(LIKED, vectors, labels, texts) for texts in (repeated, different))

    # Nothing that one text says is said by another: only its own rows tell anything.
    assert max(each.score for each in together) < 0.6
    assert min(each.score for each in apart) > 0.7


def test_the_length_of_embeddings_does_not_matter() -> None:
    embeddings, labels, texts = clouds(3)
    lengths = np.random.default_rng(0).uniform(0.1, 100, size=(60, 1))

    found, stretched = (label_issues(TOPIC, each, labels, texts) for each in (embeddings, lengths * embeddings))

    assert [each.score for each in found] == pytest.approx([each.score for each in stretched], abs=1e-3)


def test_a_class_that_fewer_texts_than_folds_have_is_left_out() -> None:
    embeddings, labels, texts = clouds(2)
    labels[[3, 4, 5, 6]] = 2

    found = label_issues(TOPIC, embeddings, labels, texts)

    assert sorted(each.row for each in found) == [row for row in range(60) if row not in (3, 4, 5, 6)]
    assert {each.suggestion for each in found} == {"film", "food"}


def test_five_rows_of_the_same_text_are_one_text() -> None:
    embeddings, labels, texts = clouds(2)
    labels[[3, 4, 5, 6, 7]] = 2
    texts[3:8] = ["the same"] * 5

    found = label_issues(TOPIC, embeddings, labels, texts)

    assert not {each.row for each in found} & {3, 4, 5, 6, 7}


def test_a_class_without_rows_moves_no_other() -> None:
    embeddings, classes, texts = clouds(2)
    labels = 2 * classes  # no "food"
    labels[9] = 0

    first = label_issues(TOPIC, embeddings, labels, texts)[0]

    assert (first.row, first.label, first.suggestion) == (9, "film", "phone")


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (TOPIC, np.full(60, -100)),
        (TOPIC, np.ones(60, dtype=int)),
        (TOPIC, np.array([0, 1, 2, 0] + [-100] * 56)),
        (TAGS, np.full((60, 2), -100)),
        (TAGS, np.ones((60, 2), dtype=int)),
        (RATING, np.arange(60, dtype=np.float32)),
    ],
    ids=["none labelled", "one class", "few rows", "no tags labelled", "all tags yes", "numbers"],
)
def test_labels_that_nothing_can_be_held_against_are_not_ranked(task: TaskConfig, labels: np.ndarray) -> None:
    embeddings, _, texts = clouds(3)

    assert label_issues(task, embeddings, labels, texts) == []


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from([-100, 0, 1, 2]), st.integers(0, 9)), min_size=1, max_size=25))
def test_whatever_has_which_label_every_score_is_a_probability_that_was_learnt(rows: list[tuple[int, int]]) -> None:
    labels, texts = np.array([label for label, _ in rows]), [f"text {number}" for _, number in rows]

    found = label_issues(TOPIC, np.eye(10)[[number for _, number in rows]], labels, texts, folds=2)

    # A class that no other fold has would have a score of 0.
    assert all(0.01 < each.score < 1 and labels[each.row] >= 0 for each in found)


def test_no_rows_have_no_issues() -> None:
    assert label_issues(TOPIC, np.empty((0, 8)), np.empty(0, dtype=int), []) == []


def test_the_same_seed_gives_the_same_list_and_another_other_folds() -> None:
    embeddings, labels, texts = clouds(3)

    found = label_issues(TOPIC, embeddings, labels, texts, seed=1)

    assert found == label_issues(TOPIC, embeddings, labels, texts, seed=1)
    assert found != label_issues(TOPIC, embeddings, labels, texts, seed=2)


def test_a_pair_of_texts_is_shown_as_one() -> None:
    embeddings, labels, texts = clouds(2)

    found = label_issues(LIKED, embeddings, labels, [("a question", text) for text in texts])

    assert found[0].text == f"a question | text {found[0].row}"


def test_a_missing_package_is_an_error_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.rank", None)

    with pytest.raises(ImportError, match=r"cleanlab is not installed; .* extra 'errors'"):
        label_issues(LIKED, *clouds(2))


def test_the_table_has_a_line_for_each_label_with_room_for_a_verdict(tmp_path: Path) -> None:
    issues = [
        LabelIssue(7, "topic", 'a "good", long\nfilm – ça va', "food", "film", 0.125, "tickets.csv", 37),
        LabelIssue(2, "topic", "=soup", "film", "film", 0.75),
    ]

    write_label_issues(issues, tmp_path / "new" / "label_issues.csv")

    assert read(tmp_path / "new" / "label_issues.csv") == [
        ["rank", "row", "task", "text", "label", "suggestion", "score", "table", "line", "verdict"],
        ["1", "7", "topic", 'a "good", long\nfilm – ça va', "food", "film", "0.125", "tickets.csv", "37", ""],
        ["2", "2", "topic", "'=soup", "film", "film", "0.75", "", "", ""],
    ]


def test_a_table_without_issues_has_its_columns(tmp_path: Path) -> None:
    write_label_issues([], tmp_path / "label_issues.csv")

    assert read(tmp_path / "label_issues.csv") == [
        ["rank", "row", "task", "text", "label", "suggestion", "score", "table", "line", "verdict"]
    ]


def test_a_table_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "label_issues.csv"
    write_label_issues([], path)
    before = path.read_bytes()

    with pytest.raises(UnicodeEncodeError):
        write_label_issues([LabelIssue(0, "topic", "\ud800", "food", "film", 0.5)], path)

    assert [each.read_bytes() for each in tmp_path.iterdir()] == [before]


def test_an_ending_that_names_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the ending is '.txt'"):
        write_label_issues([], tmp_path / "label_issues.txt")


@pytest.mark.slow
@needs_minilm
def test_most_flipped_labels_of_the_reviews_are_in_the_first_tenth_of_the_list() -> None:
    with REVIEWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts: list[Any] = [row["text"] for row in rows]
    tasks = [
        TaskConfig("domain", "single_label_classification", labels=["movie", "product", "restaurant"]),
        TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"]),
    ]
    model = MultiTaskModel.from_backbone(MINILM, tasks)
    embeddings = encode(model, texts, tokenizer=AutoTokenizer.from_pretrained(resolve_model_path(MINILM)))
    rng = np.random.default_rng(0)

    found = {}
    for task in tasks:
        labels = np.array([task.labels.index(row[task.name]) for row in rows])
        flipped = rng.choice(len(rows), size=len(rows) // 20, replace=False)
        labels[flipped] = (labels[flipped] + rng.integers(1, len(task.labels), size=len(flipped))) % len(task.labels)
        issues = label_issues(task, embeddings, labels, texts)
        first = [each.row for each in issues[: len(issues) // 10]]
        found[task.name] = np.isin(flipped, first).mean()

    assert min(found.values()) >= 0.6


def read(path: Path) -> list[list[str]]:
    """The lines of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
