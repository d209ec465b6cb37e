"""The pages of the five systems agree with their recipes, and their commands exist."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from modeling_multitask.recipes.loading import load_recipe
from tests.conftest import ROOT
from tests.pages import PAGES as DOCUMENTATION
from tests.sabotage.causes import CAUSES

PITFALLS = (ROOT / "docs" / "pitfalls.md").read_text()
SYSTEMS = ("s0", "s1", "s2", "s3", "s4")
PAGES = {name: (ROOT / "docs" / "systems" / f"{name}.md").read_text() for name in SYSTEMS}
COMMANDS = [
    pytest.param(line.strip(), id=f"{name} {i}")
    for name, page in PAGES.items()
    for i, line in enumerate(re.findall(r"^ *multitask .*$", page, flags=re.MULTILINE))
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_page_shows_its_recipe_word_for_word(name: str) -> None:
    recipe = (ROOT / "configuration" / "recipes" / f"{name}.yaml").read_text()

    assert f"```yaml\n{recipe}```\n" in PAGES[name]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_page_is_one(command: str) -> None:
    _, name, *words = shlex.split(command)

    parser = importlib.import_module(f"modeling_multitask.commands.{name}").build_parser()
    arguments = parser.parse(words)
    if name == "train":
        assert load_recipe(arguments.recipe, arguments.overrides).tasks


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_index_leads_to_a_system_and_its_page_to_its_recipe_and_its_test(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGES[name])

    assert f"[{name.upper()}]({name}.md)" in (ROOT / "docs" / "systems" / "index.md").read_text()
    assert {f"../../configuration/recipes/{name}.yaml", f"../../tests/systems/test_{name}.py"} <= set(links)


@pytest.mark.parametrize("page", [ROOT / page for page in DOCUMENTATION], ids=str)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_pitfall_names_tests_that_exist() -> None:
    entries = re.split(r"\n(?=\*\*P\d+\.)", PITFALLS)
    named = {entry.split(".")[0].lstrip("*"): re.findall(r"`(\w+/[\w/]+\.py)`", entry) for entry in entries[1:]}

    assert [name for name, files in named.items() if not files] == []
    assert [file for files in named.values() for file in files if not (ROOT / "tests" / file).is_file()] == []


def test_every_pitfall_that_a_cause_has_is_on_the_page() -> None:
    cited = {number for cause in CAUSES for number in re.findall(r"\bP\d+\b", cause.pitfall)}

    assert cited <= set(re.findall(r"^\*\*(P\d+)\.", PITFALLS, flags=re.MULTILINE))
