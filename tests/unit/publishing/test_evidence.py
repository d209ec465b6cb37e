"""Reading the files next to a model. Missing files give empty values."""

import json
from pathlib import Path

import pytest

from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.publishing.evidence import Evidence, read_evidence


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["recipe", "results", "calibration", "training"])
def test_what_a_run_has_left_is_read(model: Path, name: str) -> None:
    (model.parent / f"{name}.json").write_text('{"a": 1}')

    assert read_evidence(model) == Evidence(**{name: {"a": 1}})


def test_the_report_is_read_with_its_pictures(model: Path) -> None:
    report = model.parent / "report"
    report.mkdir()
    for name in ("confusion_b.png", "confusion_a.png", "scatter_c.png", "reliability_a.png", "other.png"):
        (report / name).touch()
    (report / "report.json").write_text('{"split": "test"}')

    evidence = read_evidence(model)

    assert evidence.report == {"split": "test"}
    assert list(evidence.pictures) == ["confusion_a.png", "confusion_b.png", "scatter_c.png", "reliability_a.png"]
    assert evidence.pictures["scatter_c.png"] == report.resolve() / "scatter_c.png"


def test_a_model_that_lies_alone_has_none(model: Path) -> None:
    assert read_evidence(model) == Evidence()


def test_a_link_to_a_model_has_what_lies_beside_the_model(model: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "latest").symlink_to(model)
    (tmp_path / "results.json").write_text('{"test": {}}')

    assert read_evidence(tmp_path / "elsewhere" / "latest").results == {"test": {}}


def test_a_file_that_is_cut_off_is_named(model: Path) -> None:
    path = model.parent / "results.json"
    path.write_text('{"test": ')

    with pytest.raises(ValueError, match=rf"{path} is not valid JSON \(Expecting .*\); remove it or write it again"):
        read_evidence(model)


def test_a_file_that_holds_something_else_is_named(model: Path) -> None:
    path = model.parent / "recipe.json"
    path.write_text("[1]")

    with pytest.raises(ValueError, match=rf"{path} must contain a JSON object, not list; remove it or write it again"):
        read_evidence(model)


def test_the_settings_are_what_the_recipe_says() -> None:
    recipe = json.loads('{"card": {"title": "Reviews", "language": ["en"]}}')

    assert Evidence(recipe=recipe).settings == CardSettings(title="Reviews", language=["en"])


def test_without_a_recipe_there_are_no_settings() -> None:
    assert Evidence().settings == CardSettings()
