"""Writes a model as a folder that runs without torch: ONNX or OpenVINO.

python -m scripts.export runs/quickstart/model runs/quickstart/onnx --format onnx --int8
"""

import argparse
import sys
from pathlib import Path

from configuration import RecipeError
from configuration.recorded import recorded_rows
from configuration.report import Rows, check_data, rows_to_judge
from datasets_builder import DataError
from modeling_multitask import TaskConfig
from modeling_multitask.inference.loading import load
from modeling_multitask.publishing.exported import HeldOut, check_export, describe_export, write_export


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.export", description="Write a model that runs without torch.")
    parser.add_argument("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("output", type=Path, help="the folder to write, such as MODEL/onnx")
    parser.add_argument("--format", choices=("onnx", "openvino"), default="onnx", help="what runs it (%(default)s)")
    parser.add_argument("--int8", action="store_true", help="also write a graph a quarter as large, of 8-bit weights")
    parser.add_argument("--data", type=Path, help="a recipe (its test rows) or a table to compare on (the run's own)")
    parser.add_argument("--text", default="text", help="the table's column of the text (%(default)s)")
    parser.add_argument("--text_pair", help="the table's column of the second text, for a model of pairs")
    parser.add_argument("--force", action="store_true", help="overwrite another export")
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except (RecipeError, DataError, OSError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Writes and checks; everything that can be checked is checked before the model runs."""
    output = arguments.output
    check_export(output, arguments.format, int8=arguments.int8, force=arguments.force)
    if arguments.data is not None:
        check_data(arguments.data)
    model, tokenizer = load(arguments.model)
    rows = rows_to_compare(model.config.tasks, arguments)
    held_out = None if rows is None else HeldOut(rows.rows, rows.split)
    found = write_export(model, tokenizer, output, arguments.format, int8=arguments.int8, held_out=held_out)
    print(describe_export(found))
    print(f"The export is in {output.as_posix()}")


def rows_to_compare(tasks: list[TaskConfig], arguments: argparse.Namespace) -> Rows | None:
    """The rows of DATA; without it the test rows of the model's own run, if they are still there."""
    if arguments.data is not None:
        texts = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
        return rows_to_judge(tasks, arguments.data, model=arguments.model, texts=texts)
    try:
        return recorded_rows(tasks, arguments.model)
    except (RecipeError, DataError, OSError) as error:
        print(f"The rows of the model's own run cannot be had: {error}")
        return None


if __name__ == "__main__":
    sys.exit(main())
