"""List the bundled recipes, or copy one with its data as a starting point.

multitask recipes
multitask recipes copy s3 my_project
"""

import argparse
from pathlib import Path

from ..recipes.bundled import bundled_recipes, copy_recipe, describe_recipe
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser("recipes", "[copy NAME DIR] [--force]", "List the bundled recipes, or copy one with its data.")
    for name, what in (("action", "copy; without it, the recipes are listed"), ("name", "of a recipe"), ("dir", "")):
        parser.add_positional(name, required=lambda arguments: arguments.action == "copy", help=what)
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """List, or copy."""
    if arguments.action is None:
        recipes = bundled_recipes()
        width = max(map(len, recipes)) + 2
        print(*(f"{name:{width}}{describe_recipe(path)}" for name, path in recipes.items()), sep="\n")
        return
    if arguments.action != "copy":
        raise ValueError(f"{arguments.action!r} is no action; write: multitask recipes copy NAME DIR")
    files = copy_recipe(arguments.name, Path(arguments.dir), force=arguments.force)
    print(*(path.as_posix() for path in files), sep="\n")
    print(f"\nTrain it: multitask train {files[0].as_posix()}")


main = command(build_parser, run)
