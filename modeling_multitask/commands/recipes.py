"""List the bundled recipes, or copy one with its data.

multitask recipes
multitask recipes copy s3 my_project
"""

import argparse
from pathlib import Path

from ..recipes.bundled import bundled_recipes, copy_recipe, describe_recipe
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser("recipes", "[copy NAME DIR] [--force]", "List the bundled recipes, or copy one with its data.")
    about = {
        "action": "write copy to copy a recipe; without it, the recipes are listed",
        "name": "the recipe to copy",
        "dir": "the folder to copy to; it is created if it does not exist",
    }
    for name, what in about.items():
        parser.add_positional(name, required=lambda arguments: arguments.action == "copy", help=what)
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """List the recipes, or copy one."""
    if arguments.action is None:
        recipes = bundled_recipes()
        width = max(map(len, recipes)) + 2
        print(*(f"{name:{width}}{describe_recipe(path)}" for name, path in recipes.items()), sep="\n")
        return
    if arguments.action != "copy":
        raise ValueError(f"unknown action {arguments.action!r}; write: multitask recipes copy NAME DIR")
    files = copy_recipe(arguments.name, Path(arguments.dir), force=arguments.force)
    print(*(path.as_posix() for path in files), sep="\n")
    print(f"\nTrain it with: multitask train {files[0].as_posix()}")


main = command(build_parser, run)
