"""Rows with several raters in a run: its report, a later report, and the report on folds name the disputed errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.commands.report import main
from modeling_multitask.runs import train
from tests.conftest import WORDS, save_backbone

ROWS = 24
VOTES = ["yes,yes,no", "no,no,yes", "yes,yes,yes", "no,no,", "yes,no,"]  # the last one is a tie


@pytest.fixture(scope="module", params=["majority", "distribution"])
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a recipe of rows with up to three raters, whose votes become one label or a distribution."""
    folder = tmp_path_factory.mktemp("raters")
    (folder / "backbone").mkdir()
    save_backbone(folder / "backbone")
    lines = ["text,one,two,three"]
    lines += [f"{WORDS[i % 12]} {WORDS[i // 12]} {WORDS[i % 5]},{VOTES[i % 5]}" for i in range(ROWS)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")

    def write(**split: Any) -> Path:
        votes = {"votes": ["one", "two", "three"], "as": request.param}
        words = {
            "backbone": str(folder / "backbone"),
            "tasks": [{"name": "toxic", "problem_type": "binary_classification"}],
            "data": {"train": {"path": str(folder / "rows.csv"), "labels": {"toxic": votes}}, "split": split},
            "training": {"max_steps": 1, "disable_tqdm": True},
            "output_dir": str(folder / next(iter(split))),
            "max_length": 16,
        }
        path = folder / f"{next(iter(split))}.yaml"
        path.write_text(json.dumps(words))
        return path

    return write


def worst(folder: Path) -> list[dict[str, Any]]:
    """The worst rows of the report in a folder, each with the votes of its line."""
    report = json.loads((folder / "report.json").read_text())
    found = report["tasks"]["toxic"]["errors"]["worst"]
    return [{**each, "votes": VOTES[(each["line"] - 2) % 5]} for each in found]


def check(rows: list[dict[str, Any]]) -> None:
    disputed = [each["disputed"] > 0 for each in rows]
    assert 0 < sum(disputed) < len(disputed)
    assert disputed == sorted(disputed, reverse=True)
    for each in rows:
        assert each["disputed"] == pytest.approx(
            1 / 3 if each["label"] != each["answer"] and each["raters"] else 0, abs=1e-6
        )
        votes = [vote for vote in each["votes"].split(",") if vote]
        shares = {label: pytest.approx(votes.count(label) / len(votes), abs=1e-6) for label in set(votes)}
        assert (each["raters"] or {each["label"]: 1.0}) == shares
        assert each["votes"] != "yes,no,"


def test_the_report_of_a_run_and_a_later_one_have_the_disputed_errors_first(
    recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = recipe(test=0.5)
    folder = train(str(path)).folder

    assert main([str(folder), str(path), "--output", str(tmp_path), "--resamples", "100"]) == 0

    check(worst(folder.parent / "report"))
    assert [each["row"] for each in worst(tmp_path)] == [each["row"] for each in worst(folder.parent / "report")]
    check(worst(tmp_path))


def test_the_report_on_folds_has_the_disputed_errors_first(recipe: Callable[..., Path]) -> None:
    check(worst(train(str(recipe(folds=2))).folder.parent / "report"))
