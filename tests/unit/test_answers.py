"""Answers to dependent tasks: the most probable combination of labels, and no answer for a task that does not apply."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from modeling_multitask import MultiTaskConfig, TaskConfig
from modeling_multitask.answers_multitask import NOT_ASKED, answers, decide, may_follow
from modeling_multitask.tasks_multitask import GivenConfig

DOMAIN = TaskConfig("domain", "single_label_classification", labels=["bank", "travel", "oos"])
PARENTS = {"balance": "bank", "pin": "bank", "visa": "travel", "fare": "travel", "none": "oos"}
INTENT = TaskConfig(
    "intent", "single_label_classification", labels=list(PARENTS), given=GivenConfig("domain", parents=PARENTS)
)
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
REASON = TaskConfig(
    "reason",
    "single_label_classification",
    labels=["broken", "dear", "rude"],
    given=GivenConfig("sentiment", labels=["negative"]),
)
TOOLS = TaskConfig(
    "tools", "multi_label_classification", labels=["app", "card"], given=GivenConfig("reason", labels=["broken"])
)
DAMAGE = TaskConfig("damage", "regression", given=GivenConfig("sentiment", labels=["negative"]))
HOW = TaskConfig(
    "how", "ordinal_regression", labels=["low", "mid", "high"], given=GivenConfig("reason", labels=["broken", "dear"])
)


def random_logits(tasks: list[TaskConfig], rows: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = {task.name: 2 * torch.randn(rows, task.num_logits, generator=generator) for task in tasks}
    # the logits of ordered labels descend
    return {
        task.name: logits[task.name].sort(dim=-1, descending=True)[0]
        if task.problem_type == "ordinal_regression"
        else logits[task.name]
        for task in tasks
    }


def asking(task: TaskConfig, tasks: list[TaskConfig], label: int) -> list[bool]:
    """Which of the questions that depend on the task are asked after one of its labels."""
    return [bool(may_follow(each, task)[label].any()) for each in tasks if each.given and each.given.task == task.name]


def most_probable(logits: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, int]:
    """By trying all combinations of labels of one row."""
    scores = {task.name: task.kind.probabilities(logits[task.name][0], task).double() for task in tasks}
    best, found = -1.0, {}
    for labels in itertools.product(*(range(NOT_ASKED, len(task.labels or ())) for task in tasks)):
        combination = dict(zip(scores, labels, strict=True))
        probability = 1.0
        for task in tasks:
            label = combination[task.name]
            allowed = torch.ones(len(task.labels or ()), dtype=torch.bool)
            if task.given is not None:
                parent = next(each for each in tasks if each.name == task.given.task)
                above = combination[parent.name]
                allowed = may_follow(task, parent)[above] if above != NOT_ASKED else ~allowed
            if label == NOT_ASKED:
                probability *= float(not allowed.any())
            elif asking(task, tasks, label) != asking(task, tasks, int((scores[task.name] * allowed).argmax())):
                probability = 0.0  # whether a question is asked is for the most probable label to say
            else:
                probability *= float(allowed[label] * scores[task.name][label] / scores[task.name][allowed].sum())
        if probability > best:
            best, found = probability, combination
    return found


@pytest.mark.parametrize("tasks", [[DOMAIN, INTENT], [SENTIMENT, REASON], [SENTIMENT, REASON, HOW]], ids=len)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_no_other_labels_are_more_probable_together(tasks: list[TaskConfig], seed: int) -> None:
    logits = random_logits(tasks, 1, seed)

    decisions = decide(logits, tasks)

    assert {name: int(decision.chosen[0]) for name, decision in decisions.items()} == most_probable(logits, tasks)


def test_answers_never_contradict_each_other() -> None:
    tasks = [DOMAIN, INTENT, SENTIMENT, REASON]

    for row in answers(random_logits(tasks, 500, seed=0), tasks):
        assert PARENTS[row["intent"]["label"]] == row["domain"]["label"]
        assert (row["reason"]["label"] is None) == (row["sentiment"]["label"] == "positive")


def test_without_a_condition_the_same_heads_do_contradict() -> None:
    tasks = [DOMAIN, replace(INTENT, given=None)]

    rows = answers(random_logits(tasks, 500, seed=0), tasks)

    assert any(PARENTS[row["intent"]["label"]] != row["domain"]["label"] for row in rows)


def test_a_sure_label_carries_the_other_task_along() -> None:
    # The domain alone would be travel; the two intents of travel are equally likely, that of oos is certain.
    logits = {"domain": torch.tensor([[-9.0, 0.4, 0.0]]), "intent": torch.tensor([[-9.0, -9.0, 1.0, 1.0, 1.0]])}

    row = answers(logits, [DOMAIN, INTENT])[0]

    assert (row["domain"]["label"], row["intent"]["label"]) == ("oos", "none")


def test_the_most_probable_labels_are_found_where_every_probability_is_0_in_float32() -> None:
    # P72: bank · balance has a probability of 1 · 0.73, travel · visa one of exp(-150) · 1; but what the intent's head
    # gives to balance, of all intents, is exp(-199).
    travel_first = replace(DOMAIN, labels=["travel", "oos", "bank"])
    logits = {"domain": torch.tensor([[0.0, 0.0, 150.0]]), "intent": torch.tensor([[1.0, 0.0, 200.0, 0.0, 0.0]])}

    row = answers(logits, [travel_first, INTENT])[0]

    assert row["domain"] == {"label": "bank", "score": pytest.approx(1.0)}
    assert row["intent"] == {"label": "balance", "score": pytest.approx(torch.tensor(1.0).sigmoid().item())}


@pytest.mark.parametrize("temperature", [0.05, 0.001])
def test_heads_that_are_nearly_sure_do_not_contradict_each_other(temperature: float) -> None:
    # P72: 0.05 is the lowest temperature that is fitted.
    domain = replace(DOMAIN, labels=["oos", "travel", "bank"], temperature=temperature)
    tasks = [domain, replace(INTENT, temperature=temperature), replace(SENTIMENT, temperature=temperature), REASON, HOW]

    for row in answers(random_logits(tasks, 500, seed=0), tasks):
        assert PARENTS[row["intent"]["label"]] == row["domain"]["label"]
        assert (row["reason"]["label"] is None) == (row["sentiment"]["label"] == "positive")
        assert (row["how"]["label"] is None) == (row["reason"]["label"] in (None, "rude"))


def test_scores_are_probabilities_of_the_whole() -> None:
    tasks = [DOMAIN, INTENT, SENTIMENT, REASON]
    logits = random_logits(tasks, 50, seed=1)

    decisions = decide(logits, tasks)

    assert torch.allclose(decisions["intent"].scores.sum(dim=-1), torch.ones(50))
    # A reason is only asked for after a negative answer.
    negative = decisions["sentiment"].scores[:, 0]
    assert torch.allclose(decisions["reason"].scores.sum(dim=-1), negative)
    assert torch.allclose(decisions["reason"].scores, negative[:, None] * logits["reason"].softmax(dim=-1), atol=1e-6)


def test_a_question_that_is_not_asked_has_no_answer_and_says_how_sure_that_is() -> None:
    tasks = [SENTIMENT, REASON, TOOLS, DAMAGE]
    logits = {
        "sentiment": torch.tensor([[3.0], [-3.0]]),
        "reason": torch.tensor([[5.0, 0.0, 0.0]] * 2),
        "tools": torch.tensor([[2.0, -2.0]] * 2),
        "damage": torch.tensor([[7.5]] * 2),
    }

    positive, negative = answers(logits, tasks)

    sure = pytest.approx(torch.tensor(3.0).sigmoid().item(), abs=1e-6)
    assert positive == {
        "sentiment": {"label": "positive", "score": sure},
        "reason": {"label": None, "score": sure},
        "tools": [],
        "damage": {"score": None},
    }
    assert negative["reason"]["label"] == "broken"
    assert [each["label"] for each in negative["tools"]] == ["app"]
    assert negative["damage"] == {"score": 7.5}


def test_that_a_question_is_not_asked_is_one_of_all_its_answers() -> None:
    logits = {"sentiment": torch.tensor([[3.0]]), "reason": torch.tensor([[1.0, 0.0, -1.0]])}

    reasons = answers(logits, [SENTIMENT, REASON], top_k=None)[0]["reason"]

    assert [each["label"] for each in reasons] == [None, "broken", "dear", "rude"]
    assert sum(each["score"] for each in reasons) == pytest.approx(1)
    assert answers(logits, [SENTIMENT, REASON], top_k=1)[0]["reason"] == reasons[:1]


def test_an_unsure_answer_does_not_count_against_its_being_asked() -> None:
    unsure = TaskConfig(
        "reason", "single_label_classification", num_labels=20, given=GivenConfig("sentiment", labels=["negative"])
    )

    row = answers({"sentiment": torch.tensor([[-2.4]]), "reason": torch.zeros(1, 20)}, [SENTIMENT, unsure])[0]

    assert (row["sentiment"]["label"], row["reason"]["label"]) == ("negative", "LABEL_0")


@given(seed=st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_the_first_of_all_answers_is_the_answer(seed: int) -> None:
    tasks = [DOMAIN, INTENT, SENTIMENT, REASON]
    logits = random_logits(tasks, 20, seed)

    for row, first in zip(answers(logits, tasks), answers(logits, tasks, top_k=1), strict=True):
        assert {name: [each] for name, each in row.items()} == first


def test_what_depends_on_a_refused_answer_is_not_answered() -> None:
    tasks = [replace(SENTIMENT, abstain_below=0.9), REASON, DAMAGE]
    logits = {"sentiment": torch.tensor([[-1.0]]), "reason": torch.tensor([[9.0, 0, 0]]), "damage": torch.ones(1, 1)}

    row = answers(logits, tasks)[0]

    assert (row["sentiment"]["label"], row["reason"]["label"], row["damage"]["score"]) == (None, None, None)
    assert row["sentiment"]["score"] == pytest.approx(torch.tensor(1.0).sigmoid().item())


def test_several_leading_dimensions_are_taken() -> None:
    tasks = [DOMAIN, INTENT]
    logits = random_logits(tasks, 12, seed=2)

    decisions = decide({name: each.view(3, 4, -1) for name, each in logits.items()}, tasks)

    assert torch.equal(decisions["intent"].chosen.flatten(), decide(logits, tasks)["intent"].chosen)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([INTENT, DOMAIN], "none of the tasks before it"),
        ([replace(DOMAIN, labels=["bank", "travel"], num_labels=2), INTENT], "'oos' is not a label of 'domain'"),
        ([replace(TOOLS, name="domain", given=None), INTENT], "needs one label for each row"),
        ([DOMAIN, replace(INTENT, given=GivenConfig("domain", parents={"pin": "bank"}))], "name each label"),
        ([DOMAIN, replace(INTENT, given=GivenConfig("domain"))], "neither labels nor parents"),
        ([SENTIMENT, replace(DAMAGE, given=GivenConfig("sentiment", parents={"a": "negative"}))], "parents: is for"),
        ([replace(SENTIMENT, thresholds=[0.4]), REASON], "thresholds do not apply"),
    ],
)
def test_tasks_that_cannot_depend_on_each_other_are_refused(tasks: list[TaskConfig], message: str) -> None:
    with pytest.raises(StrictDataclassError, match=message):
        MultiTaskConfig(backbone_config={"model_type": "bert"}, tasks=tasks)


def test_a_condition_says_one_thing() -> None:
    with pytest.raises(StrictDataclassError, match="not both"):
        GivenConfig("domain", labels=["bank"], parents={"pin": "bank"})


def test_a_condition_survives_the_configuration_file(tmp_path: Any) -> None:
    MultiTaskConfig(backbone_config={"model_type": "bert"}, tasks=[DOMAIN, INTENT]).save_pretrained(tmp_path)

    assert MultiTaskConfig.from_pretrained(tmp_path).tasks == [DOMAIN, INTENT]
