"""The repository of a Space is complete, flat and self-contained."""

import ast
import configparser
import json
import re
import sys
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

from modeling_multitask.publishing.links import Links
from modeling_multitask.publishing.space import APP, DESCRIPTION, MOST_ROWS, REQUIREMENTS, SDK_VERSION, write_space
from tests.conftest import ROOT
from tests.fresh_process import run_fresh

OTHERS = {"gradio", "torch", "transformers"}
LINKS = Links("me/reviews", space="me/demo")
EVIL = "<img src=x onerror=alert(1)> [x](javascript:alert(1)): 'a' # b"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    folder = tmp_path / "space"
    links = Links("me/reviews", dataset="me/data", space="me/reviews-demo")
    write_space(folder, links=links, revision="abc123", title="Reviews", license="apache-2.0")
    return folder


def test_the_space_holds_the_files_of_the_demo_as_they_are(space: Path) -> None:
    ours = {path.name: path.read_bytes() for path in APP.iterdir() if path.suffix in (".py", ".css")}

    assert "app.py" in ours
    assert {path.name for path in space.iterdir()} == {*ours, "README.md", "requirements.txt", "settings.json"}
    assert {name: (space / name).read_bytes() for name in ours} == ours


def test_the_settings_name_the_model_and_its_revision(space: Path) -> None:
    assert json.loads((space / "settings.json").read_text()) == {
        "title": "Reviews",
        "model_id": "me/reviews",
        "revision": "abc123",
        "most_rows": MOST_ROWS,
    }


def test_examples_go_along(tmp_path: Path) -> None:
    write_space(tmp_path, links=LINKS, revision="main", title="Reviews", examples=["Köstlich!"])

    assert json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))["examples"] == ["Köstlich!"]


def test_the_card_says_what_the_hub_needs_to_run_it(space: Path) -> None:
    assert SpaceCard.load(space / "README.md", ignore_metadata_errors=False).data.to_dict() == {
        "title": "Reviews",
        "emoji": "🔎",
        "colorFrom": "blue",
        "colorTo": "indigo",
        "sdk": "gradio",
        "sdk_version": SDK_VERSION,
        "python_version": "3.11",
        "app_file": "app.py",
        "models": ["me/reviews"],
        "datasets": ["me/data"],
        "license": "apache-2.0",
        "short_description": DESCRIPTION,
        "pinned": False,
    }


def test_the_short_description_is_no_longer_than_the_hub_takes() -> None:
    assert len(DESCRIPTION) <= 60  # https://huggingface.co/docs/hub/spaces-config-reference


def test_a_title_is_a_title_whatever_it_holds(tmp_path: Path) -> None:
    write_space(tmp_path, links=LINKS, revision="main", title=EVIL)

    card = SpaceCard.load(tmp_path / "README.md")
    assert card.data.title == EVIL
    assert r"# \<img src=x onerror=alert(1)\> \[x\](javascript:alert(1)): 'a' \# b" in card.text


def test_without_a_licence_none_is_said(tmp_path: Path) -> None:
    write_space(tmp_path, links=LINKS, revision="main", title="Reviews")

    assert "license" not in SpaceCard.load(tmp_path / "README.md").data.to_dict()


def test_the_card_points_to_what_belongs_to_it(space: Path) -> None:
    text = (space / "README.md").read_text()

    assert "- Model: [me/reviews](https://huggingface.co/me/reviews)\n" in text
    assert "- Data set: [me/data](https://huggingface.co/datasets/me/data)\n" in text
    assert "- Demo:" not in text  # which it is itself


@pytest.mark.parametrize("links", [Links("me/reviews"), Links(space="me/demo")])
def test_a_space_without_a_name_or_a_model_is_refused_before_anything_is_written(tmp_path: Path, links: Links) -> None:
    with pytest.raises(ValueError, match="a Space needs a name and a model"):
        write_space(tmp_path / "space", links=links, revision="main", title="Reviews")
    assert not (tmp_path / "space").exists()


def test_what_is_required_is_what_the_package_is_tested_with() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    tested = settings["options"]["install_requires"].split() + settings["options.extras_require"]["demo"].split()

    assert set(REQUIREMENTS) <= set(tested)
    assert f"gradio=={SDK_VERSION}" in (ROOT / "constraints.txt").read_text().split()


@pytest.mark.parametrize("path", sorted(APP.glob("*.py")), ids=lambda path: path.name)
def test_each_file_needs_only_its_neighbours_and_what_the_space_installs(path: Path) -> None:
    tree = ast.walk(ast.parse(path.read_text()))
    relative, absolute = set(), set()
    for node in tree:
        if isinstance(node, ast.ImportFrom) and node.level:
            relative |= {node.module} if node.module else {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            absolute.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Import):
            absolute |= {each.name.partition(".")[0] for each in node.names}

    assert relative <= {each.stem for each in APP.glob("*.py")}
    assert absolute <= {*sys.stdlib_module_names, *OTHERS}
    assert {re.split(r"[>=]", each)[0] for each in REQUIREMENTS} == OTHERS


def test_the_app_is_imported_from_its_folder_without_this_package(space: Path) -> None:
    code = (
        "import runpy\nnames = runpy.run_path('app.py')\n"
        "about = names['About'](title='Reviews')\n"
        "result = [names['build_demo'].__module__, about.examples[0]]"
    )

    assert run_fresh(code, folder=space) == ["multitask_demo.interface", "The battery died within a day."]
