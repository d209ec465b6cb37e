"""Every word about tables has an example that runs, and a row in the table "Your file looks like this: write this"."""

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from datasets_builder import LongVotes
from datasets_builder.join import Join
from datasets_builder.layout import Layout
from datasets_builder.source import JoinedText, LabelColumn, Source
from datasets_builder.tasks import TABLE_SETTINGS
from modeling_multitask.recipes.recipe import DataRecipe
from modeling_multitask.words_multitask import as_written, declared_words
from tests.conftest import ROOT
from tests.pages import blocks_of

PAGES = ("docs/how_to/label_files.md", "docs/explanation/cells.md")
ON_THE_HUB = ("config", "split", "revision")  # of a data set on the Hub, which no test can read
OF_DATA = ("missing_text", "contradictions")  # the words of `data` about the rows of tables
OF_TASKS = [name for name in TABLE_SETTINGS if name != "trained"]  # which is no word of a recipe
WORDS = [
    *(
        pytest.param(cls, as_written(name), id=f"{cls.__name__}.{as_written(name)}")
        for cls in (Source, JoinedText, LabelColumn, LongVotes)
        for name in declared_words(cls)
    ),
    *(
        pytest.param(Join, name, id=f"Join.{name}")
        for name in declared_words(Join)
        if name not in declared_words(Layout)
    ),
    *(pytest.param("task", name, id=f"task.{name}") for name in OF_TASKS),
    *(pytest.param(DataRecipe, name, id=f"data.{name}") for name in OF_DATA),
]


def examples(*, running: bool) -> dict[Any, set[str]]:
    """Return the words in the recipes of the pages, by the table that they are in.

    Args:
        running: Whether to take only whole recipes, which a command on the page reads.
    """
    found: dict[Any, set[str]] = {
        each: set() for each in (Source, Join, JoinedText, LabelColumn, LongVotes, DataRecipe, "task")
    }
    for block in (block for page in PAGES for block in blocks_of(page) if block.language == "yaml"):
        if block.mark.startswith("file: ") or not running:
            note_words(YAML(typ="safe", pure=True).load(block.text), found)
    return found


def note_words(recipe: dict[str, Any], found: dict[Any, set[str]]) -> None:
    for task in recipe.get("tasks", []):
        found["task"] |= task.keys()
    data = recipe.get("data", {})
    found[DataRecipe] |= data.keys()
    for split in ("train", "test"):
        given = data.get(split, [])
        for source in given if isinstance(given, list) else [given]:
            words = {"path": source} if isinstance(source, str) else source
            found[Source] |= words.keys()
            found[Join] |= words.get("join", {}).keys()
            found[JoinedText] |= words["text"].keys() if isinstance(words.get("text"), dict) else set()
            for column in words.get("labels", {}).values():
                settings = column if isinstance(column, dict) else {}
                found[LabelColumn] |= settings.keys()
                found[LongVotes] |= settings["votes"].keys() if isinstance(settings.get("votes"), dict) else set()


RUNNING, ALL = examples(running=True), examples(running=False)


@pytest.mark.parametrize(("holder", "name"), WORDS)
def test_every_word_about_tables_is_in_an_example_that_runs(holder: Any, name: str) -> None:
    of_hub = holder is Source and name in ON_THE_HUB

    assert name in (ALL if of_hub else RUNNING)[holder]


@pytest.mark.parametrize(("holder", "name"), WORDS)
def test_every_word_about_tables_is_in_the_table_of_files(holder: Any, name: str) -> None:
    page = (ROOT / PAGES[0]).read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]*\|(.*)\|$", page.replace('"|"', ""), flags=re.M)

    assert any(re.search(rf"`[^`]*\b{name}\b[^`]*`", row) for row in rows)
