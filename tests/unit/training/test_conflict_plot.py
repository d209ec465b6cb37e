"""The plot of the agreement between the tasks' gradients."""

import sys
from pathlib import Path

import numpy as np
import pytest

from modeling_multitask.training.conflict_plot import _smooth, draw_conflicts
from tests.conftest import ROOT
from tests.fresh_process import run_fresh

# Two records of three pairs, among the lines of losses that a log has as well.
LOG = [
    {"domain_intent_cosine": 0.9, "domain_tone_of_voice_cosine": 0.1, "epoch": 0, "step": 0},
    {"loss": 3.0, "domain_loss": 1.0, "intent_loss": 1.0, "tone_of_voice_loss": 1.0, "epoch": 0.5, "step": 5},
    {"domain_intent_cosine": 0.2, "intent_tone_of_voice_cosine": -0.4, "epoch": 1.0, "step": 10},
    {"domain_tone_of_voice_cosine": 0.3, "epoch": 2.0, "step": 20},
]
FRESH = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from modeling_multitask.training.conflict_plot import draw_conflicts

draw_conflicts([{"a_b_cosine": 0.5, "step": 0}], Path(sys.argv[1]))
result = "matplotlib.pyplot" in sys.modules
"""


def drawn(log_history: list[dict], folder: Path) -> str:
    """The picture as SVG, in which matplotlib writes each text as a comment before its outlines."""
    path = folder / "conflicts.svg"
    draw_conflicts(log_history, path)
    return path.read_text()


def many(count: int) -> list[dict]:
    """This many records of one pair."""
    return [{"a_b_cosine": (-1) ** i * 0.5, "step": i} for i in range(count)]


def test_a_png_is_written(tmp_path: Path) -> None:
    draw_conflicts(LOG, tmp_path / "conflicts.png")

    assert (tmp_path / "conflicts.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("pair", ["domain · intent", "domain · tone_of_voice", "intent · tone_of_voice"])
def test_every_pair_is_named_by_its_two_tasks(tmp_path: Path, pair: str) -> None:
    assert f"<!-- {pair} -->" in drawn(LOG, tmp_path)


def test_pairs_are_named_in_the_order_in_which_their_lines_end(tmp_path: Path) -> None:
    picture = drawn(LOG, tmp_path)

    places = [picture.index(f"<!-- {pair} -->") for pair in ("domain · tone_of_voice", "domain · intent")]
    assert places == sorted(places)  # 0.3 above 0.2


def test_a_pair_is_named_as_in_the_log_where_no_loss_tells_its_tasks(tmp_path: Path) -> None:
    assert "<!-- domain_intent -->" in drawn(LOG[:1], tmp_path)


def test_axes_say_what_they_show(tmp_path: Path) -> None:
    picture = drawn(LOG, tmp_path)

    assert "<!-- optimizer step -->" in picture
    assert "<!-- cosine between gradients -->" in picture


@pytest.mark.parametrize(("count", "smoothed"), [(25, False), (26, True)])
def test_many_records_are_smoothed_and_shown_faintly(tmp_path: Path, count: int, smoothed: bool) -> None:
    assert ("opacity: 0.3" in drawn(many(count), tmp_path)) is smoothed


def test_a_smoothed_line_is_the_mean_over_eleven_records_and_over_fewer_at_the_ends() -> None:
    smoothed = _smooth(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 6.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))

    assert smoothed[[0, 5, 6]].tolist() == pytest.approx([6.6 / 6, 6.6 / 11, 6.6 / 11])
    assert smoothed[11] == 0.0


def test_a_log_without_cosines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the log has no cosine between two tasks; train two or more tasks with conf"):
        draw_conflicts(LOG[1:2], tmp_path / "conflicts.png")


def test_a_missing_matplotlib_is_an_error_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match=r"matplotlib is not installed; .* extra 'plots'"):
        draw_conflicts(LOG, tmp_path / "conflicts.png")


def test_drawing_chooses_no_backend_for_the_process(tmp_path: Path) -> None:
    assert run_fresh(FRESH, tmp_path / "conflicts.png", ROOT, folder=tmp_path, without_us=False) is False
