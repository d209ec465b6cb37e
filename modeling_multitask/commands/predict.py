"""Answer every task for each row of a table, of any size.

multitask predict runs/quickstart/model reviews.csv answers.csv
torchrun --nproc_per_node 2 -m modeling_multitask predict runs/quickstart/model reviews.parquet answers.parquet
"""

import argparse
from pathlib import Path

from datasets_builder.formats import READABLE, WRITABLE

from .arguments import Parser, positive
from .command import command

BACKENDS = ("torch", "onnx", "openvino")


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        "predict",
        "MODEL INPUT OUTPUT [--text COLUMN] [--text_pair COLUMN] [--split NAME] [--prefix TEXT] "
        f"[--backend {{{','.join(BACKENDS)}}}] [--tokens_per_batch N] [--force]",
        "Answer every task for each row of a table.",
    )
    parser.add_positional("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_positional("input", help=f"a file ({', '.join(READABLE)}), a folder of these, or a data set on the Hub")
    parser.add_positional("output", help=f"the file to write ({', '.join(WRITABLE)})")
    parser.add_argument("--text", default="text", help="the column of the text (%(default)s)")
    parser.add_argument("--text_pair", help="the column of the second text, for a model of pairs")
    parser.add_argument("--split", help="of a data set on the Hub (train)")
    parser.add_argument("--prefix", default="", help="put before the name of each added column")
    parser.add_argument("--backend", choices=BACKENDS, default="torch", help="what runs the model (%(default)s)")
    parser.add_argument("--tokens_per_batch", type=positive, help="tokens of a forward pass at most, with padding")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Read, answer and write; everything is checked before the model runs."""
    import torch
    from accelerate import PartialState

    from datasets_builder import Source
    from datasets_builder.sources import open_tables

    from ..inference.answering import text_encoder
    from ..inference.shards import Input, Process, answer_table, count_rows
    from ..inference.tables import check_answer_columns, check_ending
    from ..inference.text_encoder import TextEncoder

    output = Path(arguments.output)
    check_ending(output)
    if output.exists() and not arguments.force:
        raise FileExistsError(f"{output} exists already; add --force to overwrite it")
    names = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
    given = Input(open_tables(Source(arguments.input, split=arguments.split)), names)
    rows = count_rows(given)
    # Before the model is loaded, for it says which accelerator is this process's own; without one it must be told.
    state = PartialState(cpu=not torch.accelerator.is_available())
    encoder = text_encoder(arguments.model, backend=arguments.backend, tokens_per_batch=arguments.tokens_per_batch)
    check_answer_columns(given.tables[0].columns, encoder.tasks, arguments.prefix)
    process = Process(state.process_index, state.num_processes, state.wait_for_everyone)
    answer_table(encoder, given, output, prefix=arguments.prefix, rows=rows, process=process)
    if isinstance(encoder, TextEncoder) and encoder.cut:
        length = encoder.model.config.max_length
        print(f"{encoder.cut} texts have more than {length} tokens and were cut (long_texts: truncate)")
    if state.is_main_process:
        print(f"{rows} rows answered in {arguments.output}")


main = command(build_parser, run)
