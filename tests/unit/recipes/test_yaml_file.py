"""The YAML file of a recipe: YAML 1.2 words, and values set from the command line."""

import re
from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.yaml_file import read_yaml, set_value

RECIPE = Path("recipe.yaml")


def read(folder: Path, content: str | bytes) -> dict[str, Any]:
    path = folder / "recipe.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path)


@pytest.mark.parametrize(
    ("written", "value"), [("2e-5", 2e-5), ("1E3", 1000.0), ("-1e-2", -0.01), ("1.5e-3", 0.0015), ("3", 3), ("010", 10)]
)
def test_a_number_is_a_number_however_it_is_written(tmp_path: Path, written: str, value: float) -> None:
    assert read(tmp_path, f"rate: {written}") == {"rate": value}


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO", "y", "n"])
def test_words_that_were_truth_values_in_yaml_1_1_are_words(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"labels: [{word}]") == {"labels": [word]}


@pytest.mark.parametrize(
    "word", ["007", "08", "1e3", "+1", "1_000", "0x1F", "1.50", "2026-01-02", "123456789012345678.0"]
)
@pytest.mark.parametrize(
    "recipe", ["labels: [{}]", "tasks: [{{aliases: {{{}: a}}}}]", "missing: {}", "labels: {{a: {{none: [{}]}}}}"]
)
def test_a_label_keeps_its_spelling(tmp_path: Path, recipe: str, word: str) -> None:
    # P138
    assert read(tmp_path, recipe.format(word)) == read(tmp_path, recipe.format(f"'{word}'"))


def test_a_label_of_an_override_keeps_its_spelling() -> None:
    content: dict[str, Any] = {}

    set_value(content, "tasks.labels=[007, 1]", RECIPE)

    assert content == {"tasks": {"labels": ["007", 1]}}


@pytest.mark.parametrize(("word", "value"), [("true", True), ("false", False), ("null", None), ("~", None)])
def test_true_false_and_null_are_values(tmp_path: Path, word: str, value: bool | None) -> None:
    assert read(tmp_path, f"normalize: {word}") == {"normalize": value}


@pytest.mark.parametrize("word", ["'1'", '"true"'])
def test_what_is_quoted_is_text(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"label: {word}") == {"label": word[1:-1]}


@pytest.mark.parametrize("value", ["!!int x", "!!float x", "!!bool x", "!!timestamp x", "2026-13-45", "9" * 5000])
def test_a_value_that_its_form_or_tag_does_not_fit_is_an_error_with_its_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(RecipeError, match=r"not YAML: .* line 2, column 7"):
        read(tmp_path, f"pooling: mean\nseed: {value}\n")


@pytest.mark.parametrize("content", ["a: " + "[" * 600, "{a: " * 600])
def test_what_is_nested_too_deeply_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(RecipeError, match="nested deeper than 50 levels"):
        read(tmp_path, content)


def test_letters_of_every_language_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "labels: [größe, 否]") == {"labels": ["größe", "否"]}


def test_a_missing_recipe_is_an_error_with_the_recipes_there(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").touch()
    (tmp_path / "a.yaml").touch()

    with pytest.raises(
        RecipeError, match=r"c\.yaml has a problem:\n  no such file; recipes in this folder: a\.yaml, b\.yaml$"
    ):
        read_yaml(tmp_path / "c.yaml")


def test_a_recipe_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such file; recipes in this folder: none"):
        read_yaml(tmp_path / "nowhere" / "c.yaml")


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "word", "# only a comment\n"])
def test_a_recipe_that_is_no_table_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(RecipeError, match="a recipe must be a table of words and values"):
        read(tmp_path, content)


def test_what_is_not_yaml_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"not YAML: .* line 2, column"):
        read(tmp_path, "seed: 1\ntasks: [a\n")


def test_a_word_that_is_given_twice_is_an_error_without_advice_for_programs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r'not YAML: .* duplicate key "seed" .* line 2, column 1$'):
        read(tmp_path, "seed: 1\nseed: 2\n")


def test_a_recipe_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the file is not UTF-8"):
        read(tmp_path, b"# caf\xe9\nseed: 1\n")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed=1", {"seed": 1, "tasks": [{"weight": 1.0}], "data": None}),
        ("tasks.0.weight=2", {"seed": 0, "tasks": [{"weight": 2}], "data": None}),
        ("tasks.0={name: s}", {"seed": 0, "tasks": [{"name": "s"}], "data": None}),
        ("data.split.seed=1", {"seed": 0, "tasks": [{"weight": 1.0}], "data": {"split": {"seed": 1}}}),
        ("output_dir=a=b", {"seed": 0, "tasks": [{"weight": 1.0}], "data": None, "output_dir": "a=b"}),
        ("seed=", {"seed": None, "tasks": [{"weight": 1.0}], "data": None}),
    ],
    ids=["top", "in a list", "an item of a list", "through what is not there", "a value with =", "nothing"],
)
def test_an_override_sets_one_value(override: str, expected: dict[str, Any]) -> None:
    content: dict[str, Any] = {"seed": 0, "tasks": [{"weight": 1.0}], "data": None}

    set_value(content, override, RECIPE)

    assert content == expected


@pytest.mark.parametrize(("written", "value"), [("2e-5", 2e-5), ("no", "no"), ("true", True), ("[1, 2]", [1, 2])])
def test_the_value_of_an_override_is_yaml(written: str, value: object) -> None:
    content: dict[str, Any] = {}

    set_value(content, f"word={written}", RECIPE)

    assert content == {"word": value}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "'seed' is not an override; write key=value, such as seed=1"),
        ("=1", "'=1' is not an override; write key=value, such as seed=1"),
        ("tasks.5.weight=2", "override 'tasks.5.weight=2': '5' does not exist"),
        ("tasks.1=2", "override 'tasks.1=2': '1' does not exist"),
        ("tasks.first=2", "override 'tasks.first=2': 'first' does not exist"),
        ("backbone.x=1", "override 'backbone.x=1': 'x' does not exist"),
        ("backbone.x.y=1", "override 'backbone.x.y=1': 'x' does not exist"),
        ("seed=[", "not YAML: "),
    ],
)
def test_an_override_that_leads_nowhere_is_an_error(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(f"recipe.yaml has a problem:\n  {message}")):
        set_value({"backbone": "b", "tasks": [{"weight": 1.0}]}, override, RECIPE)


def test_aliases_that_stand_for_billions_of_values_are_an_error(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")

    with pytest.raises(RecipeError, match=r"not YAML: aliases repeat [\d,]{10,} values; the limit is 1,000"):
        read(tmp_path, "\n".join(lines))


def test_an_alias_of_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nested deeper than 50 levels"):
        read(tmp_path, "a: &a [*a]")


def test_a_few_aliases_are_expanded(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }


def test_a_file_of_ten_megabytes_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the file has 10,000,003 bytes; a recipe has at most 1,000,000"):
        read(tmp_path, f"a: {'x' * 10**7}")
