"""Texts of labels as training rows."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from datasets_builder.row_places import RowPlace, row_places
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.label_texts import label_texts
from modeling_multitask.runs.prepare import prepare

TABLE = """text,topic,mood,weight,price
the film was bad,films & TV,bad,2,1
the food was good,food_drinks,good,1,2
the film was good,films & TV,,1,
"""


def words(backbone: Path, folder: Path, topic: Any = None, **more: Any) -> dict[str, Any]:
    """Return a recipe with two labelled topics, a mood and a price, without the defaults for few rows."""
    (folder / "rows.csv").write_text(TABLE)
    tasks = [
        {"name": "topic", "problem_type": "single_label_classification", "label_texts": topic},
        {"name": "mood", "problem_type": "binary_classification", "labels": ["bad", "good"]},
        {"name": "price", "problem_type": "regression"},
    ]
    train = {"path": str(folder / "rows.csv"), "weight": "weight"}
    return {
        "backbone": str(backbone),
        "tasks": tasks,
        "data": {"train": train},
        "probe": False,
        "freeze": "backbone",
    } | more


def prepared(*given: Any, **more: Any) -> Dataset:
    """Return the rows of the trainer."""
    return prepare(load_recipe(words(*given, **more))).trainer.train_dataset


def test_a_template_has_the_words_of_a_label() -> None:
    assert label_texts("a {label}, {label}", ["book_hotel", "what's new?", "oos"]) == {
        "book_hotel": "a book hotel, book hotel",
        "what's new?": "a what's new?, what's new?",
        "oos": "a oos, oos",
    }


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("fly/train.now", "fly train now"),
        ("-1", "-1"),
        ("v1.5", "v1.5"),
        ("C++", "C++"),
        ("_x_", "_x_"),
        ("हिन्दी_भाषा", "हिन्दी भाषा"),
        ("ไทยที่", "ไทยที่"),
        ("cafe\u0301_x", "cafe\u0301 x"),
        ("{label}_x", "{label} x"),
    ],
)
def test_only_signs_between_words_become_spaces(label: str, text: str) -> None:
    assert label_texts("{label}", [label]) == {label: text}


def test_each_label_gets_a_row_with_that_label_only(backbone: Path, tmp_path: Path) -> None:
    rows = prepared(backbone, tmp_path, "This is about {label}.", output_dir=str(tmp_path / "run"))
    assert rows["text"][:3] == ["the film was bad", "the food was good", "the film was good"]
    assert rows["text"][3:] == ["This is about films & TV.", "This is about food drinks."]
    assert rows["topic"] == [0, 1, 0, 0, 1]
    assert rows["mood"] == [0, 1, None, None, None]
    assert rows["price"] == [1.0, 2.0, None, None, None]
    assert rows["weight"] == [2.0, 1.0, 1.0, 1.0, 1.0]
    assert row_places(rows)[2:4] == [RowPlace("rows.csv", 4), RowPlace()]


def test_counts_of_rows_are_without_texts_of_labels(backbone: Path, tmp_path: Path) -> None:
    found = prepare(load_recipe(words(backbone, tmp_path, "{label}")))
    assert (len(found.rows["train"]), found.labelled, found.label_texts) == (3, 3, {"topic": 2})


def test_a_text_that_is_in_the_rows_of_a_split_is_left_out(backbone: Path, tmp_path: Path) -> None:
    (tmp_path / "held_out.csv").write_text("text,topic,mood,price\nfilms & TV,food_drinks,bad,1\n")
    given = words(backbone, tmp_path, {"films & TV": "films & TV", "food_drinks": "the food was good"})
    given["data"]["validation"] = str(tmp_path / "held_out.csv")
    assert len(prepare(load_recipe(given)).trainer.train_dataset) == 3


def test_a_text_of_one_label_adds_one_row(backbone: Path, tmp_path: Path) -> None:
    rows = prepared(backbone, tmp_path, {"food_drinks": "a meal"})
    assert (rows["text"][3:], rows["topic"][3:]) == (["a meal"], [1])


def test_no_texts_add_no_rows(backbone: Path, tmp_path: Path) -> None:
    assert len(prepared(backbone, tmp_path, {})) == 3


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("a review", r"tasks\[0\].label_texts: 'a review' lacks {label}, which stands for the label; write 'This is a"),
        ({"food": "a meal"}, r"tasks\[0\].label_texts: 'food' is not a label of the task"),
        ({"food_drinks": " "}, r"tasks\[0\].label_texts: the text of 'food_drinks' is empty; leave the label out"),
        (
            {"food_drinks": "a", "films & TV": "a"},
            r"tasks\[0\].label_texts: the labels 'food_drinks' and 'films & TV' have the same text 'a'; give",
        ),
        (
            {"food_drink": "a"},
            r"tasks\[0\].label_texts: 'food_drink' is not a label of the task; did you mean 'food_",
        ),
    ],
)
def test_problems_of_texts(backbone: Path, tmp_path: Path, given: Any, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        prepared(backbone, tmp_path, given)


def test_a_label_that_the_recipe_lists_is_checked_before_the_rows_are_read(backbone: Path, tmp_path: Path) -> None:
    given = words(backbone, tmp_path)
    given["tasks"][1]["label_texts"] = {"god": "very good"}
    with pytest.raises(RecipeError, match=r"tasks\[1\].label_texts: 'god' is not a label of the task; did you mean"):
        load_recipe(given)


@pytest.mark.parametrize(
    ("problem_type", "name"),
    [("multi_label_classification", "multi_label_classification"), ("regression", "regression")],
)
def test_only_tasks_with_one_label_have_texts(backbone: Path, tmp_path: Path, problem_type: str, name: str) -> None:
    given = words(backbone, tmp_path)
    given["tasks"][0] |= {"problem_type": problem_type, "label_texts": "{label}"}
    with pytest.raises(RecipeError, match=rf"tasks\[0\].label_texts: {name} has no rows with exactly one label"):
        load_recipe(given)


def test_rows_with_a_teacher_have_none(backbone: Path, tmp_path: Path) -> None:
    given = words(backbone, tmp_path, "{label}")
    given["tasks"][1]["teacher"] = "runs/old/model"
    with pytest.raises(RecipeError, match="no teacher answers these texts; leave label_texts or the teacher out"):
        load_recipe(given)


def test_streamed_rows_have_none(backbone: Path, tmp_path: Path) -> None:
    given = words(backbone, tmp_path, "{label}", training={"max_steps": 2})
    given["data"]["streaming"] = True
    with pytest.raises(RecipeError, match="rows are streamed; leave label_texts out"):
        load_recipe(given)


def test_pairs_of_texts_have_none(backbone: Path, tmp_path: Path) -> None:
    given = words(backbone, tmp_path, "{label}")
    given["data"]["train"] = [
        {"path": str(tmp_path / "rows.csv"), "text": ["text", "mood"], "labels": {"topic": "topic"}}
    ]
    given["tasks"] = given["tasks"][:1]
    with pytest.raises(RecipeError, match="rows have two texts, and a label has one"):
        prepare(load_recipe(given))


def test_sampling_by_source_has_none(backbone: Path, tmp_path: Path) -> None:
    sampling = {"strategy": "round_robin"}
    with pytest.raises(RecipeError, match=r"sampling.strategy draws from sources, and texts of labels come from none"):
        prepared(backbone, tmp_path, "{label}", sampling=sampling)
