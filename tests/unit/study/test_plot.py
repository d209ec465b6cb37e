"""The plot of a study: its content, and when it cannot be drawn."""

import sys
from pathlib import Path

import pytest

from modeling_multitask.study.plot import draw_study
from modeling_multitask.study.strategies import Strategy
from modeling_multitask.study.summary import Outcome, Study, summarise
from tests.unit.study.outcomes import METRICS, ROWS, outcome


def study(seeds: int = 2, tasks: tuple[str, ...] = ("topic", "mood"), rows: int = ROWS) -> Study:
    """Two strategies; one has failed in every run."""
    runs = [outcome(seed, 0.9, 0.9, rows=rows) for seed in range(seeds)]
    failed = [Outcome(seed, error="killed") for seed in range(seeds)]
    good, bad = (Strategy(name, name, {}, tasks) for name in ("everything", "lora"))
    return summarise({task: METRICS[task] for task in tasks}, [(good, runs), (bad, failed)])


@pytest.mark.parametrize(
    "given",
    [study(), study(seeds=1), study(tasks=("topic",)), study(rows=5)],
    ids=["two", "one seed", "one task", "without intervals"],
)
def test_a_study_becomes_a_picture(given: Study, tmp_path: Path) -> None:
    draw_study(given, tmp_path / "study.png")

    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_names_strategies_tasks_splits_and_what_failed(tmp_path: Path) -> None:
    draw_study(study(), tmp_path / "study.svg")

    drawn = (tmp_path / "study.svg").read_text()

    for words in ("everything", "lora", "topic", "mood", "validation rows", "test rows", "failed", "seconds"):
        assert f"<!-- {words} -->" in drawn


def test_a_figure_far_below_the_others_is_a_number_at_the_edge(tmp_path: Path) -> None:
    scores = {"frozen": 0.25, "heads": 0.8, "upper": 0.85, "all": 0.9, "lora": 0.87, "rates": 0.9}
    runs = [(Strategy(name, name, {}, ("topic",)), [outcome(0, value, value)]) for name, value in scores.items()]

    draw_study(summarise({"topic": "accuracy"}, runs), tmp_path / "study.svg")

    drawn = (tmp_path / "study.svg").read_text()
    assert drawn.count("<!-- ◂ ") == 2  # on the validation rows and on the test rows
    assert "<!-- ◂ 0.25 -->" in drawn


def test_a_study_of_which_nothing_ended_well_is_drawn_all_the_same(tmp_path: Path) -> None:
    nothing = summarise(
        {"topic": "macro_f1"}, [(Strategy("lora", "LoRA", {}, ("topic",)), [Outcome(0, error="killed")])]
    )

    draw_study(nothing, tmp_path / "study.png")

    assert (tmp_path / "study.png").is_file()


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match="extra 'plots'"):
        draw_study(study(), tmp_path / "study.png")
