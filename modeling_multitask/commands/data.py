"""Summarise the data of a recipe, and push it to the Hub as a data set; or print a recipe for a table.

multitask data tickets.csv
multitask data quickstart
multitask data quickstart --rows rows.jsonl
multitask data quickstart --push me/reviews --yes
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builder.addresses import is_address
from datasets_builder.formats import names_table

from ..files import check_local, holds_any, is_there, whole_files, write_json, write_text
from ..locks import locked
from ..paths_multitask import home_replaced
from ..recipes.bundled import bundled_recipes
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.yaml_file import RECIPE_ENDINGS
from .arguments import Parser
from .command import command

if TYPE_CHECKING:
    from ..runs.data import Data

FILES = ("data.txt", "data.json", "data.png")


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "data",
        "(RECIPE | FILE) [key=value ...] [--output DIR] [--rows FILE] [--push REPO] [--yes] [--private] [--revision R] "
        "[--create_pr] [--force]",
        "Summarise the data of a recipe, or push it to the Hub. For a table, print a recipe instead.",
    )
    parser.add_positional(
        "recipe",
        help="a YAML file, or the name of a bundled recipe, such as quickstart; or a table without a recipe (a file, "
        "a folder, or an address such as https://...), for which a recipe is printed",
    )
    parser.add_overrides(help="override a setting of the recipe, such as seed=1 or data.leaks=remove")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder for the summary (default: data in the run's output_dir); not used with --push",
    )
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="only write the rows as they are read to this .jsonl file"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing summary or file of rows")
    parser.add_argument("--push", metavar="REPO", help="push to this data set on the Hub, such as me/reviews")
    parser.add_argument("--yes", action="store_true", help="push; without --yes, only list the files to push")
    parser.add_argument("--private", action="store_true", default=None, help="create the repository as private")
    parser.add_argument("--revision", metavar="R", help="the branch to push to")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request instead of pushing directly")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Summarise the data, and push it if requested; for a table, print a recipe."""
    if is_table(arguments.recipe):
        print_guess(arguments)
        return
    recipe = load_recipe(arguments.recipe, arguments.overrides)
    if arguments.rows:
        save_rows(recipe, arguments)
        return

    from ..publishing.dataset import check_dataset_id
    from ..runs.data import build_data, check_push

    if arguments.push:
        check_dataset_id(arguments.push)
        check_push(recipe)
    output = arguments.output or Path(recipe.output_dir) / "data"
    if arguments.push:
        data = build_data(recipe)
        print(data.describe())
        push_data(recipe, data, arguments)
        return
    with locked(output, inside=True):
        if not arguments.force and holds_any(output, FILES):
            raise FileExistsError(f"{output} already contains a data summary; add --force to overwrite it")
        data = build_data(recipe)
        print(data.describe())
        save_look(data, output)


def is_table(given: str) -> bool:
    """Return whether a word names a table and not a recipe: a file or folder, or a path that ends like a table."""
    if given in bundled_recipes() or given.lower().endswith(RECIPE_ENDINGS):
        return False
    return names_table(given) or is_address(given) or is_there(home_replaced(given))


def print_guess(arguments: argparse.Namespace) -> None:
    """Print the findings in a table, and a recipe for it."""
    options = ("output", "rows", "push", "yes", "private", "revision", "create_pr", "force")
    given = [f"--{name}" for name in options if getattr(arguments, name)] + arguments.overrides
    if given:
        raise ValueError(f"{arguments.recipe} is a table, and {given[0]} is only for a recipe; remove it")

    from datasets_builder.guess import guess_table

    from .guessed_recipe import findings_as_text, guess_as_recipe

    guess = guess_table(arguments.recipe)
    print(findings_as_text(guess))
    recipe = guess_as_recipe(guess)
    print(f"# These are guesses. Check them, and save the recipe in this folder, such as with > recipe.yaml\n{recipe}")


def save_rows(recipe: Recipe, arguments: argparse.Namespace) -> None:
    """Write the rows as one JSON object in each line."""
    if arguments.push or arguments.output:
        raise ValueError("--rows cannot be combined with --push or --output; leave one out")
    check_local(arguments.rows)
    if arguments.rows.exists() and not arguments.force:
        raise FileExistsError(f"{arguments.rows} already exists; add --force to overwrite it")

    from ..runs.data import write_rows

    count = write_rows(recipe, arguments.rows)
    print(f"Wrote {count} rows to {arguments.rows.as_posix()}")


def save_look(data: Data, output: Path) -> None:
    """Write the summary as text, JSON and a picture."""
    from datasets_builder.look_plot import draw_look

    picture = f"with a picture: {(output / 'data.png').as_posix()}"
    with whole_files(output, stale=FILES) as partial:
        write_text(partial / "data.txt", data.describe() + "\n")
        write_json(partial / "data.json", data.as_json())
        try:
            draw_look(data.look, partial / "data.png")
        except ImportError as error:
            picture = f"without a picture: {error}"
    print(f"\nThe summary is in {output.as_posix()}, {picture}")


def push_data(recipe: Recipe, data: Data, arguments: argparse.Namespace) -> None:
    """Upload the data set, or show what would be uploaded."""
    from huggingface_hub import HfApi

    from ..hub.secret_files import check_secrets
    from ..hub.upload import Target, file_lines
    from ..publishing.dataset import push_dataset
    from ..runs.data import paths_of_this_machine, write_data_repository

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data_repository(recipe, data, arguments.push, folder)
        check_secrets(folder)
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
