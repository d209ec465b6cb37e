"""Train a model from a recipe and print the results.

multitask train quickstart
multitask train recipe.yaml seed=1 output_dir=runs/again
"""

import argparse
import shlex
from pathlib import Path

from ..recipes.loading import load_recipe
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser("train", "RECIPE [key=value ...] [--dry_run] [--force]", "Train a model from a recipe.")
    parser.add_positional("recipe", help="a YAML file, or the name of a bundled recipe, such as quickstart")
    parser.add_overrides(help="override a setting of the recipe, such as seed=1 or training.bf16=true")
    parser.add_argument("--dry_run", action="store_true", help="check the recipe and print the plan, without training")
    parser.add_argument("--force", action="store_true", help="overwrite the previous run in output_dir")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train the recipe, or print its plan."""
    recipe = load_recipe(arguments.recipe, arguments.overrides)  # before the imports, which take seconds

    from accelerate import PartialState

    from ..runs.plan import plan
    from ..runs.run import run_recipe
    from .train_output import show_plan, show_run

    if arguments.dry_run:
        planned = plan(recipe)
        if PartialState().is_main_process:
            show_plan(planned)
    else:
        trained = run_recipe(recipe, force=arguments.force)
        if PartialState().is_main_process:
            show_run(trained, recipe.examples)
    PartialState().wait_for_everyone()
    PartialState().destroy_process_group()  # otherwise the first process to exit may abort the others


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    """Return the last complete checkpoint of a stopped run, and the command that continues it."""
    from ..training.checkpoints import last_whole_checkpoint

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    if arguments.dry_run:
        return "Nothing was written."
    checkpoint, _ = last_whole_checkpoint(Path(recipe.output_dir) / "checkpoints")
    if checkpoint is None:
        return f"No checkpoint was written yet, so the same command starts again. Its folder is {recipe.output_dir}."
    words = shlex.join(["multitask", "train", arguments.recipe, *arguments.overrides, "resume=true"])
    return f"The last checkpoint is {checkpoint}. Continue with: {words}"


main = command(build_parser, run, _how_to_go_on)
