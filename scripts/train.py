"""Trains what a recipe says and prints what came of it.

python -m scripts.train configuration/recipes/quickstart.yaml seed=1 output_dir=runs/again
"""

import argparse
import sys
from typing import Any

from accelerate import PartialState

from configuration import RecipeError, load_recipe
from configuration.plan import Plan, plan
from configuration.run import Run, train
from datasets_builder import DataError
from datasets_builder.extras import import_extra
from modeling_multitask.inference import predict


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.train", description="Train a multi-task model from a recipe.")
    parser.add_argument("recipe", help="a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as seed=1 or training.bf16=true")
    parser.add_argument("--dry_run", action="store_true", help="print what would be done, and train nothing")
    parser.add_argument("--force", action="store_true", help="overwrite what output_dir holds")
    arguments = parser.parse_intermixed_args(argv)
    try:
        recipe = load_recipe(arguments.recipe, arguments.overrides)
        if arguments.dry_run:
            made = plan(recipe)
            if PartialState().is_main_process:
                show_plan(made)
            return _end_together()
        run = train(recipe, force=arguments.force)
    except (RecipeError, DataError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if PartialState().is_main_process:
        show(run, recipe.examples)
    return _end_together()


def _end_together() -> int:
    PartialState().wait_for_everyone()
    PartialState().destroy_process_group()  # else a process that ends first may abort the others
    return 0


def show(run: Run, examples: list[str]) -> None:
    """Prints the figures, the examples' answers, and how to load the model."""
    console = import_extra("rich.console", extra="train").Console()
    for split, results in run.results.items():
        console.print(figures(split, results, run.labelled_rows))
    for text, answers in zip(examples, predict(run.model, examples, tokenizer=run.tokenizer), strict=True):
        print(text)
        for task, answer in answers.items():
            print(f"    {task}: {in_words(answer)}")
    folder, report = run.folder.as_posix(), run.folder.parent / "report" / "report.html"
    if report.is_file():
        print(f"\nWhere it fails, and how far its scores can be trusted: {report.as_posix()}")
    print(f"\nThe model is in {folder}. Anyone loads it without this package:\n")
    print("    from transformers import pipeline")
    print(f'    classify = pipeline("multitask-classification", model="{folder}", trust_remote_code=True)')
    print(f"    print(classify({examples[0] if examples else 'Any text.'!r}))")


def show_plan(plan: Plan) -> None:
    """Prints what a run would do."""
    console = import_extra("rich.console", extra="train").Console()
    console.print(plan_table(plan))
    for number, phase in enumerate(plan.phases, start=1):
        ends = f"until {phase.until}" if phase.until else "to the end"
        condition = f", only if {phase.only_if}" if phase.only_if else ""
        weights = f", weights {phase.weights}" if phase.weights else ""
        share = f"{plan.trained[number - 1]:,} of {plan.parameters:,} parameters"
        print(f"phase {number}: trains {phase.describe()} {ends}{condition}{weights}: {share}")
    in_epoch = f"{plan.steps_per_epoch:,} in an epoch" if plan.steps_per_epoch else "training rows are streamed"
    print(f"steps: {plan.steps:,}, {in_epoch}")
    print("rows: " + ", ".join(f"{name} {count:,}" for name, count in plan.rows.items()))
    counts = [f"{name} {count:,}" for name, count in plan.labelled.items() if count is not None]
    print(f"labelled in training: {', '.join(counts) or 'not known'}")
    parts = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in plan.memory.items())
    print(f"memory, about {sum(plan.memory.values()) / 2**20:,.0f} MiB: {parts}")


def plan_table(plan: Plan) -> Any:
    """The optimizer's groups, with their rate in each phase."""
    table = import_extra("rich.table", extra="train").Table(title="parameters and their learning rates")
    for heading in ("part", "parameters", "weight decay", *(f"phase {i + 1}" for i in range(len(plan.phases)))):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for group in plan.groups:
        rates = [_rate(*each, group.parameters) for each in zip(group.rates, group.trained, strict=True)]
        table.add_row(group.name, f"{group.parameters:,}", f"{group.weight_decay:g}", *rates)
    return table


def _rate(rate: float | None, trained: int, parameters: int) -> str:
    """`0.0001`, `frozen`, or with how many of the group it is the rate of."""
    if rate is None:
        return "frozen"
    return f"{rate:.3g}" if trained == parameters else f"{rate:.3g} ({trained:,} of them)"


def in_words(answer: dict[str, Any] | list[dict[str, Any]]) -> str:
    """`product (0.93)`, several of these, or a number; `no answer` where there is none."""
    if isinstance(answer, list):
        return ", ".join(map(in_words, answer)) or "none"
    if "label" not in answer:
        return "no answer" if answer["score"] is None else f"{answer['score']:.4g}"
    return f"{'no answer' if answer['label'] is None else answer['label']} ({answer['score']:.2f})"


def figures(split: str, results: dict[str, Any], labelled_rows: dict[str, int | None]) -> Any:
    """The split's metrics as a table."""
    table = import_extra("rich.table", extra="train").Table(title=f"{split} (score {results['score']:.4f})")
    metrics = list(dict.fromkeys(name for task in labelled_rows for name in results[task] if name != "rows"))
    for heading in ("task", "labelled in training", f"labelled in {split}", *metrics):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for task, rows in labelled_rows.items():
        cells = [f"{results[task][name]:.4f}" if name in results[task] else "" for name in metrics]
        table.add_row(task, "" if rows is None else str(rows), str(results[task]["rows"]), *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
