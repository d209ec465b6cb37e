"""Recipes with streamed training rows: the settings that are refused, and the settings of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils import logging

from datasets_builder import DataError, MultiTaskBuilder, Source
from modeling_multitask import MultiTaskModel
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.rules import rule_problems
from modeling_multitask.runs import train
from modeling_multitask.runs.prepare import build_arguments
from modeling_multitask.runs.rows import with_labels

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
NOT_CUT = "streamed rows cannot be split, nor their labels hidden; use separate files"
NOT_COUNTED = "balanced weights cannot be computed from streamed rows; give numbers"


def content(task: dict[str, Any] = TOPIC, **words: Any) -> dict[str, Any]:
    """A recipe that streams, in two steps."""
    data = {"train": {"path": "reviews.csv"}, "streaming": True, **words.pop("data", {})}
    return {"backbone": "some/encoder", "tasks": [task], "data": data, "training": {"max_steps": 2}, **words}


def test_a_recipe_may_stream() -> None:
    assert rule_problems(content()) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            {"training": {"num_train_epochs": 2}},
            "training.max_steps: is missing; with data.streaming the number of rows is unknown",
        ),
        ({"data": {"split": {"test": 0.2}}}, f"data.split: {NOT_CUT}"),
        ({"data": {"hide_labels": {"fraction": 0.2}}}, f"data.hide_labels: {NOT_CUT}"),
        (
            {"tokens_per_batch": 64},
            "tokens_per_batch: needs the length of every row before training, and rows are streamed",
        ),
        (
            {"sampling": {"strategy": "proportional"}},
            "sampling.strategy: streamed rows are read in their own order; leave sampling.strategy out",
        ),
        ({"task": {**TOPIC, "class_weights": "balanced"}}, f"tasks[0].class_weights: {NOT_COUNTED}"),
        ({"task": {**TAGS, "pos_weight": "balanced"}}, f"tasks[0].pos_weight: {NOT_COUNTED}"),
    ],
    ids=["no steps", "split", "hidden labels", "token budget", "sampling", "class weights", "weight of positives"],
)
def test_what_does_not_go_with_streaming_is_a_problem(words: dict[str, Any], problem: str) -> None:
    assert rule_problems(content(**words)) == [problem]


@pytest.mark.parametrize(
    "words",
    [
        {"data": {"split": {"seed": 1}}},
        {"data": {"split": {}}},
        {"sampling": {"strategy": "concatenated"}},
        {"task": {**TOPIC, "class_weights": [1.0, 2.0]}},
        {"data": {"validation": {"path": "validation.csv"}}},
    ],
    ids=["seed", "empty split", "sampling by default", "weights that are given", "validation file"],
)
def test_what_changes_nothing_goes_with_streaming(words: dict[str, Any]) -> None:
    assert rule_problems(content(**words)) == []


@pytest.mark.parametrize("streaming", [False, None, "yes"])
def test_rows_that_are_not_streamed_may_be_split(streaming: Any) -> None:
    assert rule_problems(content(data={"streaming": streaming, "split": {"test": 0.2}})) == []


def test_all_that_does_not_go_with_streaming_is_said_together() -> None:
    words = {"training": {}, "tokens_per_batch": 64, "data": {"split": {"test": 0.2}}}

    assert len(rule_problems(content(**words))) == 3


RECIPE = """
backbone: some/encoder
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [film, food]}
data:
  train: {path: reviews.csv}
  validation: {path: reviews.csv}
  streaming: true
training: {max_steps: 50}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Any:
    (tmp_path / "stream.yaml").write_text(RECIPE)
    return lambda *words: load_recipe(tmp_path / "stream.yaml", [f"output_dir={tmp_path}/out", *words])


def test_a_streamed_run_is_evaluated_and_saved_ten_times(recipe: Any) -> None:
    arguments = build_arguments(recipe(), validated=True)

    for what in ("eval", "save", "logging"):
        assert (getattr(arguments, f"{what}_strategy"), getattr(arguments, f"{what}_steps")) == ("steps", 5)


def test_a_short_streamed_run_is_evaluated_at_every_step(recipe: Any) -> None:
    assert build_arguments(recipe("training.max_steps=3"), validated=True).eval_steps == 1


def test_what_a_recipe_says_of_its_steps_holds(recipe: Any) -> None:
    arguments = build_arguments(recipe("training.eval_steps=25", "training.save_steps=25"), validated=True)

    assert (arguments.eval_steps, arguments.save_steps, arguments.logging_steps) == (25, 25, 5)


def test_a_streamed_run_without_validation_rows_is_not_evaluated(recipe: Any) -> None:
    arguments = build_arguments(recipe("data.validation=[]"), validated=False)

    assert (arguments.eval_strategy, arguments.load_best_model_at_end) == ("no", False)


def test_streaming_without_steps_is_refused_with_its_place(recipe: Any) -> None:
    with pytest.raises(RecipeError, match=r"training\.max_steps: is missing"):
        recipe("training={num_train_epochs: 3}")


def test_streamed_rows_without_any_label_are_skipped_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    table = {
        "text": ["a", "b", "c", "d"],
        "topic": ["film", None, None, None],
        "tags": [None, ["loud"], None, []],
        "stars": [None] * 4,
    }
    stars = {"name": "stars", "problem_type": "regression"}
    builder = MultiTaskBuilder(tasks=[TOPIC, TAGS, stars], train=[table], streaming=True)

    logging.get_logger("any").warning_once.cache_clear()  # another test may have said it
    with caplog.at_level("WARNING"):
        kept = [row["text"] for row in with_labels(builder.as_streaming_dataset("train"), builder.tasks)]

    assert kept == ["a", "b", "d"]
    assert (
        "rows without any label, or of weight 0, are skipped in training; streamed rows are not counted" in caplog.text
    )


def test_streamed_rows_without_weight_are_skipped_and_those_with_a_tie_are_trained() -> None:
    data = {"text": ["a", "b", "c"], "film": [0.5, 1, 1], "food": [0.5, 0, 0], "sure": [1, 0, 0.5]}
    source = Source(data=data, labels={"topic": {"soft": {"film": "film", "food": "food"}}}, weight="sure")
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[source], streaming=True)

    assert [row["text"] for row in with_labels(builder.as_streaming_dataset("train"), builder.tasks)] == ["a", "c"]


STARS = [
    {"problem_type": "regression"},
    {"problem_type": "ordinal_regression", "labels": ["a", "b", "c"]},
    {"problem_type": "single_label_classification", "labels": ["a", "b"]},
    {"problem_type": "multi_label_classification", "labels": ["a", "b"]},
]


@pytest.fixture
def unlabelled(tmp_path: Path, backbone: Path) -> Any:
    """Train two tasks on a stream that has no label of the second one."""

    def run(stars: dict[str, Any], *, topics: list[str], **overrides: Any) -> Any:
        (tmp_path / "validation.csv").write_text("text,topic,stars\n" + "a film,film,\na soup,food,\n" * 5)
        (tmp_path / "train.csv").write_text(
            "text,topic,stars\n" + "".join(f"the film {i},{topics[i % 2]},\n" for i in range(12))
        )
        words = {
            "backbone": str(backbone),
            "tasks": [TOPIC, {"name": "stars", **stars}],
            "data": {
                "train": str(tmp_path / "train.csv"),
                "validation": str(tmp_path / "validation.csv"),
                "streaming": True,
            },
            "training": {"max_steps": 2, "disable_tqdm": True, "per_device_train_batch_size": 4},
            "output_dir": str(tmp_path / "out"),
            "max_length": 16,
            "probe": False,
        }
        return train(words, **overrides)

    return run


@pytest.mark.parametrize("stars", STARS, ids=lambda task: task["problem_type"])
def test_a_task_without_any_label_in_the_stream_leaves_the_others_to_train(
    unlabelled: Any, stars: dict[str, Any], tmp_path: Path
) -> None:
    found = unlabelled(stars, topics=["film", "food"]).results["validation"]

    assert (found["topic"]["rows"], found["stars"]["rows"]) == (10, 0)
    assert found["stars"]["verdict"]["outcome"] == "not evaluated"
    assert all(np.isfinite(value) for value in (found["score"], found["topic"]["loss"]))
    model = MultiTaskModel.from_pretrained(tmp_path / "out" / "model")
    assert all(each.isfinite().all() for each in model.state_dict().values())
    assert "0 of 10 rows have a label" in (tmp_path / "out" / "report" / "report.html").read_text()


@pytest.mark.parametrize("streaming", [True, False])
def test_rows_without_any_label_of_any_task_are_an_error_before_training(unlabelled: Any, streaming: bool) -> None:
    with pytest.raises((RecipeError, DataError), match="label"):
        unlabelled(STARS[0], topics=["", ""], **{"data.streaming": streaming})
