"""Predict all tasks for each row of a table of any size.

multitask predict runs/quickstart/model reviews.csv answers.csv
torchrun --nproc_per_node 2 -m modeling_multitask predict runs/quickstart/model reviews.parquet answers.parquet
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builder.formats import READABLE, WRITABLE

from ..files import parts_of
from ..locks import locked
from .arguments import Parser, positive
from .command import command

if TYPE_CHECKING:
    from accelerate import PartialState

BACKENDS = ("torch", "onnx", "openvino")


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "predict",
        "MODEL INPUT OUTPUT [--text COLUMN] [--text_pair COLUMN] [--split NAME] [--prefix TEXT] "
        f"[--backend {{{','.join(BACKENDS)}}}] [--tokens_per_batch N] [--safe_csv] [--force]",
        "Predict all tasks for each row of a table. The answers to a row without a text are empty.",
    )
    parser.add_positional("model", help="the model: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_positional(
        "input", help=f"a file ({', '.join(READABLE)}), a folder of these, an address, or a data set on the Hub"
    )
    parser.add_positional("output", help=f"the file to write ({', '.join(WRITABLE)})")
    parser.add_argument("--text", metavar="COLUMN", default="text", help="the text column (default: %(default)s)")
    parser.add_argument(
        "--text_pair", metavar="COLUMN", help="the column of the second text, for a model of text pairs"
    )
    parser.add_argument("--split", metavar="NAME", help="the split of a data set on the Hub (default: train)")
    parser.add_argument("--prefix", metavar="TEXT", default="", help="a prefix for the names of the added columns")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="torch", help="the runtime of the model (default: %(default)s)"
    )
    parser.add_argument(
        "--tokens_per_batch",
        metavar="N",
        type=positive,
        help="the maximum number of tokens per forward pass, including padding; only for the torch backend",
    )
    parser.add_argument(
        "--safe_csv",
        action="store_true",
        help="in CSV, put an apostrophe before texts that a spreadsheet would run as a formula",
    )
    parser.add_argument("--force", action="store_true", help="overwrite the output file")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, then read the rows, predict, and write the output."""
    import torch
    from accelerate import PartialState

    from ..inference.tables import check_ending

    output = Path(arguments.output)
    check_ending(output)
    # Before the model is loaded: PartialState selects the accelerator of this process, and without one needs cpu=True.
    state = PartialState(cpu=not torch.accelerator.is_available())
    with locked(output) if state.is_main_process else nullcontext():
        if output.exists() and not arguments.force:
            raise FileExistsError(f"{output} already exists; add --force to overwrite it")
        _predict(arguments, output, state)


def _predict(arguments: argparse.Namespace, output: Path, state: PartialState) -> None:
    from datasets_builder import Source
    from datasets_builder.sources import open_tables

    from ..inference.answering import text_encoder
    from ..inference.shards import Input, Process, answer_table, count_rows
    from ..inference.tables import check_answer_columns
    from ..inference.text_encoder import TextEncoder

    names = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
    given = Input(open_tables(Source(arguments.input, split=arguments.split)), names)
    counts = count_rows(given)
    encoder = text_encoder(arguments.model, backend=arguments.backend, tokens_per_batch=arguments.tokens_per_batch)
    check_answer_columns(given.tables[0].columns, encoder.tasks, arguments.prefix)
    process = Process(state.process_index, state.num_processes, state.wait_for_everyone)
    answer_table(
        encoder, given, output, prefix=arguments.prefix, rows=counts.rows, process=process, safe_csv=arguments.safe_csv
    )
    if isinstance(encoder, TextEncoder) and encoder.cut:
        length = encoder.model.config.max_length
        print(f"{encoder.cut} texts have more than {length} tokens and were truncated (long_texts: truncate)")
    if state.is_main_process:
        if counts.without_text:
            print(f"Rows without a text, which have empty answers: {counts.without_text}")
        print(f"Wrote predictions for {counts.rows} rows to {arguments.output}")


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    """Return how a stopped prediction continues."""
    parts = parts_of(Path(arguments.output))
    if not parts.is_dir():
        return "Nothing was written."
    return f"The finished rows are in {parts}. The same command computes only the missing ones."


main = command(build_parser, run, _how_to_go_on)
