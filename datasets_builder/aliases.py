"""Check that aliases occur: those of a misspelt or another column would silently do nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.findings import MAX_SHOWN, Findings
from datasets_builder.label_positions import position_words
from datasets_builder.label_sets import label_sets
from datasets_builder.places import Place
from datasets_builder.single_cells import single_words
from datasets_builder.source import LabelColumn
from datasets_builder.sources import OpenSource
from datasets_builder.word_arrays import as_words
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.wording import on_one_line

MOST_CHARACTERS = 60  # of a word in a message


def check_aliases(tasks: list[dict[str, Any]], sources: list[OpenSource]) -> None:
    """Read the tables of each task with aliases until one of its aliases occurs.

    Args:
        tasks: The settings of each task.
        sources: The sources of all splits.

    Raises:
        DataError: If none of a task's aliases occurs in any table.
    """
    problems = [problem for task in tasks if (problem := _problem(task, sources)) is not None]
    if problems:
        raise DataError("\n".join(problems))


def _problem(task: dict[str, Any], sources: list[OpenSource]) -> str | None:
    columns = [(each, each.source.label_columns.get(task["name"])) for each in sources]
    known = task["problem_type"] in PROBLEM_TYPES  # an unknown one is reported elsewhere
    with_aliases = [(each, column) for each, column in columns if column is not None and column.aliases and known]
    seen: dict[str, dict[str, None]] = {}  # the first words of each column
    for each, column in with_aliases:
        aliases = pa.array(list(column.aliases), pa.string())
        for table in each.tables:
            there = seen.setdefault(Place(table.name, Findings()).where(" and ".join(column.names)), {})
            for chunk in table.read(column.names):
                for words in _words(chunk, column, task, table.name):
                    if pc.any(pc.is_in(aliases, words)).as_py():
                        return None
                    if len(there) <= MAX_SHOWN:
                        there |= dict.fromkeys(pc.unique(words).drop_null().to_pylist()[: MAX_SHOWN + 1])
    if not seen:
        return None
    given = dict.fromkeys(str(alias) for _, column in with_aliases for alias in column.aliases)
    held = "; ".join(f"{where} holds {_listed(list(words))}" for where, words in seen.items())
    occurring = [word for words in seen.values() for word in words]
    truths = {"True", "False", "TRUE", "FALSE"}  # as pandas and Excel write them to CSV
    unquoted = [word for word in occurring if word in truths and word.lower() in given]
    hint = f"; write '{unquoted[0]}' in quotes, because YAML reads it as a truth value" if unquoted else ""
    return (
        f"task {task['name']!r}: none of its aliases ({_listed(list(given))}) is a cell of any table: {held}; "
        f"write aliases as {{spelling in the table: label}}, or remove them{hint}"
    )


def _words(chunk: pa.Table, column: LabelColumn, task: dict[str, Any], table: str) -> Iterator[pa.Array]:
    """Yield the words of a chunk before aliases are replaced. Cells that are no labels are reported elsewhere."""
    place, kind = Place(table, Findings()), PROBLEM_TYPES[task["problem_type"]]
    labels = [*(task.get("labels") or []), *map(str, column.aliases)]
    column = replace(column, aliases={})
    if column.by_label is not None:
        yield from (position_words(chunk, name, column, place) for name in column.names)
    elif pa.types.is_struct(chunk[column.names[0]].type):
        fields = chunk[column.names[0]].combine_chunks()
        parts = pa.table(fields.flatten(), names=[field.name for field in fields.type])
        yield from (position_words(parts, name, column, place) for name in parts.column_names)
    elif kind.several_labels:
        yield label_sets(chunk, column, labels, place).flatten()
    elif pa.types.is_decimal(chunk[column.names[0]].type):  # only for numbers
        yield as_words(chunk[column.names[0]].combine_chunks().cast(pa.float64()), table, labels)
    else:
        yield single_words(chunk, column, labels, place)


def _listed(words: list[str]) -> str:
    shown = [repr(on_one_line(word, MOST_CHARACTERS)) for word in words[:MAX_SHOWN]]
    return ", ".join([*shown, *(["..."] if len(words) > MAX_SHOWN else [])]) or "no words"
