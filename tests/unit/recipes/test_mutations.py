"""No value of a recipe gives a traceback, tested with thousands of damaged recipes generated from the words."""

import copy
import json
import random
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe, TaskRecipe
from modeling_multitask.recipes.training_words import training_words
from modeling_multitask.runs.prepare import build_arguments
from modeling_multitask.words_multitask import declared_words

NUMBERS = [0, 1, -1, 2, 1.5, -0.5, 1e-300, 1e300, 10**30, -(10**30), 10**400]
OTHERS = [None, True, False, "", " ", "x", "none", "balanced", "a.b[0]: c", "\x00", "é" * 300, [], {}, [[]], [{}]]
NESTED = [[None], [1.5], ["x", 1], {"x": 1}, {"": None}, {"x": {"x": []}}, [{"x": [1]}]]
# Only possible in YAML. Its reader raises `ValueError`, `KeyError` and `AttributeError` for some of them.
TAGGED = [
    "!!float x",
    "!!int x",
    "!!bool x",
    "!!timestamp x",
    "!!binary x",
    "!!set {a, b}",
    "!!omap [a]",
    "!!python/object:os.system x",
    "!unknown x",
    "2026-11-28",
    "2026-13-45",
    "{1: x}",
    "{[1]: x}",
    "{2026-11-28: x}",
    "[&a [*a]]",
    "*nowhere",
    ".nan",
    ".inf",
    "0x1F",
    "9" * 5000,
    "{[[1]]: x}",
    "!!omap [[1]: 2]",
    '"\\U00110000"',
    '"\\uD800"',
]


def example_of(cls: type) -> dict[str, Any]:
    """A recipe's table that has every word of a dataclass, with its example or its default."""
    words = {}
    for name, each in declared_words(cls).items():
        kinds, example = members(get_type_hints(cls)[name]), each.metadata["word"].example
        table = next(filter(is_dataclass, kinds), None)
        if isinstance(table, type) and not isinstance(example, str):
            words[name] = [example_of(table)] if isinstance(example, list) else example_of(table)
        else:
            words[name] = each.default if example is None else example
    return words


def members(annotation: Any) -> list[Any]:
    """An annotation and all annotations within it."""
    return [annotation, *(each for inner in get_args(annotation) for each in members(inner))]


def sound_recipe() -> dict[str, Any]:
    """One that has many words and no problem."""
    return {
        "backbone": "some/encoder",
        "head": {"hidden_sizes": [8]},
        "tasks": [
            {"name": "mood", "problem_type": "binary_classification", "labels": ["bad", "good"], "pos_weight": 2.0},
            {"name": "topic", "problem_type": "single_label_classification", "labels": ["a", "b"], "weight": 0.5},
            {"name": "stars", "problem_type": "ordinal_regression", "labels": ["low", "high"]},
        ],
        "data": {"train": {"path": "reviews.csv", "text": "text"}, "split": {"validation": 0.1}},
        "learning_rates": {"heads": 1e-3, "backbone": 1e-5},
        "phases": [{"train": "heads", "until": "epoch 1", "weights": {"mood": 1}}, {"train": ["everything"]}],
        "training": {"num_train_epochs": 2, "lr_scheduler_type": "linear"},
        "prefix_cache": {"gigabytes": 1},
    }


def whole_recipe() -> dict[str, Any]:
    """One with every word that is declared."""
    plain = {bool: False, int: 1, float: 1, str: "no"}
    training = {name: plain[kind] for name, kind in training_words().items() if kind in plain}
    return {**example_of(Recipe), "training": training}


def mutate(recipe: dict[str, Any], draw: random.Random) -> tuple[dict[str, Any], str | None]:
    """A recipe with one to three places damaged; also its YAML, if that alone can say it."""
    content, raw = copy.deepcopy(recipe), {}
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice(places(content))
        change = draw.random()
        if change < 0.15:
            del holder[key]
        elif change < 0.3 and isinstance(holder, dict):
            holder[misspelt(str(key), draw)] = holder.pop(key)
        elif change < 0.45:
            holder[key] = draw.choice([[holder[key]], {"x": holder[key]}, [holder[key], copy.deepcopy(holder[key])]])
        elif change < 0.5:
            mark = f"@{len(raw)}@"
            raw[json.dumps(mark)], holder[key] = draw.choice(TAGGED), mark
        else:
            holder[key] = copy.deepcopy(draw.choice([*NUMBERS, *OTHERS, *NESTED, other_value(content, draw)]))
        if not content:
            break
    text = json.dumps(content, ensure_ascii=False) if raw else None
    for mark, written in raw.items():
        text = str(text).replace(mark, written)
    return content, text


def places(content: Any) -> list[tuple[Any, Any]]:
    """Each value within, as what holds it and its key or number."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in pairs for place in [(content, key), *places(value)]]


def other_value(content: dict[str, Any], draw: random.Random) -> Any:
    holder, key = draw.choice(places(content))
    return holder[key]


def misspelt(word: str, draw: random.Random) -> str:
    i = draw.randrange(len(word) + 1)
    return draw.choice([word[:i] + word[i + 1 :], word[:i] + "x" + word[i:], word.upper(), ""])


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@pytest.mark.parametrize("count", [200, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_damaged_recipe_is_read_or_refused(tmp_path: Path, count: int) -> None:
    draw, recipes = random.Random(count), [sound_recipe(), whole_recipe()]
    path = tmp_path / "recipe.yaml"
    refused = 0
    for _ in range(count):
        content, text = mutate(draw.choice(recipes), draw)
        path.write_text(text or "", encoding="utf-8")
        try:
            build_arguments(load_recipe(path if text else content), validated=True)
        except RecipeError:
            refused += 1
        except Exception as error:
            error.add_note(f"of the recipe {text or content}")
            raise

    assert count * 0.5 < refused < count  # what is damaged is mostly wrong, and not always


def test_the_recipes_that_are_damaged_have_every_word() -> None:
    assert set(whole_recipe()) == set(declared_words(Recipe))
    assert set(whole_recipe()["tasks"][0]) == set(declared_words(TaskRecipe))
    assert load_recipe(sound_recipe()).tasks
