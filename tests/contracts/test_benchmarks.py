"""The committed results of the speed benchmarks have the format of their code, and the page shows their figures."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.run import WORKS, draw
from benchmarks.speed.measuring import RELATIVE_TIME, RESULTS, SPEED_UP, Row, compared
from tests.conftest import ROOT


def rows_of(name: str) -> list[dict[str, Any]]:
    """The committed rows of a benchmark."""
    rows: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return rows


def test_a_speed_up_and_a_relative_time_are_inverse() -> None:
    theirs, ours = [4.0, 6.0, 9.0], [2.0, 2.0, 1.0]

    faster = compared("encode", "the baseline", theirs, ours)
    longer = compared("encode", "the baseline", theirs, ours, RELATIVE_TIME)

    assert (faster.kind, faster.ratio, faster.low, faster.high) == (SPEED_UP, 3, 2, 9)
    assert (longer.kind, longer.ratio, longer.low, longer.high) == (RELATIVE_TIME, 1 / 3, 1 / 9, 1 / 2)


@pytest.mark.parametrize("name", WORKS)
def test_committed_rows_have_the_fields_of_a_row(name: str) -> None:
    assert all(list(row) == [field.name for field in fields(Row)] for row in rows_of(name))


@pytest.mark.parametrize("name", WORKS)
def test_the_page_shows_the_committed_ratios(name: str) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    for row in rows_of(name):
        shown = [f"**{row['ratio']:.{digits}f}**" for digits in (1, 2)] + [f"{row['ratio']:.0%}".replace("%", " %")]
        assert any(each in page for each in shown), row["task"]


def test_the_picture_is_drawn_from_the_committed_rows(tmp_path: Path) -> None:
    draw(tmp_path / "speed.png")

    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")
