"""The words of a teacher: their forms, their paths, and the messages for those that do not fit the rest of a recipe."""

from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.record import recipe_words, recorded_words
from modeling_multitask.recipes.rules import rule_problems
from modeling_multitask.recipes.teacher import Teacher

MOOD = {"name": "mood", "problem_type": "single_label_classification", "labels": ["sad", "glad"]}
PRICE = {"name": "price", "problem_type": "regression"}


def recipe(task: dict[str, Any], *others: dict[str, Any], teacher: Any = "some/model", **data: Any) -> dict[str, Any]:
    """A recipe of a task with a teacher, and other tasks."""
    tasks = [{**task, "teacher": teacher}, *others]
    return {"backbone": "some/encoder", "tasks": tasks, "data": {"train": "rows.csv", **data}}


def test_a_teacher_may_be_the_name_of_a_model_alone() -> None:
    assert load_recipe(recipe(MOOD)).tasks[0].teacher == Teacher("some/model", weight=0.5)


def test_numbers_among_the_labels_of_a_teacher_are_words() -> None:
    words = {"model": "some/model", "labels": {0: "sad", 1: "glad"}}

    assert load_recipe(recipe(MOOD, teacher=words)).tasks[0].teacher == Teacher(
        "some/model", labels={"0": "sad", "1": "glad"}
    )


@pytest.mark.parametrize("name", ["old/model", "answers.csv"])
def test_the_path_of_a_teacher_is_relative_to_the_recipe(tmp_path: Path, name: str) -> None:
    (tmp_path / "old" / "model").mkdir(parents=True)
    path = tmp_path / "recipe.yaml"
    path.write_text(str(recipe(MOOD, teacher=name)))

    teacher = load_recipe(path).tasks[0].teacher

    assert teacher is not None
    assert teacher.model == str(tmp_path / name)


def test_a_recorded_recipe_keeps_its_teacher() -> None:
    words = recipe_words(load_recipe(recipe(MOOD, teacher={"model": "some/model", "weight": 0.9})))

    assert recorded_words(words)["tasks"][0]["teacher"] == words["tasks"][0]["teacher"]


@pytest.mark.parametrize("weight", [0, 1.5])
def test_the_weight_of_a_teacher_is_a_share(weight: float) -> None:
    with pytest.raises(RecipeError, match=rf"tasks\[0\]\.teacher\.weight: is {weight}; it must be"):
        load_recipe(recipe(MOOD, teacher={"model": "some/model", "weight": weight}))


def test_streamed_rows_have_no_teacher() -> None:
    assert rule_problems({**recipe(MOOD, streaming=True), "training": {"max_steps": 1}}) == [
        "tasks[0].teacher: answers all training rows before training, and rows are streamed; set data.streaming=false"
    ]


def test_a_new_name_that_is_no_label_of_the_task_is_a_problem() -> None:
    teacher = {"model": "some/model", "labels": {"LABEL_0": "sad", "LABEL_1": "gald"}}

    assert rule_problems(recipe(MOOD, teacher=teacher)) == [
        "tasks[0].teacher.labels: 'gald' is not a label of the task; did you mean 'glad'?"
    ]


def test_a_number_has_no_labels_to_rename() -> None:
    teacher = {"model": "some/model", "labels": {"LABEL_0": "price"}}

    assert rule_problems(recipe(PRICE, teacher=teacher)) == [
        "tasks[0].teacher.labels: regression has no labels; leave them out"
    ]


def test_a_model_has_no_text_column() -> None:
    assert rule_problems(recipe(MOOD, teacher={"model": "some/model", "text": ["body"]})) == [
        "tasks[0].teacher.text: is for a table of recorded answers; leave it out"
    ]


def test_no_task_is_called_like_the_column_of_a_teachers_answers() -> None:
    assert rule_problems(recipe(MOOD, {**PRICE, "name": "mood_distribution"})) == [
        "tasks[0].teacher: a task is called 'mood_distribution', the column of the teacher's answers; rename that task"
    ]


@pytest.mark.parametrize(
    ("task", "problems"),
    [
        (MOOD, []),
        (PRICE, []),
        ({**MOOD, "labels": None}, ["data.train: no source has labels for the task 'mood'"]),
    ],
)
def test_a_task_with_known_labels_and_a_teacher_needs_no_labels_in_a_table(task: Any, problems: list[str]) -> None:
    train = {"path": "rows.csv", "labels": {"stars": "stars"}}
    stars = {"name": "stars", "problem_type": "regression"}

    assert rule_problems(recipe(task, stars, train=train)) == problems
