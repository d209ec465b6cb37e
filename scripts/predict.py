"""Answers every task for each row of a table.

python -m scripts.predict runs/quickstart/model reviews.csv answers.csv
"""

import argparse
import sys
from pathlib import Path

from datasets_builder import DataError
from modeling_multitask.inference import predict
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.tables import add_answers, check_answer_columns, check_ending, read_table, write_table
from scripts.arguments import positive


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.predict", description="Answer every task for each row of a table.")
    parser.add_argument("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("input", type=Path, help="a .csv, .jsonl or .parquet file")
    parser.add_argument("output", type=Path, help="where to write; the ending names the format")
    parser.add_argument("--text", default="text", help="the column that holds the text (%(default)s)")
    parser.add_argument("--text_pair", help="the column of the second text, for a model of pairs")
    parser.add_argument("--prefix", default="", help="put before the name of each added column")
    parser.add_argument("--tokens_per_batch", type=positive, help="most tokens of a forward pass, padding included")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Reads, answers and writes; everything that can be checked is checked before the model runs."""
    check_ending(arguments.output)
    if arguments.output.exists() and not arguments.force:
        raise FileExistsError(f"{arguments.output} exists already; add --force to overwrite it")
    names = [arguments.text, *([arguments.text_pair] if arguments.text_pair else [])]
    table = read_table(arguments.input, *names)
    model, tokenizer = load(arguments.model)
    check_answer_columns(table, model.config.tasks, arguments.prefix)
    columns = [[text or "" for text in table[name].to_pylist()] for name in names]
    texts = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    answers = predict(
        model, texts, tokenizer=tokenizer, tokens_per_batch=arguments.tokens_per_batch, show_progress=True
    )
    write_table(add_answers(table, answers, model.config.tasks, arguments.prefix), arguments.output)
    print(f"{len(texts)} rows answered in {arguments.output}")


if __name__ == "__main__":
    sys.exit(main())
