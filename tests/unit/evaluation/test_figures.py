"""Figures of a report: they equal those of scikit-learn and scipy on the labelled rows, and have intervals."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import NOT_ASKED, Decision
from modeling_multitask.evaluation.figures import task_figures as measured_figures
from modeling_multitask.evaluation.intervals import FEWEST_ROWS_OF, f1, percentiles, share
from modeling_multitask.problem_types_multitask import SECOND_NAMES
from modeling_multitask.tasks_multitask import GivenConfig
from modeling_multitask.training.metrics import decide_arrays, multi_task_metrics, part_of
from tests.deciding import decision_of, predicted

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone", "never"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud", "odd"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine", "best"])
RATING = TaskConfig("rating", "regression")

task_figures = partial(measured_figures, resamples=100)


def rows_of(task: TaskConfig, count: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, labels of which a third is missing, and which are there."""
    rng = np.random.default_rng(0)
    logits = -np.sort(-rng.normal(size=(count, task.num_logits)), axis=1)
    if task.problem_type == "regression":
        labels = (logits[:, 0] + rng.normal(size=count)).astype(np.float32)
        labels[rng.random(count) < 0.3] = np.nan
        return logits, labels, ~np.isnan(labels)
    shape = logits.shape if task.problem_type == "multi_label_classification" else (count,)
    classes = {"multi_label_classification": 2, "binary_classification": 2}.get(task.problem_type, 3)
    labels = rng.integers(classes, size=shape)
    labels[rng.random(shape) < 0.3] = -100
    return logits, labels, labels >= 0


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_figures_of_classes_are_those_of_scikit_learn(task: TaskConfig) -> None:
    logits, labels, there = rows_of(task)
    truth, answers = labels[there], predicted(logits, task)[there]

    figures = task_figures(task, decision_of(task, logits), labels).figures

    assert figures["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))
    for average in ("macro", "weighted"):
        assert figures[f"{average}_f1"].value == pytest.approx(metrics.f1_score(truth, answers, average=average))
    if task is GRADE:
        kappa = metrics.cohen_kappa_score(truth, answers, labels=range(4), weights="quadratic")
        assert figures["kappa"].value == pytest.approx(kappa)
        assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, answers))


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_each_class_has_the_figures_of_scikit_learns_report(task: TaskConfig) -> None:
    logits, labels, there = rows_of(task)
    answers, ids = predicted(logits, task), list(range(len(task.labels)))
    expected: Any = metrics.classification_report(
        labels[there], answers[there], labels=ids, target_names=task.labels, output_dict=True, zero_division=0
    )

    found = task_figures(task, decision_of(task, logits), labels)

    for label in task.labels:
        figures = found.classes[label]
        assert [figures.precision.value, figures.recall.value, figures.f1.value, figures.support] == pytest.approx(
            [expected[label][name] for name in ("precision", "recall", "f1-score", "support")]
        )
    assert (found.confusion[:, :-1] == metrics.confusion_matrix(labels[there], answers[there], labels=ids)).all()
    assert not found.confusion[:, -1].any()


def test_figures_of_several_labels_are_those_of_scikit_learn_position_by_position() -> None:
    logits, labels, there = rows_of(TAGS)
    answers, scores = predicted(logits, TAGS), 1 / (1 + np.exp(-logits))

    found = task_figures(TAGS, decision_of(TAGS, logits), labels)

    columns = [(labels[m, i], answers[m, i], scores[m, i]) for i, m in enumerate(there.T)]
    f1 = [metrics.f1_score(truth, given) for truth, given, _ in columns]
    precision = [metrics.average_precision_score(truth, score) for truth, _, score in columns]
    assert [each.f1.value for each in found.classes.values()] == pytest.approx(f1)
    assert found.figures["macro_f1"].value == pytest.approx(np.mean(f1))
    assert found.figures["micro_f1"].value == pytest.approx(metrics.f1_score(labels[there], answers[there]))
    assert found.figures["average_precision"].value == pytest.approx(np.mean(precision))
    assert found.figures["accuracy"].value == pytest.approx((labels == answers)[there].mean())


def test_figures_of_numbers_are_those_of_scipy_and_scikit_learn() -> None:
    logits, labels, there = rows_of(RATING)

    figures = task_figures(RATING, decision_of(RATING, logits), labels).figures

    truth, answers = labels[there], logits[there, 0]
    assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, answers))
    assert figures["rmse"].value == pytest.approx(metrics.root_mean_squared_error(truth, answers))
    assert figures["spearman"].value == pytest.approx(stats.spearmanr(truth, answers).statistic)
    assert figures["r2"].value == pytest.approx(metrics.r2_score(truth, answers))


def test_each_of_several_labels_has_its_rows_with_yes_with_no_and_with_nothing() -> None:
    labels = np.array([[1, 0, -100], [1, -100, 0], [0, -100, 0], [-100, -100, -100]])

    classes = task_figures(TAGS, decision_of(TAGS, np.zeros((4, 3))), labels).classes

    counts = {label: (each.yes, each.no, each.nothing) for label, each in classes.items()}
    assert counts == {"long": (2, 1, 1), "loud": (0, 1, 3), "odd": (0, 2, 2)}


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE, RATING], ids=lambda task: task.name)
def test_every_figure_lies_in_its_interval_and_comes_again_with_the_seed(task: TaskConfig) -> None:
    logits, labels, there = rows_of(task)

    found = task_figures(task, decision_of(task, logits), labels, seed=3)

    assert found.rows == there.reshape(len(there), -1).any(axis=1).sum()
    assert found.all_rows == len(labels)
    shown = {name: each for name, each in found.figures.items() if name not in FEWEST_ROWS_OF}
    assert all(low < value < high for value, low, high in shown.values())
    assert found.figures == task_figures(task, decision_of(task, logits), labels, seed=3).figures


def test_the_interval_is_as_wide_as_that_of_a_binomial_share() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=1_000)
    logits = np.where(rng.random(1_000) < 0.8, 2 * labels - 1, 1 - 2 * labels)[:, None].astype(float)

    accuracy = measured_figures(LIKED, decision_of(LIKED, logits), labels).figures["accuracy"]

    expected = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / 1_000)
    assert (accuracy.high - accuracy.low) / 2 == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("hits", "rows"), [(3, 3), (0, 5), (17, 20), (598, 598)])
def test_a_share_has_wilsons_interval(hits: int, rows: int) -> None:
    z, p = stats.norm.ppf(0.975), hits / rows
    centre, half = p + z**2 / (2 * rows), z * np.sqrt(p * (1 - p) / rows + z**2 / (4 * rows**2))

    assert share(hits, rows) == pytest.approx(
        (p, (centre - half) / (1 + z**2 / rows), (centre + half) / (1 + z**2 / rows))
    )


def test_a_share_of_no_rows_has_no_interval() -> None:
    assert share(0, 0) == (0.0, None, None)


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE], ids=lambda task: task.name)
def test_no_interval_has_the_width_0_or_leaves_the_range_if_all_answers_are_right(task: TaskConfig) -> None:
    # 80 right answers have a bootstrap interval from 1 to 1 without imagined rows.
    logits, labels, _ = rows_of(task)
    answers = np.where(labels >= 0, labels, 0)
    decision = decision_of(task, logits)._replace(chosen=answers)

    found = task_figures(task, decision, labels).figures

    known = {name: each for name, each in found.items() if each.low is not None}
    assert {*task.kind.metrics} - {*SECOND_NAMES} <= {*known}
    for name, (value, low, high) in known.items():
        assert -1 <= low < high <= (1 if name != "mae" else len(task.labels))
        assert low <= value <= high


@pytest.mark.parametrize("task", [TOPIC, TAGS, GRADE, RATING], ids=lambda task: task.name)
def test_fewer_than_10_rows_have_no_bootstrap_interval(task: TaskConfig) -> None:
    logits, labels, _ = rows_of(task, count=9)

    figures = task_figures(task, decision_of(task, logits), labels).figures

    shares = ("accuracy",) if task.kind.one_label else ("subset_accuracy",)
    assert {name for name, each in figures.items() if each.low is not None} == {*shares} & {*figures}


def test_macro_f1_has_an_interval_from_50_rows() -> None:
    logits, labels, _ = rows_of(TOPIC, count=200)
    decision, rows = decision_of(TOPIC, logits), np.flatnonzero(labels >= 0)

    def low(count: int) -> float | None:
        some = rows[:count]
        return task_figures(TOPIC, part_of(decision, some), labels[some]).figures["macro_f1"].low

    assert low(49) is None
    assert low(50) is not None


def test_the_f1_of_a_class_has_the_interval_of_its_share_of_hits() -> None:
    # 6 of 10 rows of a label are hits, and 2 other rows get the label: J is 6/12, and F1 = 2 J / (1 + J).
    figure = f1(6, 8, 10)

    assert figure.value == pytest.approx(12 / 18)
    assert [each / (2 - each) for each in figure] == pytest.approx(share(6, 12))
    assert f1(0, 0, 0) == (0.0, None, None)


def test_equal_resamples_have_no_interval() -> None:
    assert percentiles(1.0, np.ones(50)) == (1.0, None, None)
    assert percentiles(float("nan"), np.arange(50.0))[1:] == (None, None)


def test_the_interval_of_numbers_is_expanded_for_few_rows() -> None:
    # For a mean, the expanded interval is about that of Student's t.
    rng = np.random.default_rng(0)
    errors = np.abs(rng.normal(size=20)) + 1
    decision = Decision(errors[:, None], errors, np.ones(20, dtype=bool))

    found = measured_figures(RATING, decision, np.zeros(20), resamples=20_000).figures["mae"]

    expected = stats.t.interval(0.95, 19, loc=errors.mean(), scale=errors.std(ddof=1) / np.sqrt(20))
    assert (found.low, found.high) == pytest.approx(expected, rel=0.02)


def test_a_task_without_labelled_rows_has_no_figures() -> None:
    found = task_figures(TOPIC, decision_of(TOPIC, np.zeros((3, 4), np.float32)), np.full(3, -100))

    assert (found.rows, found.all_rows, found.figures, found.classes) == (0, 3, {}, {})


def unanswered(task: TaskConfig, share: float) -> tuple[Decision, np.ndarray, np.ndarray]:
    """A decision in which so many rows have no answer; the labels, and which are there."""
    logits, labels, there = rows_of(task)
    decision = decision_of(task, logits)
    asked = np.random.default_rng(1).random(len(labels)) >= share
    return Decision(decision.scores, np.where(asked, decision.chosen, NOT_ASKED), asked), labels, there


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_the_last_column_of_the_confusion_is_that_of_rows_without_an_answer(task: TaskConfig) -> None:
    decision, labels, there = unanswered(task, 0.3)
    truth, answers = labels[there], decision.chosen[there]
    ids = range(len(task.labels))

    confusion = task_figures(task, decision, labels).confusion

    assert confusion.sum() == there.sum()
    assert confusion[:, -1].tolist() == [((truth == label) & (answers == NOT_ASKED)).sum() for label in ids]
    answered = answers != NOT_ASKED
    assert (confusion[:, :-1] == metrics.confusion_matrix(truth[answered], answers[answered], labels=ids)).all()


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_rows_without_an_answer_are_wrong_in_the_figures_of_scikit_learn(task: TaskConfig) -> None:
    decision, labels, there = unanswered(task, 0.3)
    truth, answers = labels[there], decision.chosen[there]
    occurring = sorted({*truth, *answers} - {NOT_ASKED})

    found = task_figures(task, decision, labels)

    assert found.figures["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))
    for average in ("macro", "weighted"):
        expected = metrics.f1_score(truth, answers, average=average, labels=occurring)
        assert found.figures[f"{average}_f1"].value == pytest.approx(expected)
    recalls = metrics.recall_score(truth, answers, average=None, labels=occurring, zero_division=0)
    assert [found.classes[task.labels[i]].recall.value for i in occurring] == pytest.approx(recalls)


def test_a_row_without_an_answer_has_the_largest_error_of_rank() -> None:
    decision, labels, there = unanswered(GRADE, 0.3)
    truth, answers = labels[there], decision.chosen[there]
    answers = np.where(answers == NOT_ASKED, np.where(truth < 2, 3, 0), answers)

    figures = task_figures(GRADE, decision, labels).figures

    assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, answers))
    kappa = metrics.cohen_kappa_score(truth, answers, labels=range(4), weights="quadratic")
    assert figures["kappa"].value == pytest.approx(kappa)


def test_where_no_row_has_an_answer_nothing_is_right() -> None:
    figures = task_figures(GRADE, *unanswered(GRADE, 1.0)[:2]).figures

    assert [figures[name].value for name in ("accuracy", "macro_f1", "weighted_f1")] == [0.0] * 3
    assert figures["kappa"].value < 0
    assert 2 <= figures["mae"].value <= 3


def test_the_figures_of_a_dependent_task_are_those_of_training() -> None:
    logits, labels, _ = rows_of(TOPIC)
    parent = TaskConfig("asked", "binary_classification", labels=["no", "yes"])
    child = replace(TOPIC, given=GivenConfig("asked", labels=["yes"]))
    asked = np.random.default_rng(1).normal(size=(len(labels), 1))
    both = {"asked": asked, "topic": logits}

    found = task_figures(child, decide_arrays(both, [parent, child])["topic"], labels).figures

    truths = {"asked": np.full(len(labels), -100), "topic": labels}
    expected = multi_task_metrics(both, truths, [parent, child])["topic"]
    assert {name: found[name].value for name in ("accuracy", "macro_f1")} == pytest.approx(
        {name: expected[name] for name in ("accuracy", "macro_f1")}
    )
