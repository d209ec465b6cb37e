"""The demo's answers to a text: every score, the answer, and the reason for a missing answer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskPipeline, TaskConfig
from modeling_multitask.publishing.demo.task_answers import TaskAnswer, answer_text, task_answer
from tests.conftest import tasks_of_each_type, tiny_bert_config

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "phone"]}
BROKEN = {"name": "broken", "problem_type": "binary_classification", "labels": ["no", "yes"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
PRICE = {"name": "price", "problem_type": "regression"}
GRADE = {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]}
PHONE = {"task": "topic", "labels": ["phone"]}

Ask = Callable[..., dict[str, TaskAnswer]]


def classify_with(
    tokenizer: PreTrainedTokenizerBase, *tasks: dict[str, Any], **logits: list[float]
) -> MultiTaskPipeline:
    """The pipeline of a model whose logits are what is said, whatever the text."""
    head = {"hidden_sizes": []}
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks), head=head, max_length=16)
    model = MultiTaskModel(config).eval()
    for name, numbers in logits.items():
        layer = getattr(model.heads, name)[-1]
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor(numbers)
    return MultiTaskPipeline(model=model, tokenizer=tokenizer)


@pytest.fixture
def ask(tokenizer: PreTrainedTokenizerBase) -> Ask:
    """The answers of such a model."""

    def answers(*tasks: dict[str, Any], **logits: list[float]) -> dict[str, TaskAnswer]:
        answered = answer_text(classify_with(tokenizer, *tasks, **logits), "the film")
        return {answer.name: answer for answer in answered.tasks}

    return answers


def scores(answer: TaskAnswer) -> list[tuple[str | None, float]]:
    return [(option.label, round(option.score, 2)) for option in answer.options]


def given(answer: TaskAnswer) -> list[str | None]:
    return [option.label for option in answer.given]


def test_the_answer_comes_with_the_scores_of_all_labels(ask: Ask) -> None:
    answer = ask(TOPIC, topic=[0.0, 2.0])["topic"]

    assert scores(answer) == [("phone", 0.88), ("film", 0.12)]
    assert (given(answer), answer.note) == (["phone"], "")


def test_a_binary_task_has_the_threshold_that_it_was_given(ask: Ask) -> None:
    answer = ask({**BROKEN, "thresholds": [0.7]}, broken=[0.5])["broken"]

    assert [(option.label, option.threshold) for option in answer.options] == [("no", None), ("yes", 0.7)]
    assert given(answer) == ["no"]  # though yes scores 0.62


def test_each_of_several_labels_has_its_threshold(ask: Ask) -> None:
    answer = ask({**TAGS, "thresholds": [0.4, 0.9]}, tags=[0.0, 1.0])["tags"]

    assert [(option.label, option.threshold) for option in answer.options] == [("loud", 0.9), ("long", 0.4)]
    assert given(answer) == ["long"]  # 0.50; loud scores 0.73


def test_without_thresholds_half_is_enough_of_several_labels(ask: Ask) -> None:
    answer = ask(TAGS, tags=[-1.0, 1.0])["tags"]

    assert {option.threshold for option in answer.options} == {0.5}
    assert given(answer) == ["loud"]


def test_none_of_several_labels_is_an_answer_too(ask: Ask) -> None:
    answer = ask(TAGS, tags=[-1.0, -1.0])["tags"]

    assert (given(answer), answer.asked, answer.note) == ([], True, "")


def test_a_regression_is_a_number(ask: Ask) -> None:
    answer = ask(PRICE, price=[1.5])["price"]

    assert (answer.number, answer.options) == (1.5, [])


def test_ordered_labels_stay_in_their_order(ask: Ask) -> None:
    answer = ask(GRADE)["grade"]

    assert [option.label for option in answer.options] == ["poor", "fair", "fine"]
    assert len(answer.given) == 1


def test_a_score_that_is_too_low_is_said_beside_what_it_should_be(ask: Ask) -> None:
    answer = ask({**TOPIC, "abstain_below": 0.9}, topic=[0.0, 2.0])["topic"]

    assert answer.note == "no answer: score 0.88 is below 0.90"
    assert (given(answer), answer.asked, scores(answer)[0]) == ([], True, ("phone", 0.88))


def test_a_refused_median_is_said_with_its_own_score() -> None:
    task = TaskConfig(**GRADE, abstain_below=0.3)
    ranked = [{"label": label, "score": score} for label, score in (("poor", 0.4), ("fine", 0.35), ("fair", 0.25))]

    assert task_answer(task, {"label": None, "score": 0.25}, ranked).note == "no answer: score 0.25 is below 0.30"


def test_a_score_just_below_the_limit_has_the_digits_that_show_it(ask: Ask) -> None:
    answer = ask({**TOPIC, "abstain_below": 0.881}, topic=[0.0, 2.0])["topic"]  # scores 0.8808

    assert answer.note == "no answer: score 0.8808 is below 0.8810"


def test_of_an_answer_refused_by_its_energy_the_least_energy_is_told(ask: Ask) -> None:
    answer = ask({**TOPIC, "abstain_below": 50.0, "abstain_by": "energy"}, topic=[0.0, 2.0])["topic"]

    assert answer.note == "no answer: the energy of its logits is below 50.00"


@pytest.mark.parametrize("task", [BROKEN, TAGS, PRICE])
def test_a_question_that_is_not_asked_says_what_it_is_asked_of(ask: Ask, task: dict[str, Any]) -> None:
    answer = ask(TOPIC, {**task, "given": PHONE}, topic=[2.0, 0.0])[task["name"]]

    assert (answer.note, answer.asked, answer.number) == ("not asked: topic is not phone", False, None)
    assert given(answer) == []


def test_a_question_asked_after_several_answers_says_which_one_there_was(ask: Ask) -> None:
    topic = {**TOPIC, "labels": ["film", "phone", "food"]}
    task = {**BROKEN, "given": {"task": "topic", "labels": ["phone", "food"]}}

    assert ask(topic, task, topic=[2.0, 0.0, 0.0])["broken"].note == "not asked: topic is film"


def test_that_the_question_is_not_asked_is_among_the_scores(ask: Ask) -> None:
    answer = ask(TOPIC, {**BROKEN, "given": PHONE}, topic=[2.0, 0.0])["broken"]

    assert scores(answer)[0] == (None, 0.88)


@pytest.mark.parametrize("task", [BROKEN, TAGS, PRICE])
def test_where_the_answer_above_is_withheld_that_is_the_reason(ask: Ask, task: dict[str, Any]) -> None:
    above = {**TOPIC, "abstain_below": 0.9}
    answer = ask(above, {**task, "given": PHONE}, topic=[0.0, 2.0])[task["name"]]

    assert (answer.note, answer.asked) == ("no answer: topic has no answer", True)


def test_what_depends_on_a_question_that_is_not_asked_is_not_asked_either(ask: Ask) -> None:
    below = {**PRICE, "given": {"task": "broken", "labels": ["yes"]}}
    answers = ask(TOPIC, {**BROKEN, "given": PHONE}, below, topic=[2.0, 0.0])

    assert (answers["price"].note, answers["price"].asked) == ("not asked: broken is not asked", False)


def test_plain_answers_and_the_embedding_are_those_of_the_pipeline(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    classify = MultiTaskPipeline(model=model, tokenizer=tokenizer)

    answered = answer_text(classify, "the film was good")

    assert answered.plain == classify("the film was good")
    assert answered.embedding.tolist() == classify("the film was good", return_embedding=True)["embedding"]
    assert [answer.name for answer in answered.tasks] == [task["name"] for task in tasks_of_each_type()]
