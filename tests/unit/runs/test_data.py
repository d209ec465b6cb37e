"""A recipe's data: built, measured with the encoder's tokenizer, and written for the Hub."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import (
    build_data,
    paths_of_this_machine,
    text_lengths,
    write_data_repository,
    write_rows,
)

RECIPE = """
backbone: encoder
tasks:
  - {name: topic, problem_type: single_label_classification, class_weights: balanced}
  - {name: liked, problem_type: binary_classification, labels: ["no", "yes"], pos_weight: balanced}
data:
  train: {path: reviews.csv}
  split: {test: 0.25}
  card: {title: Reviews, license: cc-by-4.0, language: en}
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Any:
    """Load a recipe with eight rows of three words, next to a link to the tiny encoder."""
    rows = "".join(f"the {'good film' if i % 2 else 'bad soup'},{'film' if i % 2 else 'food'},yes\n" for i in range(8))
    (tmp_path / "reviews.csv").write_text(f"text,topic,liked\n{rows}")
    (tmp_path / "reviews.yaml").write_text(RECIPE)
    (tmp_path / "encoder").symlink_to(backbone)
    return lambda *overrides: load_recipe(tmp_path / "reviews.yaml", list(overrides))


def test_the_tables_of_a_recipe_are_built_and_looked_at(recipe: Any) -> None:
    data = build_data(recipe())

    assert data.look.rows == {"train": 6, "test": 2}
    assert [each.task.labels for each in data.look.tasks] == [["film", "food"], ["no", "yes"]]
    assert list(data.dataset) == ["train", "test"]


def test_folds_are_suggested_for_a_test_split_with_few_labelled_rows(recipe: Any) -> None:
    data = build_data(recipe("data.split={test: 0.25, validation: 0.1, seed: 3}"))

    assert data.advice == (
        "suggestion: fewer than 100 test rows have a label (topic 2, liked 2), so the test figures are uncertain; "
        "to judge every row once, set in data: split: {validation: 0.1, folds: 5, seed: 3}"
    )
    assert data.describe().endswith(f"\n\n{data.advice}")


def test_folds_in_place_of_a_test_table_are_suggested_with_its_rows(recipe: Any) -> None:
    data = build_data(recipe("data.split={}", "data.test=reviews.csv"))

    assert "add the test rows to data.train, and set in data: split: {folds: 5}" in data.advice


def write_different_texts(folder: Path, count: int) -> None:
    rows = "".join(f"t{i},{'film' if i % 2 else 'food'},yes\n" for i in range(count))
    (folder / "reviews.csv").write_text(f"text,topic,liked\n{rows}")


@pytest.mark.parametrize("split", ["{}", "{validation: 0.25}", "{folds: 2}", "{folds: 2, fold: 1}"])
def test_without_a_test_split_and_with_folds_nothing_is_suggested(recipe: Any, tmp_path: Path, split: str) -> None:
    write_different_texts(tmp_path, 8)

    assert build_data(recipe(f"data.split={split}")).advice == ""


def test_a_test_split_with_enough_rows_needs_no_folds(recipe: Any, tmp_path: Path) -> None:
    write_different_texts(tmp_path, 200)

    assert build_data(recipe("data.split={test: 0.5}")).advice == ""


def test_the_rows_of_each_fold_are_shown(recipe: Any, tmp_path: Path) -> None:
    write_different_texts(tmp_path, 8)

    data = build_data(recipe("data.split={folds: 2}"))

    assert data.look.rows == {"train": 8}
    assert data.as_json()["folds"] == [{"rows": {"train": 4, "test": 4}, "labelled": {"topic": 4, "liked": 4}}] * 2
    assert "\nfold 2: train 4, test 4 rows; labelled test rows: topic 4, liked 4" in data.describe()


def test_texts_are_measured_against_the_length_of_the_recipe(recipe: Any) -> None:
    look = build_data(recipe("max_length=4")).look

    # Three words, the first and the last token of a sentence; one is cut.
    assert (look.lengths["train"].tolist(), look.max_length, look.cut_rows) == ([5] * 6, 4, 8)


def test_texts_are_measured_with_the_prompt_of_the_recipe(recipe: Any) -> None:
    assert build_data(recipe("prompt='good good '")).look.lengths["train"].tolist() == [7] * 6


def test_texts_are_measured_by_a_trained_model_that_a_recipe_starts_from(
    recipe: Any, tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path / "trained")

    look = build_data(recipe("start_from=trained", "backbone=null")).look

    assert (look.lengths["test"].tolist(), look.max_length) == ([5, 5], 16)


def test_the_limits_in_a_tokenizers_files_do_not_shorten_what_is_measured(
    recipe: Any, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.save_pretrained(tmp_path / "cutting")

    assert build_data(recipe("backbone=cutting", "max_length=9")).look.lengths["test"].tolist() == [5, 5]


def test_without_a_tokenizer_nothing_is_measured_and_that_is_said(recipe: Any) -> None:
    look = build_data(recipe("backbone=no/encoder", "max_length=8")).look

    assert look.lengths == {}
    assert look.notes[-1] == "text lengths are unknown: the tokenizer of the recipe's encoder is not available"


def test_streamed_rows_are_refused(recipe: Any) -> None:
    streamed = ["data.streaming=true", "data.split={}", "training.max_steps=2", "tasks.0.class_weights=null"]

    with pytest.raises(RecipeError, match=r"data\.streaming: streamed rows cannot be summarised"):
        build_data(recipe(*streamed, "tasks.1.pos_weight=null"))


def test_a_pair_is_as_long_as_both_its_texts(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = Dataset.from_dict({"text": ["good film", "bad"], "text_pair": ["bad soup", ""], "other": [1, 2]})

    assert text_lengths(rows, tokenizer).tolist() == [7, 4]  # three tokens besides the words


def test_more_texts_than_are_tokenised_at_a_time_are_measured(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = Dataset.from_dict({"text": ["good " * (i % 7) for i in range(2_500)]})

    assert np.array_equal(text_lengths(rows, tokenizer), 2 + np.arange(2_500) % 7)


def test_a_long_text_is_counted_in_pieces(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_multitask.runs.data.LONG", 20)
    monkeypatch.setattr("modeling_multitask.runs.data.PIECE", 50)  # ten times "good "
    rows = Dataset.from_dict({"text": ["good " * 4, "good " * 5, "good " * 25], "text_pair": ["bad", "bad " * 9, ""]})

    assert text_lengths(rows, tokenizer).tolist() == [3 + 5, 3 + 14, 3 + 25]


def test_the_card_and_what_the_rows_depend_on_go_along(recipe: Any, tmp_path: Path) -> None:
    given = recipe("data.leaks=report", "output_dir=/nowhere", "seed=4")
    (tmp_path / "repo").mkdir()

    write_data_repository(given, build_data(given), "me/reviews", tmp_path / "repo")

    card = (tmp_path / "repo" / "README.md").read_text()
    assert "language:\n- en\nlicense: cc-by-4.0\n" in card
    assert "# Reviews\n" in card
    assert (tmp_path / "repo" / "recipe.yaml").read_text() == f"# Built with data.leaks=report seed=4\n{RECIPE}"
    assert "seed': 4" in (tmp_path / "repo" / "build_dataset.py").read_text()


def test_no_pushed_file_names_a_folder_of_this_machine(recipe: Any, tmp_path: Path, backbone: Path) -> None:
    (tmp_path / "broken").mkdir()  # the reason why a tokenizer does not load says where it was looked for
    given = recipe("backbone=broken")
    (tmp_path / "repo").mkdir()

    write_data_repository(given, build_data(given), "me/reviews", tmp_path / "repo")

    content = b"".join(each.read_bytes() for each in (tmp_path / "repo").rglob("*") if each.is_file())
    assert str(tmp_path).encode() not in content


def test_paths_that_only_this_machine_has_are_found_in_a_recipe(recipe: Any, tmp_path: Path) -> None:
    more = f"  # see https://example.com/tmp\noutput_dir: '{tmp_path}'\nexamples: [/no/such/path, and/or]\n"
    (tmp_path / "reviews.yaml").write_text(RECIPE + more)

    assert paths_of_this_machine(recipe()) == [str(tmp_path)]


def test_written_rows_have_names_numbers_and_null(recipe: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        '{"text": "a", "topic": "film", "stars": 0.9, "late": 1, "broken": null}\n'
        '{"text": "b", "topic": null, "stars": null, "late": null, "broken": null}\n'
        '{"text": "c", "topic": "food", "stars": 2, "late": 0, "broken": 0}\n'
    )
    (tmp_path / "reviews.yaml").write_text(
        "backbone: encoder\n"
        "tasks:\n"
        "  - {name: topic, problem_type: single_label_classification}\n"
        "  - {name: stars, problem_type: regression}\n"
        "  - {name: parts, problem_type: multi_label_classification}\n"
        "data:\n"
        "  train: {path: rows.jsonl, labels: {topic: topic, stars: stars, parts: [late, broken]}}\n"
    )

    count = write_rows(recipe(), tmp_path / "written.jsonl")

    assert count == 3
    assert (tmp_path / "written.jsonl").read_text().splitlines() == [
        '{"text": "a", "split": "train", "topic": "film", "stars": 0.9, "parts": {"late": 1, "broken": null}}',
        '{"text": "b", "split": "train", "topic": null, "stars": null, "parts": null}',
        '{"text": "c", "split": "train", "topic": "food", "stars": 2.0, "parts": {"late": 0, "broken": 0}}',
    ]


def test_streamed_rows_are_not_written(recipe: Any, tmp_path: Path) -> None:
    streamed = ["data.streaming=true", "data.split={}", "training.max_steps=2", "tasks.0.class_weights=null"]

    with pytest.raises(RecipeError, match=r"data\.streaming: streamed rows cannot be written"):
        write_rows(recipe(*streamed, "tasks.1.pos_weight=null"), tmp_path / "rows.jsonl")
