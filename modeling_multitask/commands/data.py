"""Summarise the data of a recipe, and push it to the Hub as a data set.

multitask data quickstart
multitask data quickstart --push me/reviews --yes
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_json, write_text
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from .arguments import Parser
from .command import command

if TYPE_CHECKING:
    from ..runs.data import Data

FILES = ("data.txt", "data.json", "data.png")


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "data",
        "RECIPE [key=value ...] [--output DIR] [--push REPO] [--yes] [--private] [--revision R] [--create_pr] "
        "[--force]",
        "Summarise the data of a recipe, or push it to the Hub.",
    )
    parser.add_positional("recipe", help="a YAML file, or the name of a bundled recipe, such as quickstart")
    parser.add_overrides(help="override a setting of the recipe, such as seed=1 or data.leaks=remove")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder for the summary (default: data in the run's output_dir); not used with --push",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing summary")
    parser.add_argument("--push", metavar="REPO", help="push to this data set on the Hub, such as me/reviews")
    parser.add_argument("--yes", action="store_true", help="push; without --yes, only list the files to push")
    parser.add_argument("--private", action="store_true", default=None, help="create the repository as private")
    parser.add_argument("--revision", metavar="R", help="the branch to push to")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request instead of pushing directly")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Summarise the data, and push it if requested."""
    recipe = load_recipe(arguments.recipe, arguments.overrides)

    from ..publishing.dataset import check_dataset_id
    from ..runs.data import build_data, check_push

    if arguments.push:
        check_dataset_id(arguments.push)
        check_push(recipe)
    output = arguments.output or Path(recipe.output_dir) / "data"
    if not arguments.push and not arguments.force and any((output / name).exists() for name in FILES):
        raise FileExistsError(f"{output} already contains a data summary; add --force to overwrite it")
    data = build_data(recipe)
    print(data.describe())
    if arguments.push:
        push_data(recipe, data, arguments)
    else:
        save_look(data, output)


def save_look(data: Data, output: Path) -> None:
    """Write the summary as text, JSON and a picture."""
    from datasets_builder.look_plot import draw_look

    write_text(output / "data.txt", data.describe() + "\n")
    write_json(output / "data.json", data.as_json())
    try:
        draw_look(data.look, output / "data.png")
    except ImportError as error:  # the text files are already written
        print(f"\nThe summary is in {output.as_posix()}, without a picture: {error}")
    else:
        print(f"\nThe summary is in {output.as_posix()}, with a picture: {(output / 'data.png').as_posix()}")


def push_data(recipe: Recipe, data: Data, arguments: argparse.Namespace) -> None:
    """Upload the data set, or show what would be uploaded."""
    from huggingface_hub import HfApi

    from ..hub.upload import Target, file_lines
    from ..publishing.dataset import push_dataset
    from ..runs.data import paths_of_this_machine, write_data_repository

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data_repository(recipe, data, arguments.push, folder)
        print(f"\n{'Pushing' if arguments.yes else 'Would push'} to the data set {arguments.push}:")
        print(*file_lines(folder), sep="\n")
        if paths := paths_of_this_machine(recipe):
            print(f"Note: recipe.yaml contains local paths of this machine: {', '.join(paths)}.")
        if not arguments.yes:
            print("Nothing was pushed; add --yes to push.")
            return
        target = Target(
            arguments.push,
            "dataset",
            private=arguments.private,
            revision=arguments.revision,
            create_pr=arguments.create_pr,
        )
        print(f"Pushed to {push_dataset(HfApi(), folder, target).address}")


main = command(build_parser, run)
