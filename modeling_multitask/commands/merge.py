"""Merge models with the same encoder into one model with all their heads.

multitask merge runs/topic/model runs/mood/model runs/merged
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..locks import locked
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "merge",
        "MODEL MODEL ... OUT [--force]",
        "Merge models with the same encoder into one model with all their heads. Its answers are theirs bit for bit.",
    )
    parser.add_argument(
        "folders",
        nargs="*",
        metavar="MODEL MODEL ... OUT",
        help="two or more models, each a folder, a Hub id or package:NAME/FOLDER, and the folder to write",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing model in OUT")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, and write the merged model."""
    *models, out = arguments.folders or [""]
    if len(models) < 2:
        raise ValueError(f"give at least two models and the folder to write, such as {_EXAMPLE}")
    if twice := [model for model in models if models.count(model) > 1]:
        raise ValueError(f"{twice[0]} is given twice; give each model once")
    output = Path(out)
    _check_output(output, models, force=arguments.force)
    with locked(output):
        _merge(models, output)


_EXAMPLE = "`multitask merge runs/topic/model runs/mood/model runs/merged`"


def _check_output(output: Path, models: list[str], *, force: bool) -> None:
    whole = output.resolve()  # the folder that is replaced
    for model in models:
        if Path(model).resolve().is_relative_to(whole):
            what = "is one of the models" if Path(model).resolve() == whole else f"contains the model {model}"
            raise ValueError(f"{output} {what}; give another folder to write")
    if Path.cwd().is_relative_to(whole):
        raise ValueError(f"{output} is or contains the current folder; give another folder to write")
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / "config.json").is_file():
        raise FileExistsError(f"{output} exists already, and is not a model; give another folder to write")
    if not force:
        raise FileExistsError(f"{output} exists already; add --force to overwrite it")


def _merge(models: list[str], output: Path) -> None:
    from ..files import whole_folder
    from ..inference.loading import load
    from ..inference.saving import save_folder
    from ..training.merging import check_tokenizers, merge_models

    loaded = {name: load(name) for name in models}
    check_tokenizers({name: tokenizer for name, (_, tokenizer) in loaded.items()})
    merged = merge_models({name: model for name, (model, _) in loaded.items()})
    with whole_folder(output.resolve()) as partial:
        save_folder(merged, loaded[models[0]][1], partial)
    for name, (model, _) in loaded.items():
        print(f"{name}: {', '.join(task.name for task in model.config.tasks)}")
    print(f"The merged model with {len(merged.config.tasks)} tasks is in {output.as_posix()}")


main = command(build_parser, run)
