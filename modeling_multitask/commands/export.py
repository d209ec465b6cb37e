"""Export a model to ONNX or OpenVINO, to run it without PyTorch.

multitask export runs/quickstart/model runs/quickstart/onnx --format onnx --int8
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..locks import locked
from ..recipes.bundled import recipe_path
from .arguments import Parser
from .command import command

if TYPE_CHECKING:
    from ..runs.judged_rows import JudgedRows
    from ..tasks_multitask import TaskConfig

FORMATS = ("onnx", "openvino")


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "export",
        f"MODEL OUT [--format {{{','.join(FORMATS)}}}] [--int8] [--data DATA] [--text COLUMN] [--text_pair COLUMN] "
        "[--force]",
        "Export a model to ONNX or OpenVINO, to run it without PyTorch.",
    )
    parser.add_positional("model", help="the model: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_positional("out", help="the folder to write, such as MODEL/onnx")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="the export format (default: %(default)s)")
    parser.add_argument("--int8", action="store_true", help="also write a graph with 8-bit weights, a quarter as large")
    parser.add_argument(
        "--data",
        help="a recipe (its test rows) or a table, to compare the export with the original model "
        "(default: the test rows of the model's own run)",
    )
    parser.add_argument(
        "--text", metavar="COLUMN", default="text", help="the text column of the table (default: %(default)s)"
    )
    parser.add_argument(
        "--text_pair", metavar="COLUMN", help="the column of the second text, for a model of text pairs"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing export")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, export the model, and compare it with the original."""
    from ..export.folder import check_export

    output = Path(arguments.out)
    check_export(output, arguments.format, int8=arguments.int8, force=arguments.force)
    with locked(output):
        _export(arguments, output)


def _export(arguments: argparse.Namespace, output: Path) -> None:
    from ..export.folder import HeldOut, describe_export, write_export
    from ..inference.loading import load
    from ..runs.judged_rows import check_data

    if arguments.data is not None:
        check_data(recipe_path(arguments.data))
    model, tokenizer = load(arguments.model)
    rows = rows_to_compare(model.config.tasks, arguments)
    held_out = None if rows is None else HeldOut(rows.rows, rows.split)
    found = write_export(model, tokenizer, output, arguments.format, int8=arguments.int8, held_out=held_out)
    print(describe_export(found))
    print(f"The export is in {output.as_posix()}")


def rows_to_compare(tasks: list[TaskConfig], arguments: argparse.Namespace) -> JudgedRows | None:
    """Return the rows of DATA, or else the test rows of the model's own run if they still exist."""
    from ..errors import DataError, RecipeError
    from ..runs.judged_rows import rows_to_judge
    from ..runs.recorded import recorded_rows

    if arguments.data is not None:
        texts = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
        return rows_to_judge(tasks, recipe_path(arguments.data), model=arguments.model, texts=texts)
    try:
        return recorded_rows(tasks, arguments.model)
    except (RecipeError, DataError, OSError) as error:
        print(f"The test rows of the model's own run are not available: {error}")
        return None


main = command(build_parser, run)
