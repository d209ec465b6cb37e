"""The report command with --compare: both models on the same rows, what is left out, and errors before models run."""

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.commands.report import main
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.record import recipe_words
from modeling_multitask.runs import compared  # noqa: F401  (it keeps the `judge` that it finds when it is imported)
from tests.conftest import tiny_bert_config

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["food", "music", "film"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["loud", "new"]}
RATING = {"name": "rating", "problem_type": "regression"}
ROWS = [
    {
        "text": f"the good {word} {i}",
        "topic": ["film", "food", "phone", "music"][i % 4],
        "rating": i,
    }
    for i, word in enumerate(["film", "food", "phone", "soup"] * 6)
]
Command = Callable[..., int]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture
def save_other(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Callable[..., str]:
    """Save a random model with these tasks as `other/model`."""

    def save(*tasks: dict[str, Any]) -> str:
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks), max_length=16)
        save_folder(MultiTaskModel(config).eval(), tokenizer, tmp_path / "other" / "model")
        return str(tmp_path / "other" / "model")

    return save


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    save_folder(model, tokenizer, tmp_path / "new" / "model")
    return str(tmp_path / "new" / "model")


@pytest.fixture
def command(tmp_path: Path, folder: str) -> Command:
    """The command with the model, the table `rows.csv`, and the output `out`."""
    write(tmp_path / "rows.csv", ROWS)
    return lambda other, data="rows.csv", *words: main(
        [folder, str(tmp_path / data), "--compare", other, "--output", f"{tmp_path}/out", "--resamples", "100", *words]
    )


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def reported(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out" / "report.json").read_text())


def test_both_models_are_compared_on_the_labels_that_they_share(
    tmp_path: Path, folder: str, save_other: Callable[..., str], command: Command
) -> None:
    other = save_other(TOPIC, RATING)

    assert command(other) == 0

    own = reported(tmp_path)["comparison"]["tasks"]["topic"]
    there = [row for row in ROWS if row["topic"] in ("film", "food")]
    truth = [row["topic"] for row in there]
    accuracies = [
        metrics.accuracy_score(
            truth, [each["topic"]["label"] for each in predict(name, [row["text"] for row in there])]
        )
        for name in (folder, other)
    ]
    found = own["figures"]["accuracy"]
    assert (own["rows"], own["left_out"]) == (12, {"phone": 6, "music": 6})
    assert [found[name]["value"] for name in ("model", "other")] == pytest.approx(accuracies)
    assert found["improvement"]["value"] == pytest.approx(accuracies[0] - accuracies[1])


def test_each_row_with_different_answers_has_the_line_of_its_file(
    tmp_path: Path, save_other: Callable[..., str], command: Command
) -> None:
    assert command(save_other(TOPIC, RATING)) == 0

    lines = (tmp_path / "rows.csv").read_text().splitlines()
    with (tmp_path / "out" / "differences.csv").open(newline="") as file:
        different = list(csv.DictReader(file))
    assert {each["task"] for each in different} == {"topic", "rating"}
    for each in different:
        assert (each["table"], lines[int(each["line"]) - 1].split(",")[0]) == ("rows.csv", each["text"])
    assert f"rows.csv:{different[0]['line']}" in (tmp_path / "out" / "report.html").read_text()


def test_numbers_are_compared_with_their_labels(
    tmp_path: Path, folder: str, save_other: Callable[..., str], command: Command
) -> None:
    other = save_other(RATING)
    write(tmp_path / "rows.csv", [{"text": row["text"], "rating": row["rating"]} for row in ROWS])

    assert command(other) == 0

    truth, texts = [row["rating"] for row in ROWS], [row["text"] for row in ROWS]
    errors = [
        np.mean([abs(each["rating"]["score"] - label) for each, label in zip(predict(name, texts), truth, strict=True)])
        for name in (folder, other)
    ]
    found = reported(tmp_path)["comparison"]["tasks"]["rating"]["figures"]["mae"]
    assert found["improvement"]["value"] == pytest.approx(errors[1] - errors[0], abs=1e-4)


def test_a_label_that_only_the_other_model_has_is_missing_in_the_report(
    tmp_path: Path, save_other: Callable[..., str], command: Command
) -> None:
    tags = ["long;loud", "new", ""]
    write(tmp_path / "rows.csv", [{**row, "tags": tags[i % 3]} for i, row in enumerate(ROWS)])

    assert command(save_other(TOPIC, TAGS)) == 0

    report = reported(tmp_path)
    assert report["tasks"]["topic"]["rows"] == 18  # of 24, 6 have the label music
    assert {label: each["support"] for label, each in report["tasks"]["tags"]["classes"].items()} == {
        "long": 8,
        "loud": 8,
    }
    assert report["notes"] == [
        "The task 'topic' has no metrics for labels that the model does not have: 'music' (6 rows)",
        "The task 'tags' has no metrics for labels that the model does not have: 'new' (8 rows)",
    ]
    assert report["comparison"]["tasks"]["tags"]["left_out"] == {"long": 8, "new": 8}


def test_each_task_has_a_line_with_both_values_the_difference_and_a_verdict(
    save_other: Callable[..., str], command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_other(TOPIC, RATING)

    assert command(other) == 0

    printed = capsys.readouterr().out
    verdict = r"(better|worse|no clear difference)"
    assert f"Compared with {other} (an improvement is positive if this model is better):\n" in printed
    assert "Only this model has the tasks 'sentiment', 'tags', 'grade'\n" in printed
    number = r"-?\d+\.\d+"
    line = rf"\nrating: spearman {number}, other model {number}, improvement [+-]\d+\.\d+ \(.*\): {verdict}\n"
    assert re.search(line, printed)


def test_a_model_can_be_compared_with_itself(
    tmp_path: Path, folder: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "rows.csv", [{**row, "topic": "film"} for row in ROWS])

    assert command(folder) == 0

    assert "rating: spearman" in (printed := capsys.readouterr().out)
    assert printed.count("improvement +0.000: no clear difference") == 2  # without an interval
    assert (tmp_path / "out" / "differences.csv").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (None, "modle: not a local folder ("),
        ({**RATING, "name": "price"}, "nothing can be compared with "),
        ({**RATING, "name": "topic"}, "its answer is one label in this model, and a number in the other model"),
        ({**TAGS, "name": "grade"}, "its answer is one of ordered labels in this model, and any number of labels"),
    ],
    ids=["no model", "no task", "another form", "several labels"],
)
def test_models_that_cannot_be_compared_are_an_error_before_they_run(
    tmp_path: Path,
    save_other: Callable[..., str],
    command: Command,
    other: dict[str, Any] | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("modeling_multitask.evaluation.judged.judge", None)

    code = command(f"{tmp_path}/modle" if other is None else save_other(other))

    assert code == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_without_labels_of_a_shared_task_is_an_error(
    tmp_path: Path, save_other: Callable[..., str], command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "rows.csv", [{"text": "a", "topic": "film"}])

    assert command(save_other(RATING)) == 1
    assert "rows.csv: no labels for a task that both models have: 'rating'" in capsys.readouterr().err


def test_an_unknown_label_of_both_models_is_an_error(
    tmp_path: Path, save_other: Callable[..., str], command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "bad.csv", [{"text": "a", "topic": "sport"}])

    assert command(save_other(TOPIC), "bad.csv") == 1
    assert "'sport' is not one of 'film', 'food', 'phone', 'music'" in capsys.readouterr().err


def test_both_models_read_both_texts_of_a_pair(
    tmp_path: Path, folder: str, save_other: Callable[..., str], command: Command
) -> None:
    other = save_other(RATING)
    write(tmp_path / "rows.csv", [{"text": row["text"], "more": "the soup", "rating": row["rating"]} for row in ROWS])

    assert command(other, "rows.csv", "--text_pair", "more") == 0

    answers = {
        name: [each["rating"]["score"] for each in predict(name, [(row["text"], "the soup") for row in ROWS])]
        for name in (folder, other)
    }
    first = reported(tmp_path)["comparison"]["tasks"]["rating"]["differences"][0]
    assert first["text"].endswith(" | the soup")
    assert float(first["answer"]) == pytest.approx(answers[folder][first["row"]], rel=1e-3)
    assert float(first["other_answer"]) == pytest.approx(answers[other][first["row"]], rel=1e-3)


def test_a_binary_task_can_be_compared_with_one_of_three_labels(
    tmp_path: Path, save_other: Callable[..., str], command: Command
) -> None:
    moods = ["negative", "unsure", "positive"]
    write(tmp_path / "rows.csv", [{"text": row["text"], "sentiment": moods[i % 3]} for i, row in enumerate(ROWS)])

    assert command(save_other({**TOPIC, "name": "sentiment", "labels": moods})) == 0

    own = reported(tmp_path)["comparison"]["tasks"]["sentiment"]
    assert (own["rows"], own["left_out"]) == (16, {"unsure": 8})


def test_held_out_rows_that_the_other_model_was_trained_on_are_an_error(
    tmp_path: Path,
    backbone: Path,
    save_other: Callable[..., str],
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "encoder").symlink_to(backbone)
    write(
        tmp_path / "rows.csv", [{"text": row["text"], "topic": "film" if row["rating"] % 2 else "food"} for row in ROWS]
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "backbone: encoder\ntasks: [{name: topic, problem_type: single_label_classification}]\n"
        "data: {train: rows.csv, split: {validation: 0.25}}\n"
    )
    other = save_other(TOPIC)
    record = tmp_path / "other" / "recipe.json"
    record.write_text(json.dumps(recipe_words(load_recipe(recipe, ["seed=1"]))))

    assert command(other, "recipe.yaml") == 1
    assert f"seed: is 0; {other} was trained with 1, so the held-out rows may be" in capsys.readouterr().err
    record.write_text(json.dumps(recipe_words(load_recipe(recipe))))
    assert command(other, "recipe.yaml") == 0
