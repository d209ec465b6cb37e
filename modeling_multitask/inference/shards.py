"""Answer tables of any size in shards, with one process or several, so that an interrupted run loses little work.

A shard holds the answers to one chunk of the table. It is written completely or not at all, into a folder next to the
output. A restarted run computes only the missing shards. At the end all shards are merged in order.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm
from transformers.utils import logging

from datasets_builder import DataError
from datasets_builder.tables import Table

from ..files import parts_of, whole_file, whole_folder, write_json
from ..version import __version__
from .answering import answers_of
from .graphs import GraphEncoder
from .tables import add_answers, check_holds_text, texts_or_none, write_tables
from .text_encoder import TextEncoder

logger = logging.get_logger(__name__)

_JOB = "job.json"
_WAIT = 0.2  # seconds between two checks for the shards of other processes


def _alone() -> None:
    """No-op barrier for a single process."""


@dataclass(frozen=True)
class Process:
    """The index of this process among all processes.

    Args:
        index: The index of this process, from 0.
        count: The number of processes.
        meet: A barrier, which returns when all processes have called it.
    """

    index: int = 0
    count: int = 1
    meet: Callable[[], None] = _alone


class Input(NamedTuple):
    """The tables to answer, one after the other.

    Args:
        tables: The tables, all with the same columns.
        texts: The text column, or two columns for pairs of texts.
    """

    tables: Sequence[Table]
    texts: tuple[str, ...]

    def chunks(self) -> Iterator[pa.Table]:
        """Yield chunks of rows with all columns, in the column order of the first table.

        Raises:
            DataError: If a table cannot be read, lacks a text column, or has other columns than the first table.
        """
        first = self.tables[0]
        for table in self.tables:
            table.check_columns(self.texts)
            if others := set(table.columns) ^ set(first.columns):
                raise DataError(
                    f"{table.name} and {first.name} must have the same columns; "
                    f"the column {min(others)!r} is in only one of them"
                )
            for chunk in table.read(first.columns):
                for name in self.texts:
                    check_holds_text(table.name, name, chunk.schema.field(name).type)
                yield chunk


class Counts(NamedTuple):
    """The number of rows of tables, and how many of them have no text."""

    rows: int
    without_text: int


def count_rows(given: Input) -> Counts:
    """Return the number of rows. All rows are read, so that errors in a table are reported before the model runs.

    Raises:
        DataError: If a table cannot be used.
    """
    rows, without_text, schemas = 0, 0, set()
    for chunk in given.chunks():
        rows += len(chunk)
        without_text += sum(text is None for text in texts_or_none(chunk, given.texts))
        schemas.add(chunk.schema.remove_metadata())
    _unified(list(schemas))
    return Counts(rows, without_text)


def answer_table(
    encoder: TextEncoder | GraphEncoder,
    given: Input,
    output: Path,
    *,
    prefix: str = "",
    rows: int | None = None,
    process: Process = Process(),
    safe_csv: bool = False,
) -> int:
    """Write the table with every task's answers, and return the number of its rows. No text has no answers.

    Args:
        encoder: The model.
        given: The tables to answer.
        output: A .csv, .jsonl or .parquet file.
        prefix: The prefix of the added columns.
        rows: The number of rows for the progress bar, if known.
        process: This process. With several processes, each calls this function, and the first merges the shards.
        safe_csv: Whether texts in CSV that a spreadsheet would run as a formula begin with an apostrophe.

    Raises:
        DataError: If a table cannot be read.
        OSError: If a file cannot be written. Finished shards are kept.
    """
    parts = parts_of(output)
    there = _begin(parts, _job(encoder, given, prefix), process)
    shards: list[Path] = []
    with tqdm(total=rows, unit=" rows", disable=process.index > 0) as bar:
        for number, chunk in enumerate(given.chunks()):
            shards.append(parts / f"{number:06d}.parquet")
            if number % process.count == process.index and shards[-1] not in there:
                with whole_file(shards[-1]) as partial:
                    pq.write_table(_answered(encoder, chunk, given.texts, prefix), partial)
            bar.update(len(chunk))
    if process.index > 0:
        return 0
    while not all(path.is_file() for path in shards):  # wait for the other processes
        time.sleep(_WAIT)
    total = write_tables(_of_one_kind(shards), output, safe_csv=safe_csv)
    shutil.rmtree(parts)
    return total


def _answered(encoder: TextEncoder | GraphEncoder, chunk: pa.Table, names: tuple[str, ...], prefix: str) -> pa.Table:
    texts = texts_or_none(chunk, names)
    found = iter(answers_of(encoder.run([text for text in texts if text is not None]), encoder.tasks))
    answers = [None if text is None else next(found) for text in texts]
    return add_answers(chunk, answers, encoder.tasks, prefix)


def _of_one_kind(shards: list[Path]) -> Iterator[pa.Table]:
    """Return the shards with the same column types. In a single shard a column may be all null, or all integers."""
    schema = _unified([pq.read_schema(path) for path in shards])
    return (pq.read_table(path).cast(schema) for path in shards)


def _unified(schemas: list[pa.Schema]) -> pa.Schema:
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"a column mixes types of values ({error})") from None


def _job(encoder: TextEncoder | GraphEncoder, given: Input, prefix: str) -> dict[str, Any]:
    """Return everything that the shards depend on."""
    tables = hashlib.sha256("".join(table.digest() for table in given.tables).encode()).hexdigest()
    words = {"model": encoder.digest(), "tables": tables, "texts": list(given.texts), "prefix": prefix}
    return words | {"version": __version__}  # another version may cut a table into other chunks


def _begin(parts: Path, job: dict[str, Any], process: Process) -> set[Path]:
    """Create the folder of shards, or reuse that of the same job, and return the finished shards."""
    if process.index == 0:
        _open(parts, job)
    process.meet()
    there = set(parts.glob("*.parquet"))
    process.meet()  # otherwise the first process could finish and remove the folder while others list it
    return there


def _open(parts: Path, job: dict[str, Any]) -> None:
    record = parts / _JOB
    if parts.exists() and not record.is_file():
        raise FileExistsError(
            f"{parts} exists and does not hold parts of predictions; move it, or choose another output file"
        )
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else None
    if before == job:
        done = len(list(parts.glob("*.parquet")))
        logger.warning(f"{parts} holds {done} shards of this job; only the missing ones are computed")
        return
    with whole_folder(parts) as partial:
        write_json(partial / _JOB, job)
