"""Train a recipe with several strategies and recommend one.

multitask study quickstart --seeds 0 1 2
multitask study quickstart --only backbone_frozen lora training.max_steps=100
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..locks import locked
from ..recipes.loading import load_recipe
from ..study.strategies import STRATEGIES
from .arguments import Parser, positive
from .command import command

if TYPE_CHECKING:
    from ..study.runs import PlannedStudy


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "study",
        "RECIPE [key=value ...] [--seeds N ...] [--jobs N] [--only NAME ...] [--force]",
        "Train a recipe with several strategies and compare them.",
    )
    parser.add_positional("recipe", help="a YAML file, or the name of a bundled recipe, such as quickstart")
    parser.add_overrides(help="override a setting of the recipe, such as training.num_train_epochs=3")
    parser.add_list(
        "--seeds", accepts=str.isdigit, metavar="N", help="seeds; each strategy has one run per seed (default: 0 1 2)"
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="number of parallel runs (default: 1 on a GPU, else one per core)"
    )
    names = ", ".join(STRATEGIES)
    parser.add_list(
        "--only",
        accepts=re.compile(r"\w+").fullmatch,
        metavar="NAME",
        help=f"train only these strategies, where K is a number and TASK is the name of a task: {names}",
    )
    parser.add_argument("--force", action="store_true", help="delete the runs of a study in output_dir and start again")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Plan and run the study, and write the results. Return 1 if a run failed, else 0."""
    load_recipe(arguments.recipe, arguments.overrides)  # before the imports that take seconds

    from ..study.runs import plan_study

    seeds = list(map(int, arguments.seeds)) or [0, 1, 2]
    planned = plan_study(arguments.recipe, arguments.overrides, seeds=seeds, only=arguments.only)
    with locked(Path(planned.recipe.output_dir), inside=True):
        return _carry_out(planned, arguments)


def _carry_out(planned: PlannedStudy, arguments: argparse.Namespace) -> int:
    from ..study.runs import begin_study, carry_out, default_jobs, write_study
    from ..study.words import study_as_markdown

    begin_study(planned, force=arguments.force)
    runs = len({id(each) for each in planned.runs.values()})
    jobs = arguments.jobs or default_jobs(runs)
    print(f"{len(planned.strategies)} strategies, {runs} runs, {jobs} in parallel", flush=True)
    study = carry_out(planned, jobs=jobs, say=lambda line: print(line, flush=True))
    try:
        write_study(study, planned, jobs=jobs)
    except ImportError as error:  # the other files are already written
        print(f"No picture was drawn: {error}")
    print(f"\n{study_as_markdown(study)}\nThe study is in {planned.recipe.output_dir}")
    return int(any(row.errors for row in study.rows))


main = command(build_parser, run, lambda _: "Finished runs are kept. The same command trains only the missing ones.")
