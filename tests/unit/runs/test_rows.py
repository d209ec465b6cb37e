"""The rows of a recipe: its splits, the parents that its rows tell, and the same checks for `train` and `data`."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder import MultiTaskBuilder
from modeling_multitask import MultiTaskModel
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs import prepare as preparation
from modeling_multitask.runs.data import build_data
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.rows import build_dataset

RECIPE = """
backbone: encoder
max_length: 16
tasks:
  - {name: domain, problem_type: single_label_classification}
  - {name: intent, problem_type: single_label_classification, given: {task: domain}}
  - {name: tags, problem_type: multi_label_classification, labels: [long, loud, odd]}
data:
  train: {path: rows.csv, labels: {domain: domain, intent: intent, tags: [long, loud, odd]}}
  split: {validation: 0.3}
training: {max_steps: 1, use_cpu: true}
"""
ON_HUB = ("data={train: me/reviews}", "tasks=[{name: topic, problem_type: single_label_classification}]")
# A task of the trained model without labels in the rows, and a new one.
KEPT = "{name: topic, problem_type: single_label_classification}"
NEW = "{name: domain, problem_type: single_label_classification}"
NEW_ONLY = "data.train={path: rows.csv, labels: {domain: domain}}"

BATCH = {"input_ids", "attention_mask", "token_type_ids", "labels"}

# The rows of each split of bundled recipes with seed 0. Published figures depend on them.
DRAWN = {
    "quickstart": {"train": "d58a757ac57f", "validation": "13fcaefc363e", "test": "d7cc5fec5450"},
    "s0": {"train": "a8c360c687bb", "validation": "9d5e307b5f01", "test": "074d56f23782"},
    "s2": {"train": "3795956ee669", "validation": "f6b54ba26148", "test": "d1c0e1ee755d"},
    "s3": {"train": "94a3f337d93e", "test": "f067b6ef33b3"},
    "s4": {"train": "c69cfa62d4b9", "test": "d24a9e1328d0"},
}


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Callable[..., Recipe]:
    """Load a recipe of 40 rows: of each four, three are of `bank`; `loud` is never no, and `odd` is never yes."""
    (tmp_path / "encoder").symlink_to(backbone)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    lines = [f"t{i},{'travel,visa' if i % 4 == 0 else 'bank,pin'},{i % 2},{'1' if i % 3 else ''},0" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,domain,intent,long,loud,odd", *lines]) + "\n")
    return lambda *words: load_recipe(tmp_path / "recipe.yaml", [f"output_dir={tmp_path}/out", *words])


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings about rows."""
    said: list[str] = []
    monkeypatch.setattr(logging.get_logger("modeling_multitask.runs.rows"), "warning", said.append)
    return said


@pytest.fixture
def hub_splits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits of a data set on the Hub."""
    names = ["train", "validation"]
    rows = {"text": [f"t{i}" for i in range(8)], "topic": ["film", "food"] * 4}
    monkeypatch.setattr("datasets_builder.builder.get_dataset_split_names", lambda *_, **__: names)
    monkeypatch.setattr("datasets_builder.sources.load_dataset", lambda *_, **__: Dataset.from_dict(rows))
    return names


def add_row(folder: Path, line: str) -> None:
    with (folder / "rows.csv").open("a") as file:
        file.write(f"{line}\n")


@pytest.mark.parametrize("name", DRAWN)
def test_the_rows_of_a_bundled_recipe_are_drawn_as_ever(name: str) -> None:
    dataset, _ = build_dataset(load_recipe(name, ["seed=0"]))

    texts = {split: "\n".join(rows["text"]) for split, rows in dataset.items()}
    assert {split: hashlib.sha256(each.encode()).hexdigest()[:12] for split, each in texts.items()} == DRAWN[name]


@pytest.mark.parametrize("seed", range(4))
def test_parents_are_read_from_the_rows_before_the_split(recipe: Any, tmp_path: Path, seed: int) -> None:
    # `train` keeps a row of `visa on arrival`, but only one of its two rows tells its parent.
    add_row(tmp_path, "visa at the border,,visa on arrival,1,1,0")
    add_row(tmp_path, "visa at the airport,travel,visa on arrival,1,1,0")

    _, tasks = build_dataset(recipe("data.split={validation: 0.4, test: 0.3}", f"seed={seed}"))

    assert tasks[1].given is not None
    assert tasks[1].given.parents == {"pin": "bank", "visa": "travel", "visa on arrival": "travel"}


def test_rows_without_any_label_are_skipped_in_training_and_stay_in_the_data_set(recipe: Any, tmp_path: Path) -> None:
    for text in ("an unread ticket", "another one"):
        add_row(tmp_path, f"{text},,,,,")
    whole = recipe("data.split.validation=null")

    prepared = prepare(whole)

    assert (len(build_dataset(whole)[0]["train"]), len(prepared.rows["train"])) == (42, 40)
    assert "train: 2 rows without any label are skipped in training" in build_data(whole).look.notes


def problems_of(act: Callable[[], Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        act()
    return caught.value.problems


@pytest.mark.parametrize(
    ("row", "words", "problem"),
    [
        ("x,travel,pin,,,", [], "the label 'pin' occurs with several labels of 'domain'"),
        ("x,,seat,,,", [], "the label 'seat' occurs with no label of 'domain'"),
        ("", ["tasks.1.given={task: domain, labels: [banks]}"], "labels: 'banks' is not a label of 'domain'"),
        ("", ["tasks.0.class_weights={banks: 2}"], "class_weights has 'banks', which is not one of its 2 labels"),
    ],
)
def test_what_train_refuses_data_refuses_in_the_same_words(
    recipe: Any, tmp_path: Path, row: str, words: list[str], problem: str
) -> None:
    add_row(tmp_path, row)
    given = recipe(*words)

    found = problems_of(lambda: build_data(given))

    assert problem in found[0]
    assert found == problems_of(lambda: prepare(given))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["start_from=nowhere"], "start_from: "),
        (["start_from=trained", "rename_labels={pins: x}"], "rename_labels: no kept task has the label 'pins'"),
        (
            ["start_from=trained", f"tasks=[{KEPT}, {NEW}]", NEW_ONLY, "tasks.0.labels=[a, b]"],
            "start_from: task 'topic': its labels are ['a', 'b'], but it was trained with",  # none of them
        ),
        (
            ["start_from=trained", f"tasks=[{KEPT}, {NEW}]", NEW_ONLY, "tasks.0.class_weights=balanced"],
            "tasks: task 'topic': its weights cannot be balanced, because no training row has a label for it",
        ),
    ],
)
def test_data_refuses_what_contradicts_the_trained_model_as_train_does(
    recipe: Any,
    tmp_path: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    words: list[str],
    problem: str,
) -> None:
    save_folder(model, tokenizer, tmp_path / "trained")
    given = recipe("backbone=null", "max_length=null", *words)

    found = problems_of(lambda: build_data(given))

    assert problem in found[0]
    assert found == problems_of(lambda: prepare(given))


NEVER = (
    "task 'tags': 1 of 3 labels are never yes in training ('odd'), and 1 of 3 labels are never no in training ('loud')"
)


def test_data_refuses_a_sampling_that_the_rows_do_not_fit(recipe: Any) -> None:
    balanced = recipe("sampling={strategy: balanced, task: tags}")

    problems = [problems_of(lambda act=act: act(balanced)) for act in (build_data, prepare)]
    assert "sampling.strategy 'balanced' needs integers in the column 'tags'" in problems[0][0]
    assert problems[0] == problems[1]


def test_validation_rows_without_any_label_are_a_warning(recipe: Any, tmp_path: Path, warned: list[str]) -> None:
    (tmp_path / "held_out.csv").write_text("text,domain\nx,\n")
    build_dataset(recipe("data.split={}", "data.validation={path: held_out.csv, labels: {domain: domain}}"))

    assert "validation: no row has a label; the last weights are kept, and nothing is calibrated" in warned


@pytest.mark.parametrize("act", [prepare, plan, build_data], ids=lambda act: act.__name__)
def test_labels_that_training_cannot_learn_are_a_warning(recipe: Any, warned: list[str], act: Callable) -> None:
    act(recipe("tasks.0.labels=[bank, travel, garden]"))

    assert warned == ["task 'domain': 1 of 3 labels are never seen in training ('garden')", NEVER]


def test_the_warnings_are_among_the_notes_of_the_data(recipe: Any) -> None:
    assert build_data(recipe()).look.notes[-1] == NEVER


def test_a_label_whose_rows_do_not_count_has_no_training_row(recipe: Any, warned: list[str]) -> None:
    given = "tasks.1.given={task: domain, labels: [bank]}"  # every row of `visa` is of `travel`

    prepare(recipe(given))

    assert warned[0] == "task 'intent': 1 of 2 labels are never seen in training ('visa')"


def test_a_label_that_is_only_a_share_of_soft_labels_is_seen(recipe: Any, tmp_path: Path, warned: list[str]) -> None:
    (tmp_path / "soft.csv").write_text("text,bank,travel,garden\na,2,1,0\nb,3,0,0\n")
    labels = "{domain: {soft: {bank: bank, travel: travel, garden: garden}}}"
    task = "{name: domain, problem_type: single_label_classification, labels: [bank, travel, garden]}"

    prepare(recipe(f"tasks=[{task}]", "data.split={}", f"data.train={{path: soft.csv, labels: {labels}}}"))

    assert "task 'domain': 1 of 3 labels are never seen in training ('garden')" in warned


def test_a_task_that_only_keeps_its_head_has_no_warning(
    recipe: Any, tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, warned: list[str]
) -> None:
    save_folder(model, tokenizer, tmp_path / "trained")

    prepare(recipe("backbone=null", "max_length=null", "start_from=trained", f"tasks=[{KEPT}, {NEW}]", NEW_ONLY))

    assert warned == []


@pytest.mark.parametrize(("split", "strategy"), [("validation", "epoch"), ("test", "no")])
def test_a_run_is_evaluated_if_the_data_set_on_the_hub_has_validation_rows(
    recipe: Any, hub_splits: list[str], monkeypatch: pytest.MonkeyPatch, split: str, strategy: str
) -> None:
    hub_splits[1] = split
    build, built = preparation.build_arguments, []
    monkeypatch.setattr(
        preparation, "build_arguments", lambda *given, **words: built.append(words) or build(*given, **words)
    )

    arguments = prepare(recipe(*ON_HUB)).trainer.args

    assert (arguments.eval_strategy, arguments.load_best_model_at_end) == (strategy, strategy == "epoch")
    assert built == [{"validated": strategy == "epoch"}]  # decided once


def test_abstention_needs_validation_rows_on_the_hub_too(recipe: Any, hub_splits: list[str]) -> None:
    del hub_splits[1]

    problems = problems_of(lambda: prepare(recipe(*ON_HUB, "tasks.0.abstain={coverage: 0.9}")))

    assert problems == [
        "tasks[0].abstain: needs validation rows, and there are none; add data.validation or data.split.validation, or "
        "leave it out"
    ]


def test_a_wrong_training_argument_is_an_error_before_the_rows_are_built(
    recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    monkeypatch.setattr(MultiTaskBuilder, "download_and_prepare", lambda *_: built.append("rows"))

    problems = problems_of(lambda: prepare(recipe("training.eval_strategy=sometimes")))

    assert problems[0].startswith("training: sometimes is not a valid IntervalStrategy")
    assert built == []


def test_rows_of_a_recipe_have_their_place_and_batches_do_not(recipe: Any, tmp_path: Path) -> None:
    trainer = prepare(recipe()).trainer

    for rows in (trainer.train_dataset, trainer.eval_dataset):
        assert rows.features["table"].names == [str(tmp_path / "rows.csv")]
        assert rows["line"][:] == [int(text[1:]) + 2 for text in rows["text"]]
    for batches in (trainer.get_train_dataloader(), trainer.get_eval_dataloader()):
        assert set(next(iter(batches))) == BATCH


def test_batches_of_streamed_rows_do_not_have_their_place(recipe: Any) -> None:
    labels = "labels: [bank, travel]"
    trainer = prepare(
        recipe(
            "data={train: {path: rows.csv}, streaming: true}",
            f"tasks=[{{name: domain, problem_type: single_label_classification, {labels}}}]",
            "training={max_steps: 1, use_cpu: true, eval_strategy: 'no'}",
        )
    ).trainer

    assert list(next(iter(trainer.train_dataset)))[:4] == ["text", "domain", "table", "line"]
    assert set(next(iter(trainer.get_train_dataloader()))) == BATCH


def test_texts_are_tokenised_without_their_labels(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped: list[list[str]] = []
    whole = Dataset.map

    def noted(rows: Dataset, *args: Any, **words: Any) -> Dataset:
        if words.get("desc") == "Tokenising":
            mapped.append(rows.column_names)
        return whole(rows, *args, **words)

    monkeypatch.setattr(Dataset, "map", noted)

    train = prepare(recipe()).rows["train"]

    assert mapped == [["text"], ["text"]]  # PITFALLS P157
    assert {"domain", "intent", "tags", "input_ids"} <= set(train.column_names)
    assert "text" in train.column_names
