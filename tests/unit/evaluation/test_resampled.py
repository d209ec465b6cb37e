"""Main metrics on resampled rows: their values are those of an evaluation, and models on the same rows are paired."""

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.intervals import over_seeds, percentiles
from modeling_multitask.evaluation.resampled import (
    Resampled,
    SplitFigures,
    TaskAnswers,
    difference,
    main_figures,
    mean_over_seeds,
    rows_digest,
)
from modeling_multitask.training.metrics import TaskMetric, score_of

ROWS = 300
LABELS = ["a", "b", "c"]


def answered(problem_type: str, metric: str, *, seed: int = 0, rows: int = ROWS) -> TaskAnswers:
    """Answers to a task of which a tenth of the rows have no label. About four fifths are right."""
    rng = np.random.default_rng(seed)
    task = TaskConfig("task", problem_type, labels=None if problem_type == "regression" else LABELS, metric=metric)
    missing = rng.random(rows) < 0.1
    if problem_type == "regression":
        labels = rng.normal(size=rows)
        return TaskAnswers(task, np.where(missing, np.nan, labels), labels + 0.5 * rng.normal(size=rows))
    several = problem_type == "multi_label_classification"
    labels = rng.integers(0, 2 if several else 3, size=(rows, 3) if several else rows)
    other = 1 - labels if several else (labels + 1) % 3
    chosen = np.where(rng.random(labels.shape) < 0.8, labels, other)
    return TaskAnswers(task, np.where(missing[:, None] if several else missing, -100, labels), chosen)


def figures(*answers: TaskAnswers, **settings: int) -> SplitFigures:
    found = main_figures(answers, **settings)
    assert found is not None
    return found


def width(of: Resampled) -> float:
    found = mean_over_seeds([of])
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


@pytest.mark.parametrize(
    ("problem_type", "metric"),
    [
        *(("single_label_classification", name) for name in ("accuracy", "macro_f1")),
        *(("multi_label_classification", name) for name in ("micro_f1", "macro_f1", "subset_accuracy", "accuracy")),
        *(("ordinal_regression", name) for name in ("accuracy", "mae", "kappa", "macro_f1")),
        *(("regression", name) for name in ("mae", "rmse", "r2", "spearman")),
    ],
)
def test_the_value_and_the_score_are_those_of_an_evaluation(problem_type: str, metric: str) -> None:
    answers = answered(problem_type, metric)

    found = figures(answers, resamples=50)

    expected = TaskMetric(problem_type).compute(predictions=answers.chosen, references=answers.labels)
    assert found.tasks["task"].value == pytest.approx(expected[metric])
    assert found.score.value == pytest.approx(score_of(answers.task, expected, answers.labels))
    assert width(found.score) > 0


def test_an_error_is_compared_with_the_best_constant_on_the_drawn_rows() -> None:
    """As R² is: the score of a squared error is 1 - √(1 - R²) in each resample."""
    rmse, r2 = (answered("regression", name) for name in ("rmse", "r2"))

    scores, expected = figures(rmse).score.drawn, figures(r2).tasks["task"].drawn

    assert scores == pytest.approx(1 - np.sqrt(1 - expected))


def test_a_split_without_labelled_rows_has_no_figures() -> None:
    answers = answered("single_label_classification", "accuracy")

    assert main_figures([answers._replace(labels=np.full(ROWS, -100))]) is None


@pytest.mark.parametrize(("metric", "rows"), [("accuracy", 9), ("macro_f1", 40)])
def test_too_few_labelled_rows_have_a_value_without_an_interval(metric: str, rows: int) -> None:
    found = figures(answered("single_label_classification", metric, rows=rows))

    assert mean_over_seeds([found.tasks["task"]]).low is None
    assert mean_over_seeds([found.score]).low is None


def test_models_on_the_same_rows_have_a_smaller_difference_than_models_on_other_rows() -> None:
    answers, others = (answered("single_label_classification", "accuracy", seed=seed) for seed in (0, 1))
    slightly_worse = answers._replace(chosen=np.where(np.arange(ROWS) < 4, 0, answers.chosen))

    paired = difference(figures(answers).score, figures(slightly_worse).score)
    unpaired = difference(figures(answers).score, figures(others).score)

    assert rows_digest([answers]) == rows_digest([slightly_worse]) != rows_digest([others])
    assert width(paired) < width(unpaired) / 2


def test_a_difference_has_the_bounds_of_both_values() -> None:
    kappa = figures(answered("ordinal_regression", "kappa")).tasks["task"]

    assert difference(kappa, kappa).bounds == (-2, 2)


def test_sets_of_rows_share_the_imagined_rows() -> None:
    """Otherwise the mean over several small sets would be drawn towards one half."""
    answers = answered("single_label_classification", "accuracy", rows=20)
    perfect = answers._replace(chosen=np.maximum(answers.labels, 0))

    one, five = (1 - figures(perfect, sets=sets, resamples=20_000).score.drawn.mean() for sets in (1, 5))

    assert five == pytest.approx(one / 5, rel=0.15)


def test_resamples_that_are_nearly_all_equal_have_no_interval_of_width_0() -> None:
    assert percentiles(1.0, np.append(np.ones(999), 0.5)).low is None


def test_seeds_that_vary_no_more_than_their_rows_are_not_made_wider() -> None:
    rng = np.random.default_rng(0)
    drawn = [0.8 + 0.05 * rng.normal(size=1000) for _ in range(3)]

    found = over_seeds([0.8, 0.81, 0.79], drawn)

    assert found.low == pytest.approx(0.8 - 1.96 * 0.05 / np.sqrt(3), abs=0.01)


def test_an_interval_over_seeds_stays_in_the_bounds() -> None:
    drawn = [np.full(1000, value) for value in (0.2, 0.9, 0.95)]

    found = over_seeds([0.2, 0.9, 0.95], drawn, bounds=(0, 1))

    assert (found.low, found.high) == (0, 1)
