"""The parts of a run: its checks before training, and its training settings."""

from pathlib import Path

import pytest
from datasets import Dataset

from modeling_multitask import LearningRates, MultiTaskTrainingArguments, TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.recipes.record import plain_words
from modeling_multitask.recipes.rules import may_validate
from modeling_multitask.runs.outputs import check_output
from modeling_multitask.runs.prepare import TRAINING_DEFAULTS, build_arguments
from modeling_multitask.runs.rows import build_dataset, labelled_rows
from modeling_multitask.runs.start import build_model, load_tokenizer

RECIPE = """
backbone: some/encoder
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [film, food]}
  - {name: tags, problem_type: multi_label_classification, labels: [long, loud]}
data:
  train: {path: reviews.csv, labels: {topic: topic, tags: [long, loud]}}
"""
ROWS = "a,film,1,0\nb,food,,1\nc,film,0,0\nd,food,1,1\n"


def write(folder: Path, rows: str = ROWS) -> Path:
    (folder / "reviews.csv").write_text(f"text,topic,long,loud\n{rows}", encoding="utf-8")
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    return folder / "tiny.yaml"


def arguments(folder: Path, *overrides: str) -> MultiTaskTrainingArguments:
    recipe = load_recipe(write(folder), [f"output_dir={folder}/run", *overrides])
    return build_arguments(recipe, validated=may_validate(plain_words(recipe.data)))


def test_a_folder_that_an_interrupted_run_left_empty_is_taken(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()

    check_output(tmp_path, force=False)


@pytest.mark.parametrize("name", ["model", "checkpoints/checkpoint-3", "results.json"])
def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / "recipe.json").touch()

    with pytest.raises(
        FileExistsError,
        match=rf"output_dir {tmp_path} already contains a run; .* add resume=true to resume it, or --force",
    ):
        check_output(tmp_path, force=False)


def test_a_folder_that_holds_a_run_is_taken_if_forced(tmp_path: Path) -> None:
    (tmp_path / "results.json").touch()
    (tmp_path / "recipe.json").touch()

    check_output(tmp_path, force=True)


@pytest.mark.parametrize("name", ["model/mine.txt", "report/mine.html", "results.json"])
@pytest.mark.parametrize("force", [True, False])
def test_files_that_no_run_has_written_are_never_overwritten(tmp_path: Path, name: str, force: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()

    with pytest.raises(FileExistsError, match=f"contains '{Path(name).parts[0]}', but no run .* choose another output"):
        check_output(tmp_path, force=force)


def test_a_folder_that_holds_something_else_is_taken(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    check_output(tmp_path, force=False)


def test_a_folder_that_is_not_there_is_taken(tmp_path: Path) -> None:
    check_output(tmp_path / "new", force=False)


def with_backbone(folder: Path, backbone: str) -> Recipe:
    return load_recipe(write(folder), [f"backbone={backbone}"])


def test_the_tokenizer_is_that_of_the_backbone(tmp_path: Path, backbone: Path) -> None:
    assert load_tokenizer(with_backbone(tmp_path, str(backbone))).tokenize("the film") == ["the", "film"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("someone/no-such-model", "not a local folder, and not found on the Hub: 'someone/no-such-model'"),
        ("package:no_such_package/model", ".* the Python package 'no_such_package' is not installed"),
        ("package:transformers/none", ".* the package 'transformers' has no folder 'none'"),
    ],
)
def test_a_backbone_that_does_not_exist_is_an_error(tmp_path: Path, name: str, problem: str) -> None:
    message = rf"tiny\.yaml has a problem:\n  backbone: {problem}"
    with pytest.raises(RecipeError, match=message):
        load_tokenizer(with_backbone(tmp_path, name))


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="backbone: the tokenizer of this folder does not load: "):
        load_tokenizer(with_backbone(tmp_path, str(tmp_path)))


@pytest.mark.parametrize("setting", sorted(TRAINING_DEFAULTS.keys() - {"eval_strategy", "report_to"}))
def test_a_run_has_defaults_of_its_own(tmp_path: Path, setting: str) -> None:
    assert getattr(arguments(tmp_path), setting) == TRAINING_DEFAULTS[setting]


def test_nothing_is_reported_to_a_tracker_by_default(tmp_path: Path) -> None:
    assert arguments(tmp_path).report_to == []


@pytest.mark.parametrize("setting", ["eval_strategy", "save_strategy"])
def test_every_epoch_is_evaluated_and_saved_where_rows_are_held_out(tmp_path: Path, setting: str) -> None:
    assert getattr(arguments(tmp_path, "data.split.validation=0.2"), setting) == "epoch"


@pytest.mark.parametrize("setting", ["eval_strategy", "save_strategy"])
def test_every_epoch_is_evaluated_and_saved_where_there_is_a_validation_file(tmp_path: Path, setting: str) -> None:
    file = "data.validation={path: reviews.csv, labels: {topic: topic}}"

    assert getattr(arguments(tmp_path, file), setting) == "epoch"


@pytest.mark.parametrize(("setting", "value"), [("eval_strategy", "no"), ("save_strategy", "epoch")])
def test_a_run_without_validation_rows_is_only_saved(tmp_path: Path, setting: str, value: str) -> None:
    assert getattr(arguments(tmp_path), setting) == value


@pytest.mark.parametrize(("split", "best"), [("{validation: 0.2}", True), ("{test: 0.2}", False)])
def test_the_best_checkpoint_is_taken_where_there_are_validation_rows(tmp_path: Path, split: str, best: bool) -> None:
    assert arguments(tmp_path, f"data.split={split}").load_best_model_at_end is best


def test_the_best_checkpoint_is_that_of_the_best_score(tmp_path: Path) -> None:
    assert arguments(tmp_path, "data.split.validation=0.25").metric_for_best_model == "score"  # P18


def test_the_log_is_written_every_epoch(tmp_path: Path) -> None:
    assert arguments(tmp_path).logging_strategy == "epoch"


def test_checkpoints_lie_in_the_output_folder(tmp_path: Path) -> None:
    assert arguments(tmp_path).output_dir == f"{tmp_path}/run/checkpoints"


def test_the_seed_is_that_of_the_recipe(tmp_path: Path) -> None:
    assert arguments(tmp_path, "seed=7").seed == 7


def test_what_a_recipe_says_of_training_takes_the_place_of_the_defaults(tmp_path: Path) -> None:
    given = arguments(tmp_path, "training={per_device_eval_batch_size: 2, num_train_epochs: 1, logging_strategy: 'no'}")

    assert (given.per_device_eval_batch_size, given.num_train_epochs, given.logging_strategy) == (2, 1, "no")


def test_learning_rates_and_what_is_frozen_are_handed_on(tmp_path: Path) -> None:
    given = arguments(tmp_path, "freeze=backbone", "learning_rates={heads: 1e-3, backbone: 2e-5}")

    assert given.freeze == "backbone"
    assert given.rates() == LearningRates(heads=1e-3, backbone=2e-5, layer_decay=1.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.eval_strategy=sometimes", "training: sometimes is not a valid IntervalStrategy"),
        ("training.warmup_steps=-1", "training: .*warmup_steps"),
        ("training.save_strategy=steps", "training: .*requires the save and eval strategy to match"),
    ],
)
def test_a_value_that_transformers_refuses_is_an_error(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        arguments(tmp_path, "data.split.validation=0.2", override)


def test_the_tables_of_a_recipe_become_its_data_set(tmp_path: Path) -> None:
    dataset, _ = build_dataset(load_recipe(write(tmp_path)))

    assert dataset["train"][1] == {"text": "b", "topic": 1, "tags": {"long": None, "loud": 1}, "table": 0, "line": 3}


def test_the_seed_of_a_split_is_that_of_the_recipe_if_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS * 10)

    left_out, said = (
        build_dataset(load_recipe(path, ["data.split.test=0.5", f"{name}=5"]))[0]["test"].to_dict()
        for name in ("seed", "data.split.seed")
    )

    assert left_out == said


def test_labelled_rows_are_counted_by_task() -> None:
    tasks = [
        TaskConfig("topic", "single_label_classification", labels=["film", "food"]),
        TaskConfig("rating", "regression"),
    ]
    rows = Dataset.from_dict({"topic": [0, None, 1], "rating": [None, None, 0.0]})

    assert labelled_rows(rows, tasks) == {"topic": 2, "rating": 1}


def test_a_multi_label_row_with_one_position_is_a_labelled_row(tmp_path: Path) -> None:
    dataset, tasks = build_dataset(load_recipe(write(tmp_path)))

    assert labelled_rows(dataset["train"], tasks) == {"topic": 4, "tags": 4}


def test_a_multi_label_row_without_any_position_is_no_labelled_row(tmp_path: Path) -> None:
    dataset, tasks = build_dataset(load_recipe(write(tmp_path, f"{ROWS}e,film,,\n")))

    assert labelled_rows(dataset["train"], tasks) == {"topic": 5, "tags": 4}


def test_a_backbone_that_is_too_short_for_the_length_is_an_error(tmp_path: Path, backbone: Path) -> None:
    recipe = load_recipe(write(tmp_path), [f"backbone={backbone}", "max_length=128"])

    with pytest.raises(RecipeError, match="backbone: max_length is 128, but this encoder takes at most 64 tokens"):
        build_model(recipe, build_dataset(recipe)[1], load_tokenizer(recipe))
