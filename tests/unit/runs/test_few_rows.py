"""The defaults for few rows of each label: which recipes get them, and what they train."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from modeling_multitask import TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.few_rows import DEFAULTS, FEW, SHARDING, few_row_defaults, rows_per_label
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.run import run_recipe

TOPIC = TaskConfig(name="topic", problem_type="single_label_classification", labels=["film", "food"])
TAGS = TaskConfig(name="tags", problem_type="multi_label_classification", labels=["a", "b"])
PRICE = TaskConfig(name="price", problem_type="regression")


def words(backbone: Path, folder: Path, **more: Any) -> dict[str, Any]:
    """Return a recipe with ten rows of each of two topics."""
    table = folder / "rows.csv"
    lines = [
        f"the {word} was {tone},{word}"
        for tone in ("good", "bad", "very good", "not bad", "not good")
        for word in ("film", "food")
    ]
    table.write_text("\n".join(["text,topic", *lines * 2]) + "\n")
    task = {"name": "topic", "problem_type": "single_label_classification"}
    return {"backbone": str(backbone), "tasks": [task], "data": {"train": str(table)}, "probe": False, **more}


def topics(count: int) -> Dataset:
    return Dataset.from_dict({"text": ["the film"] * 2 * count, "topic": [0, 1] * count})


def test_rows_are_counted_for_each_label() -> None:
    tags = [(1, 0), (1, 1), (0, 0), None, (1, 0), (0, 0)]
    rows = Dataset.from_dict(
        {
            "text": ["the film"] * 6,
            "topic": [0, 1, None, 0, 1, 0],
            "tags": [pair and dict(zip("ab", pair, strict=True)) for pair in tags],
            "price": [1.0, None, 2.0, 3.0, None, None],
        }
    )
    assert rows_per_label(rows, [TOPIC, TAGS, PRICE]) == {"topic": 2.5, "tags": 2, "price": 1.5}


@pytest.mark.parametrize(("count", "few"), [(FEW - 1, True), (FEW, False)])
def test_few_rows_change_the_defaults(backbone: Path, tmp_path: Path, count: int, few: bool) -> None:
    recipe = load_recipe(words(backbone, tmp_path))
    found = few_row_defaults(recipe, topics(count), [TOPIC])
    assert (found.phases == DEFAULTS["phases"]) is few
    assert (found == recipe) is not few


def test_one_task_with_many_rows_keeps_the_defaults(backbone: Path, tmp_path: Path) -> None:
    recipe = load_recipe(words(backbone, tmp_path))
    rows = topics(FEW).add_column("price", [1.0, *[None] * (2 * FEW - 1)])
    assert few_row_defaults(recipe, rows, [TOPIC, PRICE]) == recipe


@pytest.mark.parametrize(
    "choice",
    [
        {"learning_rates": {"heads": 1e-3, "backbone": 5e-5}},
        {"freeze": "backbone"},
        {"phases": [{"train": ["heads"]}]},
        {"lora": {"r": 2}},
        {"head": {"hidden_sizes": [16]}},
        {"balancing": "dwa"},
        {"keep_embedding": {"weight": 1}},
        {"average": {"ema": 0.9}},
        {"training": {"num_train_epochs": 3}},
        {"training": {"max_steps": 3}},
    ],
    ids=str,
)
def test_a_recipe_that_chooses_how_to_train_is_kept(backbone: Path, tmp_path: Path, choice: dict[str, Any]) -> None:
    recipe = load_recipe(words(backbone, tmp_path, **choice))
    assert few_row_defaults(recipe, topics(5), [TOPIC]) == recipe


def test_a_recipe_with_few_rows_begins_with_fitted_linear_heads_and_says_so(
    backbone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = prepare(load_recipe(words(backbone, tmp_path, output_dir=str(tmp_path / "run"))))
    assert (
        "There are on average at most 10 training rows of each label, so training begins with a contrastive phase, "
        "keeps the embedding, and fits linear heads before everything trains; the names of the labels of 'topic' are "
        "training texts. To train in another way, set `phases`, `head`, `learning_rates` or `label_texts`."
    ) in caplog.text
    assert prepared.trainer.model.config.head.hidden_sizes == []
    assert len(prepared.rows["train"]) == 20
    assert prepared.trainer.train_dataset["text"][20:] == ["film", "food"]
    assert prepared.trainer.args.schedule == DEFAULTS["phases"]
    assert prepared.trainer.args.keeping() == DEFAULTS["keep_embedding"]
    assert prepared.trainer.args.num_train_epochs == 10 + 40


@pytest.mark.parametrize("name", SHARDING)
def test_a_launch_that_shards_the_model_keeps_the_defaults(
    backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    recipe = load_recipe(words(backbone, tmp_path))
    monkeypatch.setenv(name, "true")
    assert few_row_defaults(recipe, topics(5), [TOPIC]) == recipe


def test_a_run_on_few_rows_evaluates_fitted_heads_and_records_what_it_did(backbone: Path, tmp_path: Path) -> None:
    given = words(backbone, tmp_path, output_dir=str(tmp_path / "run"))
    given["data"]["validation"] = given["data"]["train"]
    run = run_recipe(load_recipe(given))
    best = next((tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    state = json.loads((best / "trainer_state.json").read_text())
    assert [entry["epoch"] for entry in state["log_history"] if "eval_score" in entry] == [11]  # a perfect score
    assert run.results["validation"]["topic"]["accuracy"] == 1
    assert run.record["few_rows"]["keep_embedding"] == {"weight": 1}
    assert [phase["objective"] for phase in run.record["few_rows"]["phases"]] == ["contrastive", "labels"]
    assert run.record["label_texts"] == {"topic": 2}
    assert run.record["rows"]["train"] == 20


def test_overrides_that_do_not_choose_how_to_train_are_kept(backbone: Path, tmp_path: Path) -> None:
    recipe = load_recipe(words(backbone, tmp_path, training={"per_device_train_batch_size": 4}))
    found = few_row_defaults(recipe, topics(5), [TOPIC])
    assert found.phases == DEFAULTS["phases"]
    assert found.training == {"per_device_train_batch_size": 4}


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        (TOPIC, None, "{label}"),
        (TOPIC, "a {label} review", "a {label} review"),
        (TOPIC, {}, {}),
        (TAGS, None, None),
        (PRICE, None, None),
        (replace(TOPIC, labels=["0", "1"]), None, None),
        (replace(TOPIC, labels=["film", "B2"]), None, None),
        (replace(TOPIC, labels=["a-film", "a_film"]), None, None),  # they would have the same text
        (replace(TOPIC, labels=["фильм", "еда"]), None, "{label}"),
        (replace(TOPIC, labels=["电影", "खेल"]), None, "{label}"),
        (replace(TOPIC, labels=["IT", "HR"]), None, "{label}"),
    ],
    ids=str,
)
def test_labels_that_have_words_are_texts(
    backbone: Path, tmp_path: Path, task: TaskConfig, given: Any, expected: Any
) -> None:
    given = {"name": task.name, "problem_type": task.problem_type, "label_texts": given}
    recipe = load_recipe(words(backbone, tmp_path, tasks=[given]))
    rows = topics(5) if task.name == "topic" else Dataset.from_dict({"text": ["a"], task.name: [None]})
    assert few_row_defaults(recipe, rows, [task]).tasks[0].label_texts == expected


@pytest.mark.parametrize("column", ["text_pair", "source"])
def test_pairs_and_rows_that_are_drawn_by_source_get_no_texts(backbone: Path, tmp_path: Path, column: str) -> None:
    recipe = load_recipe(words(backbone, tmp_path))
    rows = topics(5).add_column(column, ["a"] * 10)
    found = few_row_defaults(recipe, rows, [TOPIC])
    assert found.phases == DEFAULTS["phases"]
    assert found.tasks == recipe.tasks


def test_names_of_labels_are_no_replacement_for_rows(backbone: Path, tmp_path: Path) -> None:
    (tmp_path / "unused.csv").write_text("text,topic,weight\nthe film,film,0\nthe food,food,0\n")
    train = {"path": str(tmp_path / "unused.csv"), "weight": "weight"}
    with pytest.raises(RecipeError, match="no row has both a label and a weight above 0"):
        prepare(load_recipe(words(backbone, tmp_path, data={"train": train})))
