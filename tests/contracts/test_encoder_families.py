"""The list of families has every text encoder of transformers, and the page shows it."""

import re

import pytest
import transformers

from tests.conftest import ROOT
from tests.encoders.outcomes import DEPENDS, HEADING, OUTCOMES, WORKS, outcome_table, text_encoders

PAGE = (ROOT / "docs" / "reference" / "encoders.md").read_text(encoding="utf-8")
[TESTED] = re.findall(r"^transformers==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)


@pytest.mark.compat
def test_every_text_encoder_of_transformers_has_an_outcome() -> None:
    assert sorted(text_encoders() - set(OUTCOMES)) == [], "add them to tests/encoders/outcomes.py"


@pytest.mark.skipif(transformers.__version__ != TESTED, reason=f"the list is for transformers {TESTED}")
def test_every_outcome_is_that_of_a_text_encoder() -> None:
    assert sorted(set(OUTCOMES) - text_encoders()) == []


def test_the_page_shows_every_outcome() -> None:
    assert HEADING + PAGE.partition(HEADING)[2] == outcome_table(), f"the page must end with:\n{outcome_table()}"


def test_the_page_names_the_tested_version() -> None:
    assert f"with transformers {TESTED}" in PAGE


def test_the_benchmarks_count_the_outcomes() -> None:
    page = " ".join((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split())
    works, depends = (sum(each == outcome for each in OUTCOMES.values()) for outcome in (WORKS, DEPENDS))

    assert f"each of the {len(OUTCOMES)} families of text encoders in transformers {TESTED}" in page
    assert f"{works} work, {depends} work and depend on the padding of a batch, and " in page
    assert f"and {len(OUTCOMES) - works - depends} are refused" in page
