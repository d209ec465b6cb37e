"""Guess how to read a table that has no recipe: how it is written, and what its columns hold."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from string import ascii_lowercase
from typing import Any

from datasets_builder.addresses import is_address
from datasets_builder.columns import TEXT
from datasets_builder.formats import endings
from datasets_builder.guess_cells import Cells, is_blank
from datasets_builder.guess_columns import WORDS_OF_SPLITS, ColumnsGuess, guess_columns
from datasets_builder.guess_labels import LabelGuess, labels_in_cells, type_of_classes
from datasets_builder.guess_layout import LayoutGuess, guess_layouts
from datasets_builder.guess_sample import Sample, read_sample
from datasets_builder.json_tables import JsonTable
from datasets_builder.remote import checked_once, files_in, local_copy
from datasets_builder.source import Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import FileTable, Table
from datasets_builder.tasks import sorted_labels
from modeling_multitask.errors import DataError
from modeling_multitask.files import is_folder
from modeling_multitask.paths_multitask import home_replaced
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES

_NOT_TRAINED = "no training row has a label"


@dataclass(frozen=True)
class TableGuess:
    """How to read a table, and the rows that it was guessed from.

    Args:
        path: The table, as it was given.
        layout: How it is written.
        sample: Its first rows.
        columns: What its columns hold.
        files: The names of its files, if the path is a folder.
    """

    path: str
    layout: LayoutGuess
    sample: Sample
    columns: ColumnsGuess
    files: Sequence[str] = ()

    @property
    def files_of_splits(self) -> dict[str, list[str]]:
        """The files of each split, if all files of a folder are named like splits, and else nothing."""
        splits = {name: WORDS_OF_SPLITS.get(_stem(name).casefold()) for name in self.files}
        if "train" not in splits.values() or None in splits.values() or len(set(splits.values())) < 2:
            return {}
        order = ("train", "validation", "test")
        return {
            split: [name for name in splits if splits[name] == split] for split in order if split in splits.values()
        }

    def labels_of(self, guess: LabelGuess) -> list[str]:
        """Return all labels of a task if the training rows lack one of them, and else none, because they are found."""
        if self.columns.split is None or not guess.in_cells or PROBLEM_TYPES[guess.problem_type].is_number:
            return []
        all_labels = self._words(guess, [True] * self.sample.rows)
        if all_labels <= self._words(guess, self._trained):
            return []
        return sorted_labels(all_labels)

    def lacks_training(self, guess: LabelGuess) -> bool:
        """Return whether no training row has a label of the task."""
        return bool(guess.columns) and not self._words(guess, self._trained)

    @cached_property
    def _trained(self) -> list[bool]:
        """Whether each row has its texts and is in the training split, (rows,)."""
        trained = [True] * self.sample.rows
        for name in self.columns.texts:
            trained = [each and _is_text(cell) for each, cell in zip(trained, self.sample.columns[name], strict=True)]
        if self.columns.split is None:
            return trained
        words = self.columns.splits["train"]
        splits = self.sample.columns[self.columns.split]
        return [each and split in words for each, split in zip(trained, splits, strict=True)]

    def _words(self, guess: LabelGuess, rows: list[bool]) -> set[str]:
        """Return the labels in some of the rows. Those of columns of 0 and 1 are zeros and ones."""
        found = set()
        for name in guess.columns:
            cells = [cell for cell, chosen in zip(self.sample.columns[name], rows, strict=True) if chosen]
            found |= labels_in_cells(guess, Cells(name, cells))
        return found


def guess_table(path: str) -> TableGuess:
    """Return how to read a file, or a folder of files that are all written in the same way.

    The first sheet of a workbook, or table of a database, that has texts and labels is chosen.

    Raises:
        DataError: If the path does not exist, or the table cannot be read.
    """
    with checked_once():
        return _guess_table(path)


def _guess_table(path: str) -> TableGuess:
    files = [table.path for table in _file_tables(open_tables(Source(path)))] if _is_folder(path) else []
    there = local_copy(path) if is_address(path) and not files else Path(home_replaced(path))
    guesses, errors = [], []
    for layout in guess_layouts(files[0] if files else there):
        try:
            guesses.append(_guess(path, layout, [PurePath(str(file)).name for file in files]))
        except DataError as error:  # of an empty sheet, for example
            errors.append(error)
    if not guesses:
        raise errors[0]
    return next((guess for guess in guesses if guess.columns.texts and guess.columns.labels), guesses[0])


def _guess(path: str, layout: LayoutGuess, files: list[str]) -> TableGuess:
    tables = open_tables(Source(path, **layout.words))
    sample = read_sample(tables[0])
    if sample.columns and all(name.isdecimal() for name in sample.columns):  # an object of columns, as pandas writes it
        sample = read_sample(open_tables(Source(path, text=_first_key(tables[0]), **layout.words))[0])
    commas = layout.words.get("delimiter", ",") != ","
    columns = guess_columns(sample, decimal_commas=commas)
    if layout.words.get("header") is False:
        names = dict(zip(layout.words["columns"], layout.words["columns"], strict=True)) | _names(columns)
        layout = replace(layout, words=layout.words | {"columns": list(names.values())})
        sample = replace(sample, columns={names[name]: cells for name, cells in sample.columns.items()})
        columns = guess_columns(sample, decimal_commas=commas)
    guess = TableGuess(path, layout, sample, columns, files)
    columns = _without(
        columns, {each.columns[0]: _NOT_TRAINED for each in columns.labels if guess.lacks_training(each)}
    )
    layout, columns = _with_decimal(layout, sample, columns)
    guess = replace(guess, layout=layout, columns=columns)
    if not columns.labels and columns.texts and len(files) > 1 and not guess.files_of_splits:
        guess = replace(guess, columns=replace(columns, labels=_names_of_files(files)))
    for table in tables[1:]:
        table.check_columns([*columns.texts, *(name for each in columns.labels for name in each.columns)])
    return guess


def _is_folder(path: str) -> bool:
    return files_in(path) is not None if is_address(path) else is_folder(home_replaced(path))


def _first_key(table: Table) -> str:
    """Return the first name in a JSON file that is one object, and else `text`."""
    return (table.first_name() if isinstance(table, JsonTable) else None) or TEXT


def _file_tables(tables: Iterable[Table]) -> list[FileTable]:
    return [table for table in tables if isinstance(table, FileTable)]


def _is_text(cell: Any) -> bool:
    return not is_blank(cell) and cell != [] and bool(str(cell).strip())


def _names(columns: ColumnsGuess) -> dict[str, str]:
    """Return names for the columns of a table without a header: of the texts, and of the labels in one column."""
    labels = [each.columns[0] for each in columns.labels if len(each.columns) == 1]
    # Letters, because columns whose names end in numbers may be one task.
    of_labels = ["label"] if len(labels) == 1 else [f"label_{letter}" for letter in ascii_lowercase]
    return dict(zip(columns.texts, ("text", "text_pair"), strict=False)) | dict(zip(labels, of_labels, strict=False))


def _with_decimal(layout: LayoutGuess, sample: Sample, columns: ColumnsGuess) -> tuple[LayoutGuess, ColumnsGuess]:
    """Return the layout with the decimal mark if it is a comma, and the columns without numbers that have a point."""
    names = [each.columns[0] for each in columns.labels if PROBLEM_TYPES[each.problem_type].is_number]
    with_comma, with_point = ([name for name in names if _has(sample.columns[name], mark)] for mark in ",.")
    if not with_comma:
        return layout, columns
    what = f"numbers with a point; those of {with_comma[0]} have a comma"
    return layout.adding("decimal", "a comma", decimal=","), _without(columns, dict.fromkeys(with_point, what))


def _has(cells: list[Any], mark: str) -> bool:
    return any(mark in cell for cell in cells if isinstance(cell, str))


def _without(columns: ColumnsGuess, reasons: dict[str, str]) -> ColumnsGuess:
    """Return the meaning of the columns without labels of these columns, by the reason why they are left out."""
    labels = [each for each in columns.labels if not (each.columns and each.columns[0] in reasons)]
    dropped = {name: reasons[each.columns[0]] for each in columns.labels if each not in labels for name in each.columns}
    return replace(columns, labels=labels, left_out=columns.left_out | dropped)


def _names_of_files(files: list[str]) -> list[LabelGuess]:
    """Return the names of the files as labels, unless they look like parts of one table."""
    names = {_stem(name) for name in files}
    if len(names) < 2 or any(re.search(r"\d", name) for name in names):
        return []
    return [
        LabelGuess(
            [], type_of_classes(len(names)), f"the names of {len(names)} files", {"from": "file_name"}, in_cells=False
        )
    ]


def _stem(name: str) -> str:
    return name.removesuffix("".join(Path(name).suffixes[-2:])) if endings(name)[1] else Path(name).stem
