"""The bundled recipes are found by name, listed, and copied with their data."""

from pathlib import Path

import pytest

from modeling_multitask.commands.recipes import main
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.bundled import bundled_recipes, copy_recipe, recipe_path
from modeling_multitask.recipes.loading import load_recipe
from tests.conftest import ROOT

RECIPES = ROOT / "configuration" / "recipes"


def test_a_word_is_the_name_of_a_bundled_recipe() -> None:
    assert recipe_path("quickstart") == RECIPES / "quickstart.yaml"


@pytest.mark.parametrize("given", ["./quickstart", "quickstart.yaml", "some/quickstart", "a.yml"])
def test_what_has_a_slash_or_an_ending_is_a_file(given: str) -> None:
    assert recipe_path(given) == Path(given)


def test_an_unknown_name_is_an_error_with_the_nearest_one_and_all_others() -> None:
    with pytest.raises(
        RecipeError, match=r"did you mean 'quickstart'\?; bundled recipes: clinc150, .*; write ./quickstrat"
    ):
        load_recipe("quickstrat")


def test_every_bundled_recipe_is_listed_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in RECIPES.glob("*.yaml"))
    assert all(line.endswith(".") and len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_copy_has_all_that_the_recipe_reads(name: str, tmp_path: Path) -> None:
    files = copy_recipe(name, tmp_path / "mine")

    recipe = load_recipe(files[0])
    sources = [*recipe.data.train, *recipe.data.validation, *recipe.data.test]
    assert files[0] == tmp_path / "mine" / f"{name}.yaml"
    assert sources
    assert all(Path(source.path).is_relative_to(tmp_path) and Path(source.path).is_file() for source in sources)


def test_a_copy_overwrites_nothing_unless_it_is_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "s0", str(tmp_path)]) == 0
    (tmp_path / "s0.yaml").write_text("mine")

    assert main(["copy", "s0", str(tmp_path)]) == 1
    assert "s0.yaml already exists; choose another folder, or add --force" in capsys.readouterr().err
    assert (tmp_path / "s0.yaml").read_text() == "mine"
    assert main(["copy", "s0", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "s0.yaml").read_text() == (RECIPES / "s0.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["copy", "s9", "mine"], "no bundled recipe has this name"),
        (["list"], "unknown action 'list'; write: multitask recipes copy NAME DIR"),
        (["copy", "./s9.yaml", "mine"], "s9.yaml has a problem:\n  no such file"),
        (["list", "s0", "mine"], "unknown action 'list'; write: multitask recipes copy NAME DIR"),
    ],
)
def test_a_wrong_line_is_an_error(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1

    assert message in capsys.readouterr().err


def test_a_copy_into_a_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")

    assert main(["copy", "s0", str(tmp_path / "mine")]) == 1

    assert "is a file; name a folder" in capsys.readouterr().err
