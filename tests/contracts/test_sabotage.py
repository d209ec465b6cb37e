"""Each cause of `tests/sabotage` still matches its file. `python -m tests.sabotage` checks that its test notices it."""

from pathlib import Path

import pytest

from tests.sabotage.causes import CAUSES, Cause

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.pitfall)
def test_a_cause_finds_the_line_that_it_sabotages_once(cause: Cause) -> None:
    assert (ROOT / cause.file).read_text(encoding="utf-8").count(cause.good) == 1
