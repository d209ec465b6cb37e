"""Trains a recipe in every way there is and says which to use.

python -m scripts.study configuration/recipes/quickstart.yaml --seeds 0 1 2
"""

import argparse
import sys

from configuration import RecipeError
from configuration.study import begin_study, carry_out, default_jobs, plan_study, write_study
from datasets_builder import DataError
from modeling_multitask.evaluation.study import Study
from modeling_multitask.evaluation.study_words import as_markdown


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend, or a run failed."""
    parser = argparse.ArgumentParser(prog="scripts.study", description="Compare all ways of training a recipe.")
    parser.add_argument("recipe", help="a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.num_train_epochs=3")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="one run of each strategy for each")
    parser.add_argument("--jobs", type=_positive, help="runs at a time (as many as there are cores; 1 with a GPU)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these strategies, such as everything and lora")
    parser.add_argument("--force", action="store_true", help="overwrite what another study left in output_dir")
    arguments = parser.parse_intermixed_args(argv)
    try:
        study = run(arguments)
    except (RecipeError, DataError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(any(row.errors for row in study.rows))


def run(arguments: argparse.Namespace) -> Study:
    """Plans, trains, and writes and prints what came of it."""
    planned = plan_study(arguments.recipe, arguments.overrides, seeds=arguments.seeds, only=arguments.only)
    begin_study(planned, force=arguments.force)
    runs = len({id(each) for each in planned.runs.values()})
    jobs = arguments.jobs or default_jobs(runs)
    print(f"{len(planned.strategies)} strategies, {runs} runs, {jobs} at a time", flush=True)
    study = carry_out(planned, jobs=jobs, say=lambda line: print(line, flush=True))
    try:
        write_study(study, planned, jobs=jobs)
    except ImportError as error:  # the words are there all the same
        print(f"There is no picture: {error}")
    print(f"\n{as_markdown(study)}\nThe study is in {planned.recipe.output_dir}")
    return study


def _positive(text: str) -> int:
    """At least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"is {number}; it must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
