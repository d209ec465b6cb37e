"""A run leaves the metrics of its baselines and a verdict for each task."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from transformers.utils import logging

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.train_output import verdict_lines
from modeling_multitask.inference import encode
from modeling_multitask.runs import baselines as module
from modeling_multitask.runs import train
from modeling_multitask.runs.judgements import loss_shares

TOPICS = ["film", "food"]


@pytest.fixture
def words(tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A recipe with a class that no text tells apart, and a number."""
    monkeypatch.chdir(tmp_path)
    for name, start in (("train", 0), ("test", 60)):
        rows = [
            f"the {TOPICS[i % 2]} was {i},{TOPICS[i % 2 if i % 7 else 0]},{i % 5}" for i in range(start, start + 60)
        ]
        rows += ["a phone,phone,"] if name == "train" else []
        Path(f"{name}.csv").write_text("\n".join(["text,topic,stars", *rows]) + "\n")
    return {
        "backbone": str(backbone),
        "pooling": "cls",
        "tasks": [
            {"name": "topic", "problem_type": "single_label_classification"},
            {"name": "stars", "problem_type": "regression"},
        ],
        "data": {"train": "train.csv", "test": "test.csv"},
        "training": {"max_steps": 1, "disable_tqdm": True},
    }


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings about baselines."""
    said: list[str] = []
    for name in ("training.start_embeddings", "runs.judgements"):
        monkeypatch.setattr(logging.get_logger(f"modeling_multitask.{name}"), "warning", said.append)
    return said


def rows_of(name: str) -> tuple[list[str], list[str]]:
    lines = [line.split(",") for line in Path(f"{name}.csv").read_text().splitlines()[1:]]
    return [line[0] for line in lines], [line[1] for line in lines]


def test_results_have_a_constant_and_a_regression_on_the_encoders_own_embeddings(
    words: dict[str, Any], backbone: Path
) -> None:
    found = train(words, output_dir="here").results["test"]

    (texts, labels), (test_texts, truth) = rows_of("train"), rows_of("test")
    # Without files of sentence-transformers, the own pooling of an encoder is the mean.
    encoder = MultiTaskModel.from_backbone(str(backbone), [{"name": "none", "problem_type": "regression"}])
    encoder.name_or_path = str(backbone)
    fitted = LogisticRegression(max_iter=1000).fit(encode(encoder, texts), labels)
    assert found["topic"]["baseline"]["name"] == "most frequent label"
    assert found["topic"]["baseline"]["accuracy"] == pytest.approx(np.mean([each == "film" for each in truth]))
    assert found["topic"]["linear_probe"]["name"] == "logistic regression"
    assert found["topic"]["linear_probe"]["accuracy"] == pytest.approx(fitted.score(encode(encoder, test_texts), truth))
    assert [found["stars"][kind]["name"] for kind in ("baseline", "linear_probe")] == ["mean", "ridge regression"]
    assert json.loads(Path("here/results.json").read_text())["test"] == found


def test_a_run_ends_with_a_verdict_for_each_task(words: dict[str, Any]) -> None:
    found = train(words, output_dir="here").results["test"]

    report = json.loads(Path("here/report/report.json").read_text())["tasks"]
    for name, metric in (("topic", "macro_f1"), ("stars", "spearman")):
        verdict = found[name]["verdict"]
        best = max(found[name][kind][metric] for kind in ("baseline", "linear_probe"))
        assert verdict["metric"] == metric
        assert verdict["value"] == pytest.approx(found[name][metric], abs=1e-6)
        assert verdict["improvement"]["value"] == pytest.approx(found[name][metric] - best, abs=1e-6)
        assert report[name]["verdict"] == verdict
        assert report[name]["baseline"] == found[name]["baseline"]
    assert "labels without a test row: 'phone'" in found["topic"]["verdict"]["notes"]


def test_the_embeddings_are_computed_once(words: dict[str, Any], warned: list[str]) -> None:
    first = train(words, output_dir="one")
    second = train(words, output_dir="two", **{"training.max_steps": 2})

    assert len([line for line in warned if "121 texts were embedded in" in line]) == 1
    for kind in ("baseline", "linear_probe"):
        assert first.results["test"]["topic"][kind] == second.results["test"]["topic"][kind]


def test_another_encoder_has_other_embeddings(words: dict[str, Any], deep_backbone: Path, warned: list[str]) -> None:
    train(words, output_dir="one")
    train(words, output_dir="two", backbone=str(deep_backbone))

    assert len([line for line in warned if line.startswith("Baseline: ") and "texts were embedded" in line]) == 2


@pytest.mark.parametrize(
    ("chosen", "limits", "probed"),
    [
        (None, (61, 61), True),
        (None, (60, 61), False),
        ("linear_probe", (1, 1), True),
        ("constant", (61, 61), False),
    ],
)
def test_many_rows_have_a_regression_only_if_it_is_wanted(
    words: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    chosen: str | None,
    limits: tuple[int, int],
    probed: bool,
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", limits[0])
    monkeypatch.setattr(module, "MOST_ROWS_OF_A_FROZEN_ENCODER", limits[1])

    found = train(words, output_dir="here", baseline=chosen).results["test"]

    assert ("linear_probe" in found["topic"]) == probed


def test_a_task_with_many_labels_has_a_regression_only_if_it_is_requested(
    words: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LABELS", 2)

    found = train(words, output_dir="by_default").results["test"]
    requested = train(words, output_dir="requested", baseline="linear_probe").results["test"]

    note = "it is not compared with a linear probe, because it has 3 labels; `baseline: linear_probe` computes it"
    assert [("linear_probe" in each["topic"], "linear_probe" in each["stars"]) for each in (found, requested)] == [
        (False, True),
        (True, True),
    ]
    assert [note in each["topic"]["verdict"]["notes"] for each in (found, requested)] == [True, False]
    assert note not in found["stars"]["verdict"]["notes"]


def test_a_frozen_encoder_has_a_limit_of_its_own(words: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 1)

    found = train(words, output_dir="here", freeze="backbone").results["test"]

    assert "linear_probe" in found["topic"]


def test_a_failing_baseline_costs_no_trained_model(
    words: dict[str, Any], monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("too little memory")

    monkeypatch.setattr(module, "embeddings", fail)

    found = train(words, output_dir="here", report=False)

    assert (found.folder / "model.safetensors").is_file()
    assert "verdict" not in found.results["test"]["topic"]
    assert warned == ["There are no baselines: too little memory"]


def test_streamed_rows_have_no_baselines(words: dict[str, Any]) -> None:
    tasks = [{**words["tasks"][0], "labels": ["film", "food", "phone"]}, words["tasks"][1]]

    found = train(words | {"tasks": tasks}, output_dir="here", **{"data.streaming": True}).results["test"]

    assert not {"baseline", "linear_probe", "verdict"} & {*found["topic"]}


def test_a_large_share_of_the_loss_at_the_start_is_noted(words: dict[str, Any]) -> None:
    found = train(words, output_dir="here", **{"tasks.1.weight": 50.0}).results["test"]

    notes = found["stars"]["verdict"]["notes"]
    assert any(
        note.startswith("its loss was 9") and note.endswith("the other tasks learn slowly; see `weight`")
        for note in notes
    )
    assert not any("its loss" in note for note in found["topic"]["verdict"]["notes"])


def test_a_task_without_test_rows_keeps_its_notes(words: dict[str, Any]) -> None:
    lines = Path("test.csv").read_text().splitlines()
    Path("test.csv").write_text("\n".join([lines[0], *(f"{line.rpartition(',')[0]}," for line in lines[1:])]) + "\n")

    found = train(words, output_dir="here", **{"tasks.1.weight": 50.0}).results["test"]["stars"]

    assert found["verdict"]["sentence"] == "not evaluated, because no row has a label"
    assert any("its loss was 9" in note for note in found["verdict"]["notes"])
    lines = verdict_lines("test", {"stars": found})
    assert lines[1] == "    stars: not evaluated, because no row has a label"


def test_folds_share_their_notes(words: dict[str, Any]) -> None:
    Path("train.csv").write_text(Path("train.csv").read_text().replace("a phone,phone,\n", ""))
    data = {"train": "train.csv", "split": {"folds": 2}}

    found = train(words | {"data": data}, output_dir="here", **{"tasks.1.weight": 50.0}).results["test"]

    assert any("its loss was 9" in note for note in found["stars"]["verdict"]["notes"])


def test_a_phase_of_one_task_is_not_noted(words: dict[str, Any]) -> None:
    phases = [{"train": ["everything"], "weights": {"stars": 0}}]

    found = train(words, output_dir="here", phases=phases).results["test"]

    assert not any("its loss" in note for name in ("topic", "stars") for note in found[name]["verdict"]["notes"])


def test_shares_of_the_loss_are_those_of_the_first_logged_losses() -> None:
    log = [{"eval_loss": 9.0}, {"loss": 3.0, "a_loss": 1.0, "b_loss": 1.0}, {"loss": 1.0, "a_loss": 5.0, "b_loss": 0.0}]

    assert loss_shares(log, {"a": 3.0, "b": 1.0}) == {"a": 0.75, "b": 0.25}
    assert loss_shares([], {"a": 1.0}) == {}


def test_a_task_with_few_validation_rows_is_noted(words: dict[str, Any]) -> None:
    words["data"]["validation"] = "few.csv"
    Path("few.csv").write_text("\n".join(Path("train.csv").read_text().splitlines()[:3]) + "\n")

    notes = train(words, output_dir="here").results["test"]["topic"]["verdict"]["notes"]

    assert "only 2 validation rows have a label, but it counts fully in the score that chooses the checkpoint" in notes
