"""Complete runs of dependent tasks: the training, the saved model, and its answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer
from transformers.utils import logging

from modeling_multitask import MultiTaskModel
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.run import Run, run_recipe
from tests.conftest import WORDS

RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: [8]}}
tasks:
  - {{name: sentiment, problem_type: binary_classification, labels: [negative, positive]}}
  - {{name: reason, problem_type: single_label_classification, given: {{task: sentiment, labels: [negative]}}}}
  - {{name: faults, problem_type: multi_label_classification, given: {{task: reason, labels: [broken]}}}}
  - {{name: damage, problem_type: regression, given: {{task: sentiment, labels: [negative]}}}}
  - {{name: domain, problem_type: single_label_classification}}
  - {{name: intent, problem_type: single_label_classification, given: {{task: domain}}}}
  - {{name: urgent, problem_type: binary_classification, labels: ["no", "yes"]}}
data:
  train: {{path: rows.csv, labels: &columns {{sentiment: sentiment, reason: reason, damage: damage, domain: domain,
    intent: intent, urgent: urgent, faults: {{column: faults, separator: " "}}}}}}
  validation: {{path: rows.csv, labels: *columns}}
training: {{num_train_epochs: 2, per_device_train_batch_size: 8, disable_tqdm: true}}
learning_rates: {{heads: 1e-2, backbone: 1e-3}}
calibrate: [temperature, thresholds]
report: false
output_dir: {output}
"""
PARENTS = {"pin": "bank", "balance": "bank", "visa": "travel"}


def row(i: int) -> str:
    """Every label of two reasons, also of positive rows; every third row lacks its sentiment."""
    sentiment = ["negative", "positive", ""][i % 3]
    reason = ["broken", "dear"][i % 2]
    intent = list(PARENTS)[i % 3]
    text = " ".join(WORDS[(i * k) % len(WORDS)] for k in (1, 3, 5))
    faults = ["screen", "phone", "screen phone"][i % 3]
    return f"{i} {text},{sentiment},{reason},{faults},{i % 5},{PARENTS[intent]},{intent},{'yes' if i % 4 else 'no'}"


def build(folder: Path, backbone: Path) -> Callable[..., Recipe]:
    """Write the recipe and its rows. Accepts overrides."""
    header = "text,sentiment,reason,faults,damage,domain,intent,urgent"
    (folder / "rows.csv").write_text("\n".join([header, *map(row, range(24))]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone=backbone, output=folder / "out"))
    return lambda *words: load_recipe(folder / "recipe.yaml", list(words))


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Callable[..., Recipe]:
    return build(tmp_path, backbone)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Run:
    """The recipe, carried out. A few rows are enough for calibration here."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("FEWEST_ROWS", "FEWEST_OF_EACH"):
            patch.setattr(f"modeling_multitask.evaluation.calibration.{limit}", 1)
        return run_recipe(build(tmp_path_factory.mktemp("run"), backbone)())


def test_the_model_knows_the_parents_that_the_rows_told(run: Run) -> None:
    tasks = json.loads((run.folder / "config.json").read_text())["tasks"]

    conditions = {task["name"]: task["given"] for task in tasks}
    assert conditions["intent"] == {"task": "domain", "labels": None, "parents": PARENTS}
    assert conditions["reason"] == {"task": "sentiment", "labels": ["negative"], "parents": None}
    assert conditions["faults"] == {"task": "reason", "labels": ["broken"], "parents": None}
    assert conditions["domain"] is None


def test_answers_of_the_saved_model_never_contradict_each_other(run: Run) -> None:
    texts = [f"{one} {other}" for one in WORDS for other in WORDS]
    model, tokenizer = MultiTaskModel.from_pretrained(run.folder).eval(), AutoTokenizer.from_pretrained(run.folder)
    with torch.no_grad():  # a few steps leave a head that says the same of all; of half of them it is to say the other
        sentiment = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits["sentiment"]
        model.heads.sentiment[-1].bias -= sentiment.median()

    rows = predict(model, texts, tokenizer=tokenizer)

    for answer in rows:
        assert PARENTS[answer["intent"]["label"]] == answer["domain"]["label"]
        negative = answer["sentiment"]["label"] == "negative"
        assert (answer["reason"]["label"] is not None) == negative
        assert (answer["damage"]["score"] is not None) == negative
        assert answer["reason"]["label"] == "broken" or answer["faults"] == []
    assert {answer["sentiment"]["label"] for answer in rows} == {"negative", "positive"}


def test_rows_are_counted_without_those_whose_labels_answer_no_question(run: Run) -> None:
    # 8 rows are positive. Of the 16 others 8 have the reason broken.
    expected = {"sentiment": 16, "reason": 16, "faults": 8, "damage": 16, "domain": 24, "intent": 24, "urgent": 24}

    assert run.labelled_rows == expected
    assert {name: run.results["validation"][name]["rows"] for name in expected} == expected


def test_a_dry_run_counts_the_same_rows(recipe: Callable[..., Recipe], run: Run) -> None:
    assert plan(recipe()).labelled == run.labelled_rows


def values_and_notes(run: Run, value: str) -> dict[str, tuple[Any, str]]:
    """A value of each task, and the notes on values that were not fitted."""
    found = json.loads((run.folder.parent / "calibration.json").read_text())
    return {name: (each[value], " ".join(each["notes"])) for name, each in found.items()}


def test_labels_that_are_chosen_together_have_no_thresholds(run: Run) -> None:
    found = values_and_notes(run, "thresholds")

    fitted = {name for name, (thresholds, notes) in found.items() if thresholds or "the threshold of" in notes}
    # Another threshold of sentiment would give an answer that does not go best with the reason. Several labels have no
    # say in another task's answer.
    assert fitted == {"urgent", "faults"}


def test_every_head_of_labels_has_its_temperature(run: Run) -> None:
    found = values_and_notes(run, "temperature")

    assert found.pop("damage") == (1, "")
    assert all(temperature != 1 or "search ended at its bound" in notes for temperature, notes in found.values())
    assert found["intent"][0] != 1


def test_balanced_weights_count_the_labels_that_are_trained_on(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    lines = (tmp_path / "rows.csv").read_text().replace("positive,broken", "positive,dear")
    (tmp_path / "rows.csv").write_text(lines)

    tasks = prepare(recipe("tasks.1.class_weights=balanced")).tasks

    assert tasks[1].class_weights == [1.0, 1.0]  # 8 negative or unknown rows each; the positive ones are all dear


def test_labels_that_are_left_out_are_said(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(logging.get_logger("modeling_multitask.training.conditions"), "warning", said.append)

    prepare(recipe())

    assert said == [
        "task 'reason': 8 labels are left out of training (condition on the task 'sentiment')",
        "task 'faults': 12 labels are left out of training (condition on the task 'reason')",
        "task 'damage': 8 labels are left out of training (condition on the task 'sentiment')",
    ]


def test_a_label_beside_several_parents_is_an_error_with_its_place(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("bank,pin", "travel,pin", 1))

    message = (
        r"tasks: task 'intent': given\.parents is missing, .* 'pin' occurs with several labels of 'domain': 'bank' \(7"
    )
    with pytest.raises(RecipeError, match=message):
        prepare(recipe())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "tasks.5.given.parents={pin: bank, visa: travel}",
            "parents: must name each label of the task; 'balance' is mi",
        ),
        ("tasks.5.given.parents={pin: bank, balance: bank, visa: travl}", "parents: 'travl' .*; did you mean 'travel'"),
        ("tasks.5.given.labels=[bnak]", "labels: 'bnak' is not a label of 'domain'; did you mean 'bank'"),
    ],
)
def test_a_condition_that_does_not_fit_labels_from_the_tables_is_an_error_with_its_place(
    recipe: Callable[..., Recipe], words: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=rf"tasks: task 'intent': given\.{message}"):
        prepare(recipe(words))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("tasks.1.given.labels=[true]", "tasks[1].given.labels[0]: is True; it must be text; write 'true', in quotes"),
        ("tasks.5.given={labels: [bank]}", "tasks[5].given.task: is missing"),
        ("tasks.5.given.parent={pin: bank}", "tasks[5].given.parent: no such word; did you mean 'parents'?"),
        ("tasks.5.given.task=domian", "tasks[5].given.task: is 'domian', which is none of the tasks before it"),
    ],
)
def test_a_condition_that_is_miswritten_is_an_error_before_anything_is_read(
    recipe: Callable[..., Recipe], words: str, problem: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(words)

    assert any(each.startswith(problem) for each in caught.value.problems)


def test_rows_that_are_streamed_train_with_parents_that_are_written(recipe: Callable[..., Recipe]) -> None:
    streamed = ["data.streaming=true", "training.max_steps=2", "tasks.4.labels=[bank, travel]"]
    streamed += ["tasks.1.labels=[broken, dear]", "tasks.2.labels=[phone, screen]"]
    parents = "tasks.5={name: intent, problem_type: single_label_classification, labels: [balance, pin, visa], "
    parents += "given: {task: domain, parents: {pin: bank, balance: bank, visa: travel}}}"

    run = run_recipe(recipe(*streamed, parents))

    assert run.model.config.tasks[5].given.parents == PARENTS
    assert run.labelled_rows["reason"] is None
    assert run.results["validation"]["reason"]["rows"] == 16


def test_a_task_that_depends_on_a_trained_one_is_added(recipe: Callable[..., Recipe], run: Run, tmp_path: Path) -> None:
    tasks = "tasks=[{name: domain, problem_type: single_label_classification}, {name: sort, problem_type: "
    tasks += "single_label_classification, given: {task: domain}}]"
    data = "data={train: {path: rows.csv, labels: {domain: domain, sort: intent}}}"

    grown = prepare(recipe(f"start_from={run.folder}", f"output_dir={tmp_path}/grown", tasks, data, "calibrate=[]"))

    assert grown.trainer.model.config.tasks[1].given.parents == PARENTS


@pytest.mark.parametrize(
    ("words", "parents"), [("", PARENTS), (", given: {task: domain}", PARENTS), (", given: null", None)]
)
def test_a_task_that_is_kept_depends_on_what_it_was_trained_to_unless_the_recipe_says_otherwise(
    recipe: Callable[..., Recipe], run: Run, tmp_path: Path, words: str, parents: dict[str, str] | None
) -> None:
    kind = "problem_type: single_label_classification"
    tasks = f"tasks=[{{name: domain, {kind}}}, {{name: intent, {kind}{words}}}]"
    data = "data={train: {path: rows.csv, labels: {domain: domain, intent: intent}}}"

    grown = prepare(recipe(f"start_from={run.folder}", f"output_dir={tmp_path}/grown", tasks, data, "calibrate=[]"))

    given = grown.trainer.model.config.tasks[1].given
    assert (given and given.parents) == parents


def test_a_task_whose_other_task_is_dropped_is_asked_always(
    recipe: Callable[..., Recipe], run: Run, tmp_path: Path
) -> None:
    tasks = "tasks=[{name: intent, problem_type: single_label_classification}]"
    data = "data={train: {path: rows.csv, labels: {intent: intent}}}"

    grown = prepare(recipe(f"start_from={run.folder}", f"output_dir={tmp_path}/grown", tasks, data, "calibrate=[]"))

    assert grown.trainer.model.config.tasks[0].given is None


def test_a_condition_follows_its_renamed_labels(recipe: Callable[..., Recipe], run: Run, tmp_path: Path) -> None:
    label, parent = next(iter(PARENTS.items()))
    kind = "problem_type: single_label_classification"
    tasks = f"tasks=[{{name: domain, {kind}}}, {{name: intent, {kind}, aliases: {{{label}: renamed}}}}]"
    words = [f"rename_labels={{{label}: renamed}}", "calibrate=[]"]
    data = "data={train: {path: rows.csv, labels: {domain: domain, intent: intent}}}"

    grown = prepare(recipe(f"start_from={run.folder}", f"output_dir={tmp_path}/grown", tasks, data, *words))

    assert grown.trainer.model.config.tasks[1].given.parents["renamed"] == parent
