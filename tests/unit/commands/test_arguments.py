"""Command lines are parsed as users type them."""

from collections.abc import Callable
from typing import Any

import pytest

from modeling_multitask import commands
from modeling_multitask.commands.arguments import Parser


def study() -> Parser:
    """Overrides, and two lists."""
    parser = Parser("study", "RECIPE", "Compare.")
    parser.add_positional("recipe")
    parser.add_overrides()
    parser.add_list("--seeds", accepts=str.isdigit)
    parser.add_list("--only", accepts=str.isidentifier)
    parser.add_argument("--force", action="store_true")
    return parser


def similarity() -> Parser:
    """Two positional arguments, one of which may be left out, and a list of anything."""
    parser = Parser("similarity", "MODEL (FILE | --pair TEXT TEXT)", "Compare.")
    parser.add_positional("model")
    parser.add_positional("file", required=lambda arguments: arguments.pair is None)
    parser.add_argument("--pair", nargs=2, action="append")
    parser.add_list("--nearest")
    return parser


def parsed(build: Callable[[], Parser], line: str) -> dict[str, Any]:
    """Return the given arguments, without the omitted ones."""
    return {name: value for name, value in vars(build().parse(line.split())).items() if value}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recipe.yaml", {"recipe": "recipe.yaml"}),
        ("--seeds 0 1 recipe.yaml", {"recipe": "recipe.yaml", "seeds": ["0", "1"]}),
        ("--seeds 0 1 --force recipe.yaml", {"recipe": "recipe.yaml", "seeds": ["0", "1"], "force": True}),
        (
            "r.yaml --only backbone_frozen lora training.max_steps=6",
            {"recipe": "r.yaml", "only": ["backbone_frozen", "lora"], "overrides": ["training.max_steps=6"]},
        ),
        ("--only lora quickstart", {"recipe": "quickstart", "only": ["lora"]}),
        ("--only lora everything quickstart", {"recipe": "quickstart", "only": ["lora", "everything"]}),
        ("seed=1 quickstart a.b=[2,c]", {"recipe": "quickstart", "overrides": ["seed=1", "a.b=[2,c]"]}),
        ("--seeds 1 --only lora quickstart", {"recipe": "quickstart", "seeds": ["1"], "only": ["lora"]}),
    ],
)
def test_lists_and_overrides_may_stand_anywhere(line: str, expected: dict[str, Any]) -> None:
    assert parsed(study, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--nearest x MODEL FILE", {"model": "MODEL", "file": "FILE", "nearest": ["x"]}),
        ("--nearest x y MODEL FILE", {"model": "MODEL", "file": "FILE", "nearest": ["x", "y"]}),
        ("MODEL --nearest x FILE", {"model": "MODEL", "file": "FILE", "nearest": ["x"]}),
        ("MODEL FILE --nearest x y", {"model": "MODEL", "file": "FILE", "nearest": ["x", "y"]}),
        ("MODEL --pair a b --nearest x", {"model": "MODEL", "pair": [["a", "b"]], "nearest": ["x"]}),
        ("--pair a b --nearest x MODEL", {"model": "MODEL", "pair": [["a", "b"]], "nearest": ["x"]}),
    ],
)
def test_a_list_gives_back_what_positional_arguments_need(line: str, expected: dict[str, Any]) -> None:
    assert parsed(similarity, line) == expected


@pytest.mark.parametrize(
    ("build", "line", "message"),
    [
        (study, "", "the following arguments are required: RECIPE"),
        (study, "--seeds 1", "the following arguments are required: RECIPE"),
        (study, "a.yaml b", "'b' is not an override; write key=value, such as seed=1"),
        (study, "--only recipe.yaml", "argument --only: 'recipe.yaml' is not a valid value"),
        (study, "--seeds", "argument --seeds: expected at least one argument"),
        (similarity, "--nearest x", "the following arguments are required: MODEL, FILE"),
        (similarity, "MODEL FILE other", "unrecognized arguments: other"),
    ],
)
def test_a_wrong_line_is_an_error_with_the_usage(
    build: Callable[[], Parser], line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        build().parse(line.split())

    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert printed.startswith(f"usage: multitask {build().prog.split()[1]} ")
    assert message in printed


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main([]) == 0

    assert capsys.readouterr().out == commands.HELP


def test_an_unknown_command_is_an_error_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["trian"]) == 2

    assert "unknown command 'trian'; did you mean 'train'?; commands: train, predict, data" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["--version"]) == 0

    assert capsys.readouterr().out.startswith("multitask 0.")
