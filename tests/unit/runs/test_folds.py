"""Cross-validation: each row is judged once, by a model that has not seen it, and the figures are over all rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from modeling_multitask.commands.train_output import fold_lines, show_plan
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs import calibration, train
from modeling_multitask.runs.fold_sizes import fold_recipe, fold_sizes
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.rows import build_dataset
from tests.conftest import WORDS, save_backbone

FOLDS = 3


def a_recipe(folder: Path, backbone: Path, **split: Any) -> dict[str, Any]:
    """A recipe of 30 rows with gaps, where the first four rows have two texts."""
    lines = ["text,topic,rating"]
    for i in range(30):
        text = f"the {WORDS[3 + (i // 2 if i < 4 else i) % 12]} was {WORDS[i % 7 if i >= 4 else 0]} {WORDS[i // 5]}"
        lines.append(f"{text},{['film', 'food'][i % 2] if i % 6 else ''},{i / 10 if i % 4 else ''}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return {
        "backbone": str(backbone),
        "tasks": [
            {"name": "topic", "problem_type": "single_label_classification"},
            {"name": "rating", "problem_type": "regression"},
        ],
        "data": {"train": str(folder / "rows.csv"), "split": {"folds": FOLDS, **split}},
        "training": {"max_steps": 2, "disable_tqdm": True},
        "output_dir": str(folder / "out"),
        "max_length": 16,
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with folds, and its recipe next to it."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "backbone").mkdir()
    words = a_recipe(folder, save_backbone(folder / "backbone"))
    (folder / "recipe.json").write_text(json.dumps(words))
    train(words)
    return folder / "out"


@pytest.fixture(scope="module")
def judged(run: Path) -> list[dict[str, Any]]:
    """By fold, its rows and the answers of its model."""
    found = []
    for fold in range(1, FOLDS + 1):
        dataset, _ = build_dataset(of_fold(run, fold))
        rows = {name: part.to_list() for name, part in dataset.items()}
        texts = [row["text"] for row in rows["test"]]
        found.append({**rows, "answers": predict(str(run / "folds" / str(fold) / "model"), texts, dtype=torch.float32)})
    return found


def test_another_recipe_does_not_go_on_with_the_folds(run: Path) -> None:
    words = json.loads((run.parent / "recipe.json").read_text())

    with pytest.raises(RecipeError, match="resume: the recipe must be the one that started the run"):
        train(words, resume=True, **{"data.split.folds": FOLDS - 1})


def of_fold(run: Path, fold: int) -> Any:
    return fold_recipe(load_recipe(json.loads((run.parent / "recipe.json").read_text())), fold)


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def answers_to(judged: list[dict[str, Any]], task: str, answer: str) -> tuple[list[Any], list[Any]]:
    """The labels of all rows that have one, and the answers to them."""
    pairs = [
        (row[task], given[task][answer])
        for fold in judged
        for row, given in zip(fold["test"], fold["answers"], strict=True)
        if row[task] is not None
    ]
    return [label for label, _ in pairs], [given for _, given in pairs]


def test_each_row_is_judged_once(run: Path, judged: list[dict[str, Any]]) -> None:
    texts = [line.split(",")[0] for line in (run.parent / "rows.csv").read_text().splitlines()[1:]]

    assert sorted(row["text"] for fold in judged for row in fold["test"]) == sorted(texts)
    assert read(run / "report" / "report.json")["rows"] == len(texts)


def test_no_model_of_a_fold_has_seen_a_text_of_its_fold(run: Path, judged: list[dict[str, Any]]) -> None:
    for number, fold in enumerate(judged, start=1):
        assert not {row["text"] for row in fold["train"]} & {row["text"] for row in fold["test"]}
        trained_on = read(run / "folds" / str(number) / "training.json")["rows"]
        labelled = [row for row in fold["train"] if row["topic"] is not None or row["rating"] is not None]
        assert trained_on == {"train": len(labelled), "test": len(fold["test"])}


def test_the_final_model_is_trained_on_all_rows_that_have_a_label(run: Path) -> None:
    assert read(run / "training.json")["rows"] == {"train": 27}


def test_the_figures_of_classes_are_those_of_scikit_learn_on_all_rows(run: Path, judged: list[dict[str, Any]]) -> None:
    labels, answers = answers_to(judged, "topic", "label")
    names = [["film", "food"][label] for label in labels]
    found = read(run / "results.json")["test"]["topic"]

    assert found["rows"] == len(names) == 25
    assert found["accuracy"] == pytest.approx(accuracy_score(names, answers))
    assert found["macro_f1"] == pytest.approx(f1_score(names, answers, average="macro"))


def test_the_figures_of_numbers_are_those_of_scikit_learn_on_all_rows(run: Path, judged: list[dict[str, Any]]) -> None:
    labels, answers = answers_to(judged, "rating", "score")

    assert read(run / "results.json")["test"]["rating"]["mae"] == pytest.approx(
        mean_absolute_error(labels, answers), rel=1e-5
    )


def test_the_report_has_the_figures_of_the_results(run: Path) -> None:
    report, results = read(run / "report" / "report.json"), read(run / "results.json")["test"]

    assert report["tasks"]["topic"]["figures"]["accuracy"]["value"] == pytest.approx(results["topic"]["accuracy"])
    assert report["split"] == "test"
    assert report["notes"][0].startswith("3-fold cross-validation: each row was judged by a model that was trained")


def test_the_report_on_all_folds_names_the_line_of_each_row(run: Path) -> None:
    lines = (run.parent / "rows.csv").read_text().splitlines()
    worst = read(run / "report" / "report.json")["tasks"]["topic"]["errors"]["worst"]

    assert len(worst) == 20
    assert {each["table"] for each in worst} == {"rows.csv"}
    for each in worst:
        assert lines[each["line"] - 1].startswith(f"{each['text']},{each['label']},")


def test_each_task_has_its_main_metric_on_all_rows_and_on_each_fold(run: Path) -> None:
    folds, results = read(run / "folds.json"), read(run / "results.json")["test"]

    topic = folds["tasks"]["topic"]
    assert topic["value"] == pytest.approx(results["topic"][topic["metric"]])
    assert topic["mean"] == pytest.approx(np.mean(topic["by_fold"]))
    each = [read(run / "folds" / str(i) / "results.json")["test"] for i in (1, 2, 3)]
    assert topic["by_fold"] == pytest.approx([found["topic"][topic["metric"]] for found in each])
    assert folds["score"]["by_fold"] == pytest.approx([found["score"] for found in each], abs=1e-5)
    assert sum(folds["rows"]) == 30


def test_each_task_is_compared_with_baselines_on_all_rows(run: Path) -> None:
    topic = read(run / "results.json")["test"]["topic"]

    assert (topic["baseline"]["name"], topic["baseline"]["rows"]) == ("most frequent label", 25)
    assert (topic["linear_probe"]["name"], topic["linear_probe"]["rows"]) == ("logistic regression", 25)
    assert topic["verdict"]["metric"] == "macro_f1"


def test_the_checkpoints_of_folds_are_removed(run: Path) -> None:
    assert not list(run.glob("folds/*/checkpoints"))


def test_the_recipe_of_the_run_is_recorded_with_its_folds(run: Path) -> None:
    assert read(run / "recipe.json")["data"]["split"]["folds"] == FOLDS
    assert read(run / "folds" / "2" / "recipe.json")["data"]["split"]["fold"] == 2


def test_a_resumed_run_does_not_train_complete_folds_again(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.glob("folds/*/model/model.safetensors")}
    results = read(run / "results.json")

    again = train(read(run.parent / "recipe.json"), resume=True)

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read(run / "results.json") == results
    assert again.results["test"]["topic"] == results["test"]["topic"]


def test_the_sizes_of_the_folds_are_known_before_training(tmp_path: Path, backbone: Path) -> None:
    folds = fold_sizes(load_recipe(a_recipe(tmp_path, backbone, validation=0.2)))

    assert [sum(fold.rows.values()) for fold in folds] == [30, 30, 30]
    assert sum(fold.rows["test"] for fold in folds) == 30
    assert sum(fold.labelled["topic"] or 0 for fold in folds) == 25
    assert folds[0].describe().startswith("train ")


def test_the_plan_shows_the_folds(tmp_path: Path, backbone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(plan(load_recipe(a_recipe(tmp_path, backbone))))

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fold ")]
    assert [line.split(":")[0] for line in lines] == [f"fold {i} of 3, another model" for i in (1, 2, 3)]


def test_the_mean_and_the_interval_are_printed(tmp_path: Path) -> None:
    task = {"metric": "accuracy", "value": 0.8, "low": 0.7, "high": 0.9, "mean": 0.81, "by_fold": [0.82, None, 0.8]}
    (tmp_path / "folds.json").write_text(json.dumps({"folds": 3, "tasks": {"topic": task}}))

    assert fold_lines(tmp_path / "folds.json") == [
        "3-fold cross-validation: each test row was judged by a model that did not see it.",
        "    topic: accuracy 0.800 (0.700 to 0.900) on all rows, 0.810 on average over the folds (0.820, none, 0.800)",
    ]


def test_there_is_no_average_over_folds_of_few_rows(tmp_path: Path) -> None:
    task = {"metric": "spearman", "value": 0.1, "low": None, "high": None, "mean": None, "by_fold": [0.5, 1.0, 1.0]}
    (tmp_path / "folds.json").write_text(json.dumps({"folds": 3, "tasks": {"price": task}}))

    [_, line] = fold_lines(tmp_path / "folds.json")

    assert line.endswith(
        "on all rows, no average over the folds, because they have few labelled rows (0.500, 1.000, 1.000)"
    )


def test_a_run_without_folds_has_no_such_lines(tmp_path: Path) -> None:
    assert fold_lines(tmp_path / "folds.json") == []


def test_one_fold_is_an_ordinary_run(tmp_path: Path, backbone: Path) -> None:
    recipe = load_recipe(a_recipe(tmp_path, backbone, fold=2))

    assert fold_sizes(recipe) == []
    assert list(build_dataset(recipe)[0]) == ["train", "test"]


@pytest.mark.slow
def test_calibration_and_abstention_of_each_fold_are_its_own(
    tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "FEWEST_ROWS", 1)
    words = a_recipe(tmp_path, backbone, validation=0.3)
    words["tasks"][0]["abstain"] = {"coverage": 0.5}
    phases = [{"train": ["heads"], "until": "step 1"}, {"train": ["everything"]}]
    words |= {"report": False, "lora": {"r": 2}, "phases": phases}

    results, folder = train(words)

    assert list(results) == ["validation", "test"]
    assert results["test"]["topic"]["rows"] == 25
    configs = [
        read(path)["tasks"][0]["abstain_below"] for path in (folder.parent / "folds").glob("*/model/config.json")
    ]
    assert len(set(configs)) > 1
