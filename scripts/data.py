"""Shows what a recipe's data is like, and pushes it to the Hub as a data set.

python -m scripts.data configuration/recipes/quickstart.yaml
python -m scripts.data configuration/recipes/quickstart.yaml --push me/reviews --yes
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from huggingface_hub import HfApi

from configuration import RecipeError, load_recipe
from configuration.data import Data, build_data, paths_of_this_machine, write_data_repository
from configuration.recipe import Recipe
from datasets_builder import DataError
from datasets_builder.look import as_json, describe
from datasets_builder.look_plot import draw_look
from datasets_builder.publish import check_dataset_id, push_dataset
from datasets_builder.upload import Target, file_lines

FILES = ("data.txt", "data.json", "data.png")


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.data", description="Look at a recipe's data; push it to the Hub.")
    parser.add_argument("recipe", help="a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as seed=1 or data.leaks=remove")
    parser.add_argument("--output", type=Path, help="where the look is written (OUTPUT_DIR/data)")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument(
        "--push", metavar="REPO", help="what the data set is to be called on the Hub, such as me/reviews"
    )
    parser.add_argument("--yes", action="store_true", help="do push; without it, only show what would be")
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--revision", help="the branch to push to")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request instead")
    arguments = parser.parse_intermixed_args(argv)
    try:
        run(arguments)
    except (RecipeError, DataError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Looks, and pushes if asked to."""
    recipe = load_recipe(arguments.recipe, arguments.overrides)
    if arguments.push:
        check_dataset_id(arguments.push)
    output = arguments.output or Path(recipe.output_dir) / "data"
    if not arguments.push and not arguments.force and any((output / name).exists() for name in FILES):
        raise FileExistsError(f"{output} holds a look already; add --force to overwrite it")
    data = build_data(recipe)
    print(describe(data.look))
    if arguments.push:
        push(recipe, data, arguments)
    else:
        save_look(data, output)


def save_look(data: Data, output: Path) -> None:
    """Writes the look as text, JSON and a picture."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "data.txt").write_text(describe(data.look) + "\n", encoding="utf-8")
    (output / "data.json").write_text(json.dumps(as_json(data.look), indent=2) + "\n", encoding="utf-8")
    try:
        draw_look(data.look, output / "data.png")
    except ImportError as error:  # the words are there all the same
        print(f"\nThe look is in {output.as_posix()}, without a picture: {error}")
    else:
        print(f"\nThe picture is in {(output / 'data.png').as_posix()}")


def push(recipe: Recipe, data: Data, arguments: argparse.Namespace) -> None:
    """Uploads the data set, or shows what would be uploaded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data_repository(recipe, data, arguments.push, folder)
        print(f"\n{'To' if arguments.yes else 'Would go to'} the data set {arguments.push}:")
        print(*file_lines(folder), sep="\n")
        if paths := paths_of_this_machine(recipe):
            print(f"Note that recipe.yaml says where {', '.join(paths)} is on this machine.")
        if not arguments.yes:
            print("Nothing was pushed; add --yes to do so.")
            return
        target = Target(
            arguments.push,
            "dataset",
            private=arguments.private,
            revision=arguments.revision,
            create_pr=arguments.create_pr,
        )
        print(f"Pushed to {push_dataset(HfApi(), folder, target).address}")


if __name__ == "__main__":
    sys.exit(main())
