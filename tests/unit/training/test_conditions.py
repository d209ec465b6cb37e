"""Conditions: parents inferred from rows, labels of tasks that do not apply, and conflicting labels."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers.utils import logging

from modeling_multitask import TaskConfig
from modeling_multitask.tasks_multitask import GivenConfig
from modeling_multitask.training.conditions import counted_rows, unasked_rows, with_condition

DOMAIN = TaskConfig("domain", "single_label_classification", labels=["bank", "travel"])
INTENT = TaskConfig("intent", "single_label_classification", labels=["balance", "pin", "visa"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
REASON = TaskConfig("reason", "single_label_classification", labels=["broken", "dear"])
TOOLS = TaskConfig("tools", "multi_label_classification", labels=["app", "card"])
DAMAGE = TaskConfig("damage", "regression")
PARENTS = {"balance": "bank", "pin": "bank", "visa": "travel"}
NEGATIVE = GivenConfig("sentiment", labels=["negative"])


def rows(**columns: list) -> Dataset:
    """A column for each task: ids, numbers, or a dict of several labels."""
    return Dataset.from_dict(columns)


def domains_and_intents(*pairs: tuple[int | None, int | None]) -> Dataset:
    return rows(domain=[domain for domain, _ in pairs], intent=[intent for _, intent in pairs])


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings for the user."""
    said: list[str] = []
    logger = logging.get_logger("modeling_multitask.training.conditions")
    monkeypatch.setattr(logger, "warning", said.append)
    return said


def test_the_parent_of_a_label_is_that_beside_which_it_stands(warned: list[str]) -> None:
    table = domains_and_intents((0, 0), (1, 2), (0, 1), (0, 0))

    task = with_condition(INTENT, DOMAIN, table, GivenConfig("domain"))

    assert task.given == GivenConfig("domain", parents=PARENTS)
    assert warned == []


def test_rows_with_gaps_say_nothing_of_parents() -> None:
    table = domains_and_intents((0, 0), (None, 0), (1, 2), (0, 1), (1, None), (None, 2), (None, None))

    assert with_condition(INTENT, DOMAIN, table, GivenConfig("domain")).given.parents == PARENTS


def test_a_label_beside_several_parents_is_an_error_that_counts_them() -> None:
    table = domains_and_intents((0, 0), (0, 1), (0, 1), (1, 1), (1, 2))

    message = (
        r"task 'intent': given\.parents is missing, and in the training rows the label 'pin' occurs with several "
        r"labels of 'domain': 'bank' \(2 rows\), 'travel' \(1 rows\); fix the rows, or set given\.parents"
    )
    with pytest.raises(ValueError, match=message):
        with_condition(INTENT, DOMAIN, table, GivenConfig("domain"))


def test_a_label_beside_no_parent_is_an_error() -> None:
    table = domains_and_intents((0, 0), (0, 1), (None, 2))

    with pytest.raises(ValueError, match=r"the label 'visa' occurs with no label of 'domain'; fix the rows"):
        with_condition(INTENT, DOMAIN, table, GivenConfig("domain"))


def test_parents_that_are_given_are_not_read_from_the_rows_and_what_contradicts_them_is_counted(
    warned: list[str],
) -> None:
    table = domains_and_intents((0, 0), (1, 0), (1, 1), (1, 2), (None, 2))

    task = with_condition(INTENT, DOMAIN, table, GivenConfig("domain", parents=PARENTS))

    assert task.given.parents == PARENTS
    assert warned == [
        "task 'intent': 2 labels occur with a label that is not their parent (condition on the task 'domain')"
    ]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (REASON, [0, 1, None, 0]),
        (TOOLS, [{"app": 1, "card": None}, {"app": 0, "card": 0}, None, {"app": 1, "card": 1}]),
        (DAMAGE, [0.5, -1.0, None, 7.0]),
    ],
    ids=lambda given: getattr(given, "problem_type", ""),
)
def test_labels_after_an_answer_that_asks_for_none_are_counted(
    task: TaskConfig, labels: list[Any], warned: list[str]
) -> None:
    table = rows(**{"sentiment": [0, 1, 1, 1], task.name: labels})

    assert with_condition(task, SENTIMENT, table, NEGATIVE).given == NEGATIVE
    assert warned == [f"task {task.name!r}: 2 labels are left out of training (condition on the task 'sentiment')"]


def test_nothing_is_said_where_nothing_stands_against_the_condition(warned: list[str]) -> None:
    with_condition(REASON, SENTIMENT, rows(sentiment=[0, None, 1], reason=[1, 0, None]), NEGATIVE)

    assert warned == []


def test_where_no_row_has_a_label_for_the_other_task_nothing_stands_against_it(warned: list[str]) -> None:
    with_condition(REASON, SENTIMENT, rows(sentiment=[None, None], reason=[1, 0]), NEGATIVE)

    assert warned == []


@pytest.mark.parametrize("given", [NEGATIVE, GivenConfig("sentiment")])
def test_rows_that_are_streamed_are_not_looked_at(given: GivenConfig) -> None:
    assert with_condition(REASON, SENTIMENT, None, given) == replace(REASON, given=given)


@pytest.mark.parametrize(
    ("task", "parent", "given", "message"),
    [
        (
            INTENT,
            DOMAIN,
            GivenConfig("domain", labels=["banks"]),
            "labels: 'banks' is not a label of 'domain'; did you",
        ),
        (
            INTENT,
            DOMAIN,
            GivenConfig("domain", parents={"pin": "bank"}),
            "parents: must name each label of the task; 'b",
        ),
        (DAMAGE, SENTIMENT, GivenConfig("sentiment"), "labels: are missing; only single_label_classification reads"),
        (TOOLS, SENTIMENT, GivenConfig("sentiment"), "labels: are missing; .*, and this is multi_label_classification"),
        (INTENT, DAMAGE, GivenConfig("damage"), "task: is 'damage', a regression; a condition needs one label"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_condition_that_cannot_be_is_refused(
    task: TaskConfig, parent: TaskConfig, given: GivenConfig, message: str, streamed: bool
) -> None:
    # The labels of tasks may be known only once the tables are read.
    table = None if streamed else rows(**{task.name: [None], parent.name: [None]})

    with pytest.raises(ValueError, match=rf"task {task.name!r}: given\.{message}"):
        with_condition(task, parent, table, given)


def test_labels_that_answer_no_question_are_not_counted() -> None:
    tasks = [SENTIMENT, replace(REASON, given=NEGATIVE), replace(DAMAGE, given=NEGATIVE)]
    table = rows(sentiment=[0, 1, None, 0], reason=[0, 1, 1, None], damage=[None, 2.0, 3.0, 4.0])

    counted = counted_rows(table, tasks)

    assert counted["sentiment"].tolist() == [True, True, False, True]
    assert counted["reason"].tolist() == [True, False, True, False]
    assert counted["damage"].tolist() == [False, False, True, True]


def test_what_is_not_asked_has_no_question_after_it() -> None:
    tools = replace(TOOLS, given=GivenConfig("reason", labels=["broken"]))
    labels = {
        "sentiment": torch.tensor([1, 1, 0, 0, -100]),
        "reason": torch.tensor([0, -100, 0, 1, -100]),
        "tools": torch.zeros(5, dtype=torch.long),
    }

    unasked = unasked_rows(labels, [SENTIMENT, replace(REASON, given=NEGATIVE), tools])

    assert unasked["reason"].tolist() == [True, True, False, False, False]
    assert unasked["tools"].tolist() == [True, True, False, True, False]


def test_with_parents_a_question_is_asked_wherever_that_above_it_is() -> None:
    asked = TaskConfig("asked", "binary_classification", labels=["no", "yes"])
    domain = replace(DOMAIN, given=GivenConfig("asked", labels=["yes"]))
    intent = replace(INTENT, given=GivenConfig("domain", parents=PARENTS))
    labels = {
        "asked": torch.tensor([0, 1, -100]),
        "domain": torch.tensor([1, 1, 1]),
        "intent": torch.tensor([0, 0, 0]),
    }

    assert unasked_rows(labels, [asked, domain, intent])["intent"].tolist() == [True, False, False]
