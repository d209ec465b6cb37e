"""Export a model to ONNX or OpenVINO, or as a folder of sentence-transformers without Python code.

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
    from ..export.folder import HeldOut
    from ..runs.judged_rows import JudgedRows
    from ..tasks_multitask import TaskConfig
    from ..texts_multitask import Text

TWIN = "sentence-transformers"
FORMATS = ("onnx", "openvino", TWIN)
_EVERY = 5  # each fifth row of a table is held out


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "export",
        f"MODEL OUT [--format {{{','.join(FORMATS)}}}] [--int8] [--linear] [--data DATA] [--text COLUMN] "
        "[--text_pair COLUMN] [--force]",
        "Export a model to ONNX or OpenVINO, or as a folder of sentence-transformers without Python code.",
    )
    parser.add_positional("model", help="the model: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_positional("out", help="the folder to write, such as MODEL/onnx")
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="the export format (default: %(default)s)")
    parser.add_argument("--int8", action="store_true", help="also write a graph with 8-bit weights, a quarter as large")
    parser.add_argument(
        "--linear",
        action="store_true",
        help=f"for {TWIN}: replace heads with hidden layers by linear heads that learn their logits from the training "
        "texts",
    )
    parser.add_argument(
        "--data",
        help="a recipe (its test rows) or a table, to compare the export with the original model; with --linear also "
        "to learn from, its training rows or four fifths of the table (default: the rows of the model's own run)",
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
    from ..export.folder import check_export, check_replaceable
    from ..export.sentence_transformers import SETTINGS

    output, is_twin = Path(arguments.out), arguments.format == TWIN
    if arguments.int8 and is_twin:
        raise ValueError(f"--int8 is for onnx and openvino; {TWIN} has no 8-bit weights")
    if arguments.linear and not is_twin:
        raise ValueError(f"--linear is for --format {TWIN}; {arguments.format} contains hidden layers as they are")
    if is_twin:
        check_replaceable(output, SETTINGS, force=arguments.force)
    else:
        check_export(output, arguments.format, int8=arguments.int8, force=arguments.force)
    with locked(output):
        (_export_twin if is_twin else _export)(arguments, output)


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


def _export_twin(arguments: argparse.Namespace, output: Path) -> None:
    from ..export.linear import deep_tasks, distil
    from ..export.sentence_transformers import check_twin, describe_twin, write_twin
    from ..inference.loading import load, read_config

    config = read_config(arguments.model)
    check_twin(config, linear=arguments.linear)
    deep = deep_tasks(config)
    if arguments.data is not None and not deep:
        raise ValueError("--data is not used, because all heads are linear and the export is exact; remove it")
    rows = _rows_to_learn(config.tasks, arguments) if deep else None
    model, tokenizer = load(arguments.model)
    distilled = None if rows is None else distil(model, tokenizer, *rows)
    print(describe_twin(write_twin(model, tokenizer, output, distilled)))
    print(f"The export is in {output.as_posix()}")


def _rows_to_learn(tasks: list[TaskConfig], arguments: argparse.Namespace) -> tuple[list[Text], HeldOut]:
    """Return the texts that linear heads learn from, and other rows for comparing them with the original heads."""
    from ..evaluation.judged import row_texts
    from ..export.folder import HeldOut
    from ..runs.judged_rows import check_data

    if arguments.data is not None:
        check_data(recipe_path(arguments.data))
    found = rows_to_compare(tasks, arguments)
    if found is None:
        raise ValueError(
            f"--linear needs texts to learn from, but {arguments.model} has no run with its training texts; add --data "
            "with a recipe, or with a table that has the text and a column named like one of the tasks"
        )
    if found.training is not None:
        return row_texts(found.training), HeldOut(found.rows, found.split)
    places = range(len(found.rows))
    learned = found.rows.select([i for i in places if i % _EVERY])
    return row_texts(learned), HeldOut(found.rows.select(places[::_EVERY]), f"each fifth row of {found.split}")


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
