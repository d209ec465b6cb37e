"""The comparison of two models: each figure again by scikit-learn, scipy or numpy, and what is left out."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.comparison import (
    ModelComparison,
    TaskComparison,
    compare,
    comparison_as_json,
    difference_table,
)
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.training.metric_names import LESS_IS_BETTER
from tests.unit.evaluation.two_models import (
    GRADE,
    LIKED,
    RATING,
    ROWS,
    TAGS,
    TASKS,
    TOPIC,
    answering,
    judged_rows,
    with_labels,
)

Figure = Callable[[np.ndarray, np.ndarray], float]
compared_with = partial(compare, name="old", resamples=20)  # only the intervals need more
each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
OF_CLASSES: dict[str, Figure] = {
    "accuracy": metrics.accuracy_score,
    "macro_f1": partial(metrics.f1_score, average="macro"),
    "weighted_f1": partial(metrics.f1_score, average="weighted"),
}
EXPECTED: dict[str, dict[str, Figure]] = {
    "topic": OF_CLASSES,
    "liked": OF_CLASSES,
    "grade": {
        **OF_CLASSES,
        "mae": metrics.mean_absolute_error,
        "kappa": partial(metrics.cohen_kappa_score, weights="quadratic"),
    },
    "rating": {
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
        "r2": metrics.r2_score,
        "spearman": lambda truth, given: stats.spearmanr(truth, given).statistic,
    },
}


@pytest.fixture(scope="module")
def pair() -> tuple[Judged, Judged]:
    """The model and the other one."""
    return judged_rows(seed=1), judged_rows(seed=2)


@pytest.fixture(scope="module")
def comparison(pair: tuple[Judged, Judged]) -> ModelComparison:
    return compared_with(*pair)


def task_of(comparison: ModelComparison, name: str) -> TaskComparison:
    return next(each for each in comparison.tasks if each.task.name == name)


def truth_and_answers(judged: Judged, task: TaskConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels, the answers and the places of the labelled rows of a task that has no several labels."""
    labels = judged.labels[task.name]
    rows = np.flatnonzero(~np.isnan(labels) if task is RATING else labels >= 0)
    return labels[rows], judged.decisions[task.name].chosen[rows], rows


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE, RATING], ids=lambda task: task.name)
def test_both_values_and_their_difference_are_those_of_scikit_learn_and_scipy(
    pair: tuple[Judged, Judged], comparison: ModelComparison, task: TaskConfig
) -> None:
    own = task_of(comparison, task.name)
    (truth, model, _), (_, other, _) = (truth_and_answers(judged, task) for judged in pair)

    expected = {name: (figure(truth, model), figure(truth, other)) for name, figure in EXPECTED[task.name].items()}

    assert own.rows == len(truth)
    assert set(own.figures) == set(expected)
    for name, (value, other_value) in expected.items():
        sign = -1 if name in LESS_IS_BETTER else 1
        found = [each.value for each in own.figures[name]]
        assert found == pytest.approx([value, other_value, sign * (value - other_value)], rel=1e-5, abs=1e-9), name


def test_several_labels_are_compared_as_by_scikit_learn(
    pair: tuple[Judged, Judged], comparison: ModelComparison
) -> None:
    labels = pair[0].labels["tags"]
    present, columns = labels >= 0, range(3)
    expected: dict[str, list[float]] = {"micro_f1": [], "macro_f1": [], "subset_accuracy": [], "accuracy": []}
    for judged in pair:
        given = judged.decisions["tags"].chosen
        expected["micro_f1"].append(metrics.f1_score(labels[present], given[present]))
        f1 = [metrics.f1_score(labels[present[:, i], i], given[present[:, i], i]) for i in columns]
        expected["macro_f1"].append(float(np.mean(f1)))
        filled, rows = np.where(present, labels, given), present.any(axis=1)
        expected["subset_accuracy"].append(metrics.accuracy_score(filled[rows], given[rows]))
        expected["accuracy"].append(metrics.accuracy_score(labels[present], given[present]))

    found = task_of(comparison, "tags").figures

    for name, (value, other) in expected.items():
        assert [each.value for each in found[name]] == pytest.approx([value, other, value - other]), name


def test_the_interval_of_numbers_is_that_of_a_paired_bootstrap_by_numpy(pair: tuple[Judged, Judged]) -> None:
    truth, model, _ = truth_and_answers(pair[0], RATING)
    gains = np.abs(truth_and_answers(pair[1], RATING)[1] - truth) - np.abs(model - truth)
    drawn = gains[np.random.default_rng(5).integers(len(gains), size=(4_000, len(gains)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])

    found = task_of(compare(*pair, name="old", resamples=2_000), "rating").figures["mae"].improvement

    assert (found.low, found.high) == pytest.approx((low, high), abs=0.08 * (high - low))  # the noise of resamples


def test_the_interval_is_narrower_than_that_of_unpaired_answers() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    right = np.where(rng.random(200) < 0.8, labels, (labels + 1) % 3)  # the other model has ten more errors
    found = compare(
        answering(TOPIC, right.tolist(), labels),
        answering(TOPIC, np.where(np.arange(200) < 10, 0, right).tolist(), labels),
        name="old",
    )

    accuracy = found.tasks[0].figures["accuracy"]

    widths = [float(each.high or 0) - float(each.low or 0) for each in accuracy]
    assert widths[2] < 0.6 * min(widths[:2])


def test_swapped_models_swap_the_sign_and_the_better_answers(
    pair: tuple[Judged, Judged], comparison: ModelComparison
) -> None:
    for own, back in zip(comparison.tasks, compared_with(*pair[::-1]).tasks, strict=True):
        values = {name: -each.improvement.value for name, each in back.figures.items()}
        assert {name: each.improvement.value for name, each in own.figures.items()} == pytest.approx(values)
        assert [each.better == "model" for each in own.differences].count(True) == [
            each.better == "other" for each in back.differences
        ].count(True)


@each_task
def test_a_model_is_not_better_than_itself(pair: tuple[Judged, Judged], task: TaskConfig) -> None:
    own = task_of(compared_with(pair[0], pair[0]), task.name)

    assert {each.improvement.value for each in own.figures.values()} == {0.0}
    assert (own.verdict, own.differences) == ("no clear difference", [])


@pytest.mark.parametrize(("right", "verdict"), [(True, "better"), (False, "worse")])
def test_a_model_that_is_right_more_often_is_better(right: bool, verdict: str) -> None:
    labels = [0, 1, 2] * 40
    models = answering(TOPIC, labels, labels), answering(TOPIC, [0] * 120, labels)

    found = compare(*(models if right else models[::-1]), name="old", resamples=200)

    assert found.tasks[0].verdict == verdict


def test_lower_errors_are_an_improvement() -> None:
    labels = np.random.default_rng(0).normal(size=60)
    rating = replace(RATING, metric="mae")

    found = compare(answering(rating, labels.tolist(), labels), answering(rating, [0.0] * 60, labels), name="old")

    assert found.tasks[0].figures["mae"].improvement.value == pytest.approx(np.abs(labels).mean(), rel=1e-6)
    assert found.tasks[0].verdict == "better"


def test_few_rows_have_no_interval_and_no_clear_difference() -> None:
    labels = [0, 1, 2] * 3
    found = compared_with(answering(TOPIC, labels, labels), answering(TOPIC, [0] * 9, labels)).tasks[0]

    assert [each.improvement.low for each in found.figures.values()] == [None] * 3
    assert found.verdict == "no clear difference"


@pytest.mark.parametrize("task", [TOPIC, RATING], ids=lambda task: task.name)
def test_slices_have_the_improvement_on_their_rows(
    pair: tuple[Judged, Judged], comparison: ModelComparison, task: TaskConfig
) -> None:
    figure: Any = metrics.mean_absolute_error if task is RATING else metrics.accuracy_score
    (truth, model, rows), (_, other, _) = (truth_and_answers(judged, task) for judged in pair)

    slices = {each.name: each for each in task_of(comparison, task.name).by_source}

    assert set(slices) == {"a.csv", "b.csv"}
    for name, own in slices.items():
        there = np.array(pair[0].sources)[rows] == name
        gain = figure(truth[there], model[there]) - figure(truth[there], other[there])
        assert own.rows == there.sum()
        assert own.figure.value == pytest.approx(-gain if task is RATING else gain, rel=1e-5)


@each_task
def test_slices_by_length_and_by_pattern_hold_every_row_once(comparison: ModelComparison, task: TaskConfig) -> None:
    own = task_of(comparison, task.name)

    assert {sum(each.rows for each in slices) for slices in (own.by_length, own.by_pattern)} == {own.rows}


def test_labels_are_matched_by_name_and_not_by_id(pair: tuple[Judged, Judged]) -> None:
    model = replace(judged_rows([TOPIC], seed=1))
    order = [2, 0, 1]
    renamed = with_labels(TOPIC, *(TOPIC.labels[i] for i in order))  # type: ignore[index]
    other = replace(model, tasks=[renamed], logits={"topic": model.logits["topic"][:, order]})

    assert compared_with(model, other).tasks[0].differences == []


def test_rows_of_a_label_that_one_model_lacks_are_left_out_and_counted() -> None:
    labels = [0] * 30 + [1] * 30 + [2] * 7 + [-100] * 5
    model = answering(TOPIC, [0] * 72, labels)
    other = answering(with_labels(TOPIC, "film", "food", "music"), [0] * 72, labels)

    found = compared_with(model, other, unknown={"topic": {"music": 5}})

    own = found.tasks[0]
    assert (own.task.labels, own.rows, own.left_out) == (["film", "food"], 60, {"phone": 7, "music": 5})
    assert found.notes == [
        "The task 'topic' is compared without the labels that only this model has: 'phone' (7 rows)",
        "The task 'topic' is compared without the labels that only the other model has: 'music' (5 rows)",
    ]


def test_an_answer_that_the_other_model_does_not_have_is_wrong() -> None:
    labels = [0, 1] * 30
    model = answering(TOPIC, [2, 1] * 30, labels)  # phone, food
    other = answering(with_labels(TOPIC, "film", "food"), labels, labels)

    own = compared_with(model, other).tasks[0]

    # Of the shared labels, film is never given: its F1 is 0, and phone is no class of the mean.
    assert [each.value for each in own.figures["accuracy"]] == [0.5, 1.0, -0.5]
    assert [each.value for each in own.figures["macro_f1"]] == [0.5, 1.0, -0.5]
    assert {(each.label, each.answer, each.other_answer, each.better) for each in own.differences} == {
        ("film", "phone", "film", "other")
    }


def test_columns_of_labels_that_one_model_lacks_are_not_compared() -> None:
    model, other = judged_rows([TAGS], seed=1), judged_rows([with_labels(TAGS, "loud", "new")], seed=2)

    found = compared_with(model, other)

    labels = model.labels["tags"]
    own, present = found.tasks[0], labels[:, 1] >= 0
    truth, given = labels[present, 1], model.decisions["tags"].chosen[present, 1]
    assert (own.task.labels, own.rows) == (["loud"], present.sum())
    assert own.figures["micro_f1"].model.value == pytest.approx(metrics.f1_score(truth, given))
    assert own.left_out == {"long": (labels[:, 0] == 1).sum(), "odd": (labels[:, 2] == 1).sum(), "new": 0}


def test_withheld_answers_are_compared_with_a_note() -> None:
    labels = [0, 1, 2] * 20
    careful = replace(TOPIC, abstain_below=0.99)

    found = compared_with(answering(careful, labels, labels), answering(TOPIC, labels, labels))

    assert found.notes == ["The task 'topic' is compared with the withheld answers"]
    assert found.tasks[0].differences == []


def test_a_task_without_a_row_to_compare_has_no_figures() -> None:
    found = compared_with(answering(TOPIC, [0, 1], [-100, -100]), answering(TOPIC, [1, 1], [-100, -100]))

    own = found.tasks[0]
    assert (own.rows, own.figures, own.main, own.verdict) == (0, {}, None, "no clear difference")


def test_models_without_a_common_task_are_an_error() -> None:
    with pytest.raises(ValueError, match="nothing can be compared with old: Only this model has the task 'topic'"):
        compared_with(answering(TOPIC, [0], [0]), answering(RATING, [0.5], [0.5]))


def test_other_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="not judged on the same rows"):
        compared_with(answering(TOPIC, [0], [0]), answering(TOPIC, [0, 1], [0, 1]))


def test_figures_in_json_have_value_low_and_high(comparison: ModelComparison) -> None:
    content = comparison_as_json(comparison)

    assert content is not None
    own = content["tasks"]["topic"]
    assert (content["other"], own["main_figure"]) == ("old", "macro_f1")
    assert own["verdict"] == task_of(comparison, "topic").verdict
    assert set(own["figures"]["accuracy"]) == {"model", "other", "improvement"}
    assert own["different"]["rows"] == len(task_of(comparison, "topic").differences)
    assert own["different"]["rows"] == sum(own["different"][name] for name in ("model", "other", "neither"))
    assert len(own["differences"]) == 20


def test_the_table_has_every_row_with_different_answers(comparison: ModelComparison) -> None:
    header, *lines = difference_table(comparison)

    count = sum(len(each.differences) for each in comparison.tasks)
    assert len(lines) == count > ROWS
    assert header[:4] == ["task", "row", "text", "label"]
    first = next(dict(zip(header, line, strict=True)) for line in lines if line[0] == "rating")
    assert (first["text"], first["score"]) == (f"text {first['row'] - 1}", "")  # rows count from 1
