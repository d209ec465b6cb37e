"""Answers every task for each row of a table, of any size.

python -m scripts.predict runs/quickstart/model reviews.csv answers.csv
torchrun --nproc_per_node 2 -m scripts.predict runs/quickstart/model reviews.parquet answers.parquet
"""

import argparse
import sys
from pathlib import Path

import torch
from accelerate import PartialState

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables
from modeling_multitask.inference.predict import text_encoder
from modeling_multitask.inference.shards import Input, Process, answer_table, count_rows
from modeling_multitask.inference.tables import check_answer_columns, check_ending
from modeling_multitask.inference.text_encoder import TextEncoder
from scripts.arguments import positive


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.predict", description="Answer every task for each row of a table.")
    parser.add_argument("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("input", help="a .csv, .tsv, .jsonl, .parquet or .arrow file, a folder of these, or a Hub id")
    parser.add_argument("output", type=Path, help="a .csv, .jsonl or .parquet file to write")
    parser.add_argument("--text", default="text", help="the column that holds the text (%(default)s)")
    parser.add_argument("--text_pair", help="the column of the second text, for a model of pairs")
    parser.add_argument("--split", help="of a data set on the Hub (train)")
    parser.add_argument("--prefix", default="", help="put before the name of each added column")
    parser.add_argument("--backend", choices=("torch", "onnx", "openvino"), default="torch", help="(%(default)s)")
    parser.add_argument("--tokens_per_batch", type=positive, help="most tokens of a forward pass, padding included")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except (DataError, OSError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Reads, answers and writes; everything that can be checked is checked before the model runs."""
    check_ending(arguments.output)
    if arguments.output.exists() and not arguments.force:
        raise FileExistsError(f"{arguments.output} exists already; add --force to overwrite it")
    names = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
    given = Input(open_tables(Source(arguments.input, split=arguments.split)), names)
    rows = count_rows(given)
    # Before the model is loaded, for it says which accelerator is this process's own; without one it must be told.
    state = PartialState(cpu=not torch.accelerator.is_available())
    encoder = text_encoder(arguments.model, backend=arguments.backend, tokens_per_batch=arguments.tokens_per_batch)
    check_answer_columns(given.tables[0].columns, encoder.tasks, arguments.prefix)
    process = Process(state.process_index, state.num_processes, state.wait_for_everyone)
    answer_table(encoder, given, arguments.output, prefix=arguments.prefix, rows=rows, process=process)
    if isinstance(encoder, TextEncoder) and encoder.cut:
        length = encoder.model.config.max_length
        print(f"{encoder.cut} texts have more than {length} tokens and were cut (long_texts: truncate)")
    if state.is_main_process:
        print(f"{rows} rows answered in {arguments.output}")


if __name__ == "__main__":
    sys.exit(main())
