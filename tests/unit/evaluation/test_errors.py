"""Error analysis: losses computed by hand, and confusions and slices of scikit-learn, with missing labels."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.errors import TaskErrors, entry_losses
from modeling_multitask.evaluation.errors import task_errors as found_errors
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.evaluation.slices import OTHER
from modeling_multitask.evaluation.worst_rows import shown_text
from modeling_multitask.tasks_multitask import GivenConfig
from tests.unit.evaluation.two_models import GRADE, LIKED, RATING, TAGS, TASKS, TOPIC

OF_LABELS = [TOPIC, LIKED, GRADE]
ROWS = 480

task_errors = partial(found_errors, resamples=3)  # only the intervals need more
each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


@pytest.fixture(scope="module")
def judged() -> Judged:
    """Rows of three tables; a third of the labels of each task is missing, and some rows have none at all."""
    rng = np.random.default_rng(0)
    logits = {task.name: -np.sort(-rng.normal(size=(ROWS, task.num_logits)), axis=1) for task in TASKS}
    labels = {
        "topic": rng.integers(3, size=ROWS),
        "liked": rng.integers(2, size=ROWS),
        "tags": rng.integers(2, size=(ROWS, 3)),
        "grade": rng.integers(4, size=ROWS),
        "rating": rng.normal(size=ROWS).astype(np.float32),
    }
    for name, each in labels.items():
        each[rng.random(each.shape) < 0.3] = np.nan if name == "rating" else -100
    return Judged(
        tasks=TASKS,
        texts=[f"text {row}" for row in range(ROWS)],
        logits=logits,
        labels=labels,
        lengths=rng.integers(3, 9, size=ROWS),
        sources=[("a.csv", "b.csv", "c.csv")[row % 3] for row in range(ROWS)],
    )


@pytest.fixture(scope="module")
def errors(judged: Judged) -> dict[str, TaskErrors]:
    """By task name, those of the rows above."""
    return {task.name: found_errors(judged, task, most=ROWS, resamples=2) for task in TASKS}


def judged_as(task: TaskConfig, logits: Any, labels: Any, **known: Any) -> Judged:
    """Rows of a single task."""
    count = len(labels)
    known = {"texts": [f"text {row}" for row in range(count)], "lengths": np.full(count, 4), **known}
    numbers = np.array(labels, dtype=np.float32 if task.problem_type == "regression" else np.int64)
    return Judged(tasks=[task], logits={task.name: np.array(logits, float)}, labels={task.name: numbers}, **known)


def has_label(judged: Judged, task: TaskConfig) -> np.ndarray:
    """Which entries have one."""
    labels = judged.labels[task.name]
    return ~np.isnan(labels) if task is RATING else labels >= 0


def labelled_rows(judged: Judged, task: TaskConfig) -> np.ndarray:
    """Which rows have one."""
    return has_label(judged, task).reshape(ROWS, -1).any(axis=1)


def expected_figure(judged: Judged, task: TaskConfig, rows: np.ndarray) -> float:
    """The main figure by scikit-learn over some rows."""
    there = has_label(judged, task)[rows]
    truth, given = judged.labels[task.name][rows][there], judged.decisions[task.name].chosen[rows][there]
    if task is RATING:
        return metrics.mean_absolute_error(truth, given)
    return metrics.f1_score(truth, given) if task is TAGS else metrics.accuracy_score(truth, given)


def test_the_worst_row_of_a_task_of_one_label_has_the_least_probable_one() -> None:
    # Of logits (log 2, 0, 0) the scores are 1/2, 1/4 and 1/4; of (log 8, 0, 0) they are 8/10, 1/10 and 1/10.
    logits = [[np.log(2), 0, 0], [np.log(8), 0, 0], [np.log(8), 0, 0], [9, 0, 0]]

    worst = task_errors(judged_as(TOPIC, logits, [1, 0, 2, -100]), TOPIC).worst

    assert [(each.row, each.text, each.label, each.answer) for each in worst] == [
        (2, "text 2", "phone", "film"),
        (0, "text 0", "food", "film"),
        (1, "text 1", "film", "film"),
    ]
    assert [each.loss for each in worst] == pytest.approx([np.log(10), np.log(4), np.log(10 / 8)])
    assert [each.score for each in worst] == pytest.approx([0.8, 0.5, 0.8])


def test_the_worst_row_of_a_binary_task_is_the_surest_wrong_one() -> None:
    worst = task_errors(judged_as(LIKED, [[np.log(3)], [-np.log(3)], [np.log(9)]], [1, 1, 0]), LIKED).worst

    assert [(each.row, each.label, each.answer) for each in worst] == [
        (2, "no", "yes"),
        (1, "yes", "no"),
        (0, "yes", "yes"),
    ]
    assert [each.loss for each in worst] == pytest.approx([np.log(10), np.log(4), np.log(4 / 3)])
    assert [each.score for each in worst] == pytest.approx([0.9, 0.75, 0.75])


def test_the_loss_of_several_labels_is_the_mean_over_those_that_a_row_says_something_of() -> None:
    three = np.log(3)  # a score of 3/4
    logits, labels = [[three, three, -three], [three, three, 50]], [[1, 0, 0], [0, 1, -100]]

    worst = task_errors(judged_as(TAGS, logits, labels), TAGS).worst

    assert [(each.row, each.label, each.answer) for each in worst] == [
        (1, "loud", "long, loud"),
        (0, "long", "long, loud"),
    ]
    right, wrong = np.log(4 / 3), np.log(4)
    assert [each.loss for each in worst] == pytest.approx([(wrong + right) / 2, (wrong + 2 * right) / 3])
    assert [each.score for each in worst] == pytest.approx([0.75**2, 0.75**3])


def test_a_row_without_any_of_several_labels_says_so() -> None:
    worst = task_errors(judged_as(TAGS, [[-1, -1, 1], [9, 9, 9]], [[0, 0, -100], [1, 1, 1]]), TAGS).worst

    assert (worst[0].label, worst[0].answer) == ("(none)", "(none)")


def test_the_loss_of_a_number_is_its_squared_error_and_it_has_no_score() -> None:
    task = replace(RATING, loss="huber", temperature=3.0)

    worst = task_errors(judged_as(task, [[1.5], [9.0], [4.0]], [1.0, np.nan, 1.0]), task).worst

    assert [(each.row, each.label, each.answer, each.loss) for each in worst] == [
        (2, "1", "4", 9.0),
        (0, "1", "1.5", 0.25),
    ]
    assert np.isnan([each.score for each in worst]).all()


def test_the_loss_of_ordered_labels_is_the_logarithm_of_the_score_of_the_true_one() -> None:
    # "Above poor?" 3/4, "above fair?" 1/4, "above fine?" 1/8: "fine" has the score 1/8.
    logits = [[np.log(3), -np.log(3), -np.log(7)]]

    worst = task_errors(judged_as(GRADE, logits, [2]), GRADE).worst

    assert (worst[0].label, worst[0].answer) == ("fine", "fair")
    assert (worst[0].score, worst[0].loss) == pytest.approx((0.5, np.log(8)))


@pytest.mark.parametrize(
    ("task", "bent"),
    [
        (TOPIC, {"class_weights": [9.0, 1.0, 0.1], "label_smoothing": 0.3, "loss": "focal"}),
        (LIKED, {"pos_weight": [9.0], "label_smoothing": 0.3, "loss": "focal"}),
        (TAGS, {"pos_weight": [9.0, 1.0, 0.1], "label_smoothing": 0.3, "loss": "focal"}),
        (RATING, {"loss": "huber", "huber_delta": 0.1}),
    ],
    ids=["topic", "liked", "tags", "rating"],
)
def test_weights_smoothing_and_focus_of_training_do_not_bend_the_losses(
    task: TaskConfig, bent: dict[str, Any], judged: Judged
) -> None:
    logits, labels = judged.logits[task.name], judged.labels[task.name]

    assert (entry_losses(replace(task, **bent), logits, labels) == entry_losses(task, logits, labels)).all()


def test_the_temperature_is_that_of_the_task() -> None:
    task = replace(TOPIC, temperature=2.0)

    worst = task_errors(judged_as(task, [[2 * np.log(2), 0, 0]], [1]), task).worst

    assert (worst[0].score, worst[0].loss) == pytest.approx((0.5, np.log(4)))


@each_task
def test_only_labelled_rows_are_among_the_worst_and_the_losses_fall(
    task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    worst = errors[task.name].worst

    assert sorted(each.row for each in worst) == np.flatnonzero(labelled_rows(judged, task)).tolist()
    assert [each.loss for each in worst] == sorted((each.loss for each in worst), reverse=True)


def test_there_are_at_most_as_many_rows_and_confusions_as_wanted(judged: Judged, errors: dict[str, TaskErrors]) -> None:
    found = task_errors(judged, TOPIC, most=4)

    assert (found.worst, found.confusions) == (errors["topic"].worst[:4], errors["topic"].confusions[:4])


@pytest.mark.parametrize("task", OF_LABELS, ids=lambda task: task.name)
def test_confusions_are_those_of_scikit_learns_matrix(
    task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    there = has_label(judged, task)
    truth, given = judged.labels[task.name][there], judged.decisions[task.name].chosen[there]
    matrix = metrics.confusion_matrix(truth, given, labels=range(len(task.labels)))

    found = errors[task.name].confusions

    expected = {
        (label, answer): (matrix[i, j], matrix[i, j] / matrix[i].sum())
        for i, label in enumerate(task.labels)
        for j, answer in enumerate(task.labels)
        if i != j and matrix[i, j]
    }
    assert {(each.label, each.answer): (each.rows, each.share) for each in found} == expected
    assert [each.rows for each in found] == sorted((each.rows for each in found), reverse=True)


def test_confusions_of_several_labels_are_those_of_each_ones_matrix(
    judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    found = {(each.label, each.answer): each for each in errors["tags"].confusions}

    expected = {}
    for i, (label, there) in enumerate(zip(TAGS.labels, has_label(judged, TAGS).T, strict=True)):
        truth, given = judged.labels["tags"][there, i], judged.decisions["tags"].chosen[there, i]
        (right, added), (missed, hits) = metrics.confusion_matrix(truth, given)
        expected[(f"lacks {label}", "given")] = (added, added / (added + right))
        expected[(f"has {label}", "not given")] = (missed, missed / (missed + hits))
    assert {pair: (each.rows, each.share) for pair, each in found.items()} == expected


def test_a_regression_has_no_confusions(errors: dict[str, TaskErrors]) -> None:
    assert errors["rating"].confusions == []


def test_examples_of_a_confusion_are_the_texts_with_the_largest_losses() -> None:
    logits = [[1, 0, 0], [3, 0, 0], [2, 0, 0], [9, 0, 0], [0, 0, 1]]

    found = task_errors(judged_as(TOPIC, logits, [1, 1, 1, -100, 0]), TOPIC, examples=2).confusions

    assert found == [
        ("food", "film", 3, 1.0, ["text 1", "text 2"]),
        ("film", "phone", 1, 1.0, ["text 4"]),
    ]


def test_examples_of_several_labels_are_ranked_by_the_loss_of_the_one_that_is_confused() -> None:
    logits, labels = [[1, -9, 0], [2, 0, 0]], [[0, 1, -100], [0, -100, -100]]

    found = task_errors(judged_as(TAGS, logits, labels), TAGS, most=1).confusions

    assert found == [("lacks long", "given", 2, 1.0, ["text 1", "text 0"])]


@pytest.fixture
def unasked() -> Judged:
    """The outputs for two films, of which the first is answered with food."""
    kind = replace(
        TOPIC, name="kind", labels=["good", "bad"], num_labels=2, given=GivenConfig("topic", labels=["film"])
    )
    logits = {"topic": np.array([[0.0, 5.0, 0.0], [5.0, 0.0, 0.0]]), "kind": np.array([[1.0, 0.0], [0.0, 1.0]])}
    labels = {"topic": np.array([0, 0]), "kind": np.array([0, 0])}
    return Judged(tasks=[TOPIC, kind], texts=["soup", "plot"], logits=logits, labels=labels, lengths=np.array([1, 1]))


def test_a_question_that_is_not_asked_has_that_as_its_answer(unasked: Judged) -> None:
    found = task_errors(unasked, unasked.tasks[1])

    assert found.confusions == [
        ("good", "(not asked)", 1, 0.5, ["soup"]),
        ("good", "bad", 1, 0.5, ["plot"]),
    ]
    assert [(each.row, each.answer) for each in found.worst] == [(1, "bad"), (0, "(not asked)")]
    film = 1 / (np.exp(5) + 2)
    assert found.worst[1].score == pytest.approx(1 - film)
    assert found.worst[1].loss == pytest.approx(np.log(1 + np.exp(-1)))


@each_task
@pytest.mark.parametrize("kind", ["by_length", "by_source"])
def test_slices_hold_every_labelled_row_once(
    kind: str, task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    assert sum(each.rows for each in getattr(errors[task.name], kind)) == labelled_rows(judged, task).sum()


@each_task
def test_each_sources_figure_is_that_of_scikit_learn_on_its_rows(
    task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    found, sources = errors[task.name].by_source, np.array(judged.sources)

    assert [each.name for each in found] == ["a.csv", "b.csv", "c.csv"]
    expected = [expected_figure(judged, task, sources == each.name) for each in found]
    assert [each.figure.value for each in found] == pytest.approx(expected)


@each_task
def test_each_lengths_figure_is_that_of_scikit_learn_on_its_rows(
    task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    found = errors[task.name].by_length

    expected = []
    for each in found:
        ends = [int(word) for word in each.name.split() if word.isdigit()]
        rows = labelled_rows(judged, task) & (judged.lengths >= ends[0]) & (judged.lengths <= ends[-1])
        expected.append((rows.sum(), expected_figure(judged, task, rows)))
    assert [(each.rows, each.figure.value) for each in found] == pytest.approx(np.array(expected))


@each_task
def test_each_patterns_figure_is_that_of_scikit_learn_on_its_rows(
    task: TaskConfig, judged: Judged, errors: dict[str, TaskErrors]
) -> None:
    found = errors[task.name].by_pattern

    expected = []
    for each in [each for each in found if each.name != OTHER]:
        named = each.name.replace(",", "").split()
        same = [labelled_rows(judged, other) == (other.name in named) for other in TASKS]
        rows = np.logical_and.reduce(same)
        expected.append((rows.sum(), expected_figure(judged, task, rows)))
    named = [(each.rows, each.figure.value) for each in found if each.name != OTHER]
    assert named == pytest.approx(np.array(expected))
    assert sum(each.rows for each in found) == labelled_rows(judged, task).sum()


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        (
            [8, 1, 7, 2, 6, 3, 5, 4],
            [("1 to 2 tokens", 20), ("3 to 4 tokens", 20), ("5 to 6 tokens", 20), ("7 to 8 tokens", 20)],
        ),
        ([1, 1, 1, 1, 1, 1, 2, 9], [("1 token", 60), ("2 to 9 tokens", 20)]),
        ([5, 5, 5, 5, 5, 5, 5, 5], []),
    ],
    ids=["all differ", "most are equal", "all are equal"],
)
def test_bins_of_lengths_never_part_equal_ones(lengths: list[int], expected: list[tuple[str, int]]) -> None:
    rows = judged_as(LIKED, np.ones((80, 1)), [1] * 80, lengths=np.array(lengths * 10))

    assert [(each.name, each.rows) for each in task_errors(rows, LIKED).by_length] == expected


def test_bins_are_those_of_the_labelled_rows() -> None:
    labels, lengths = [1, 1, -100, -100, -100, -100] * 20, [3, 9, 20, 30, 40, 50] * 20
    rows = judged_as(LIKED, np.ones((120, 1)), labels, lengths=np.array(lengths))

    found = task_errors(rows, LIKED).by_length

    assert [(each.name, each.rows) for each in found] == [("3 tokens", 20), ("9 tokens", 20)]


def test_there_are_fewer_bins_of_lengths_if_rows_are_few() -> None:
    rows = judged_as(LIKED, np.ones((45, 1)), [1] * 45, lengths=np.arange(45))

    assert [each.rows for each in task_errors(rows, LIKED).by_length] == [23, 22]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": 19, "b": 30, "c": 5}, [("b", 30), ("other", 24)]),
        ({"a": 20, "b": 30}, [("a", 20), ("b", 30)]),
        ({"a": 19, "b": 19}, []),
    ],
    ids=["two are small", "none is small", "all are small"],
)
def test_slices_of_fewer_than_20_rows_are_combined(counts: dict[str, int], expected: list[tuple[str, int]]) -> None:
    sources = [name for name, count in counts.items() for _ in range(count)]
    rows = judged_as(LIKED, np.ones((len(sources), 1)), [1] * len(sources), sources=sources)

    assert [(each.name, each.rows) for each in task_errors(rows, LIKED).by_source] == expected


def test_a_pattern_is_the_tasks_that_a_row_has_a_label_for() -> None:
    tasks = [TOPIC, LIKED, TAGS]
    labels = {
        "topic": np.array([0, 0, 0, 0, 0, 0, -100]),
        "liked": np.array([1, 1, 1, -1, -100, 1, 1]),
        "tags": np.array([[-100] * 3, [-100] * 3, [-100] * 3, [-100] * 3, [-100] * 3, [1, -100, -100], [1, 1, 1]]),
    }
    labels = {name: np.concatenate([each] * 20) for name, each in labels.items()}
    logits = {task.name: np.array([[1.0] + [0.0] * (task.num_logits - 1)] * 140) for task in tasks}
    rows = Judged(tasks=tasks, texts=["text"] * 140, logits=logits, labels=labels, lengths=np.full(140, 4))

    found = task_errors(rows, TOPIC).by_pattern

    assert [(each.name, each.rows) for each in found] == [
        ("topic and liked labelled", 60),
        ("only topic labelled", 40),
        ("topic, liked and tags labelled", 20),
    ]


def test_at_most_twelve_patterns_are_shown_the_most_frequent_first() -> None:
    tasks = [replace(LIKED, name=f"task_{i}") for i in range(5)]
    bits = np.array([[1, *(number >> i & 1 for i in range(4))] for number in range(16) for _ in range(number + 20)])
    labels = {task.name: np.where(column, 1, -100) for task, column in zip(tasks, bits.T, strict=True)}
    logits = {task.name: np.ones((len(bits), 1)) for task in tasks}
    rows = Judged(tasks=tasks, texts=["text"] * len(bits), logits=logits, labels=labels, lengths=np.full(len(bits), 4))

    found = task_errors(rows, tasks[0]).by_pattern

    assert [each.rows for each in found] == [*range(35, 23, -1), 23 + 22 + 21 + 20]
    assert found[-1].name == "other"


def test_what_does_not_divide_the_rows_has_no_slices() -> None:
    rows = judged_as(LIKED, [[1.0], [1.0]], [1, 0], sources=["a.csv", "a.csv"])

    found = task_errors(rows, LIKED)

    assert (found.by_source, found.by_pattern) == ([], [])
    assert task_errors(judged_as(LIKED, [[1.0], [1.0]], [1, 0]), LIKED).by_source == []


def test_a_source_without_labelled_rows_is_left_out() -> None:
    labels, sources = [1, 1, -100] * 20, ["a.csv", "c.csv", "b.csv"] * 20
    rows = judged_as(LIKED, np.ones((60, 1)), labels, sources=sources)

    found = task_errors(rows, LIKED).by_source

    assert [(each.name, each.rows) for each in found] == [("a.csv", 20), ("c.csv", 20)]


@each_task
def test_a_task_without_labelled_rows_has_no_errors(task: TaskConfig) -> None:
    shape = (3, 3) if task is TAGS else (3,)
    missing = np.full(shape, np.nan if task is RATING else -100)

    found = task_errors(judged_as(task, np.zeros((3, task.num_logits)), missing), task)

    assert found == TaskErrors(task, [], [], found.main_figure, [], [], [])


@pytest.mark.parametrize(
    ("task", "figure"),
    [(TOPIC, "accuracy"), (LIKED, "accuracy"), (GRADE, "accuracy"), (TAGS, "micro_f1"), (RATING, "mae")],
    ids=lambda each: getattr(each, "name", each),
)
def test_slices_are_compared_by_the_figure_of_the_problem_type(
    task: TaskConfig, figure: str, errors: dict[str, TaskErrors]
) -> None:
    assert errors[task.name].main_figure == figure


def test_a_slices_figure_lies_in_its_interval(judged: Judged) -> None:
    figures = [each.figure for each in task_errors(judged, TOPIC, resamples=100).by_source]

    assert all(low < value < high for value, low, high in figures)


def test_the_same_seed_gives_the_same_intervals(judged: Judged) -> None:
    assert task_errors(judged, TOPIC, seed=3) == task_errors(judged, TOPIC, seed=3)
    assert task_errors(judged, RATING, seed=3).by_source != task_errors(judged, RATING, seed=4).by_source


def test_a_pair_of_texts_is_shown_as_one() -> None:
    rows = judged_as(LIKED, [[1.0]], [0], texts=[("Is it good?", "Yes.")])

    found = task_errors(rows, LIKED)

    assert found.worst[0].text == "Is it good? | Yes."
    assert found.confusions[0].examples == ["Is it good? | Yes."]
    assert shown_text("a text") == "a text"
