"""Find and open the tables of a source."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

import pandas as pd
from datasets import Dataset, IterableDataset, load_dataset
from datasets.exceptions import DatasetNotFoundError, DatasetsError

from datasets_builder.annotation_tables import (
    AnnotationTable,
    ArgillaTable,
    DoccanoTable,
    LabelStudioTable,
    ProdigyTable,
)
from datasets_builder.arrow_tables import ArrowTable, LoadedTable, ParquetTable
from datasets_builder.chunks import UNFIT, first_unfit, fit
from datasets_builder.columns import TEXT
from datasets_builder.compressed import format_ending
from datasets_builder.csv_tables import CsvTable, TsvTable
from datasets_builder.formats import COMPRESSED, LINES, endings
from datasets_builder.joined import JoinedTable, OtherTable, naming_the_join, other_source
from datasets_builder.json_tables import JsonTable
from datasets_builder.label_column import ANNOTATORS
from datasets_builder.layout import Layout, foreign_word
from datasets_builder.object_tables import JsonLinesTable
from datasets_builder.sheet_tables import SheetTable
from datasets_builder.sqlite_tables import SqliteTable
from datasets_builder.tables import FileTable, Table
from datasets_builder.text_tables import LinesTable
from modeling_multitask.errors import DataError
from modeling_multitask.files import is_file, is_folder, is_there
from modeling_multitask.hub_access import hub_access
from modeling_multitask.paths_multitask import home_replaced
from modeling_multitask.words_multitask import nearest_hint

from .addresses import file_in, is_address
from .local_path import LocalCopy
from .remote import files_in, local_copy
from .source import Source, is_on_hub

AnyPath = TypeVar("AnyPath", bound=PurePath)

FORMATS: dict[str, type[FileTable]] = {
    "csv": CsvTable,
    "tsv": TsvTable,
    "txt": LinesTable,
    "jsonl": JsonLinesTable,
    "json": JsonTable,
    "parquet": ParquetTable,
    "arrow": ArrowTable,
    "xlsx": SheetTable,
    "ods": SheetTable,
    "sqlite": SqliteTable,
    "label_studio": LabelStudioTable,
    "doccano": DoccanoTable,
    "prodigy": ProdigyTable,
    "argilla": ArgillaTable,
}
NAMES = ("csv", "tsv", "jsonl", "json", "parquet", "arrow", "xlsx", "ods", "sqlite", "txt")  # of formats with endings
FORMAT_OF_ENDING = {f".{name}": name for name in NAMES} | {
    ".db": "sqlite",
}
TABLES: dict[str, type[FileTable]] = {ending: FORMATS[name] for ending, name in FORMAT_OF_ENDING.items()}
PACKED = ("parquet", "arrow", "xlsx", "ods", "sqlite")  # binary formats, which are never compressed once more
OTHERS = {
    ".xml": "XML is not supported; convert it to CSV or JSON lines",
    ".xls": "old Excel workbooks are not supported; save it as .xlsx",
}


@dataclass(frozen=True)
class OpenSource:
    """A source and its tables.

    Args:
        source: The source, with the label columns of all its tasks.
        tables: Its tables, in order.
        soft: The tasks with soft labels in any source. They have distributions in the rows of all sources.
    """

    source: Source
    tables: list[Table]
    soft: frozenset[str] = frozenset()


def open_tables(
    source: Source, *, streaming: bool = False, numbers: Sequence[str] = (), keep_empty: bool = True
) -> list[Table]:
    """Return the source's tables in order, without reading their rows. With a join they have the columns of both.

    Args:
        source: The source.
        streaming: Whether to read a data set on the Hub row by row instead of downloading it.
        numbers: The columns that hold numbers, whose decimal mark the source may give.
        keep_empty: Whether a row of a CSV file whose cells are all empty is a row.

    Raises:
        DataError: If the file, folder or data set is not found or cannot be downloaded, or a word of the layout does
            not belong to its format.
        ImportError: If the package for the protocol of an address is not installed.
    """
    tables = _open(source, streaming=streaming, numbers=numbers, keep_empty=keep_empty)
    if source.join is None:
        return tables
    given = other_source(source.join)
    with naming_the_join():
        others = _open(given, streaming=False, numbers=numbers, keep_empty=False)
    other = OtherTable(source.join, given.name, others, source, _requested(source))
    return [JoinedTable(table, other) for table in tables]


def _open(source: Source, *, streaming: bool, numbers: Sequence[str], keep_empty: bool) -> list[Table]:
    """Return the source's tables without those of a join."""
    if (source.path is None or is_on_hub(source)) and (given := [*source.layout.given, *_format(source)]):
        raise DataError(f"{source.name}: {given[0]} is only for files; remove it")
    if source.path is None:
        return [LoadedTable(source.name, _as_dataset(source))]
    if is_on_hub(source):
        return [LoadedTable(source.path, _from_hub(source, streaming))]
    if not source.path:
        raise DataError("a source's path is empty; give a file, a folder, or the id of a data set on the Hub")
    given = [name for name in ("config", "split", "revision") if getattr(source, name) is not None]
    if given:
        raise DataError(f"{source.name}: {given[0]} is only for data sets on the Hub; remove it")
    voted = tuple(column.names[0] for column in source.label_columns.values() if column.votes == ANNOTATORS)
    # Of a join it is not known yet which columns are in this table; that of the id is.
    requested = _requested(source) if source.join is None or voted else tuple(source.join.key)
    read = {"requested": requested, "numbers": tuple(numbers), "voted": voted, "keep_empty": keep_empty}
    layout = replace(source.layout, **read)  # type: ignore[arg-type]
    if is_address(source.path):
        return _remote_tables(source.path, layout)
    return tables_at(Path(home_replaced(source.path)), layout)


def tables_at(path: Path, layout: Layout) -> list[Table]:
    """Return the table of a file, or the tables of a folder.

    Raises:
        DataError: If there is no such file or folder, or a word of the layout does not belong to its format.
    """
    if not is_folder(path):
        return [_file(path, layout)]
    return _folder(path, layout, _table_files(sorted(path.iterdir()), layout))


def _remote_tables(address: str, layout: Layout) -> list[Table]:
    names = files_in(address)
    if names is None:
        return [_file(local_copy(address), layout)]
    files = _table_files(map(PurePosixPath, names), layout)
    copies = [local_copy(file_in(address, each.name)) for each in files]
    return _folder(LocalCopy.of(address, Path(address)), layout, copies)


def _requested(source: Source) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*source.read_columns, *(source.where or {})]))


def _format(source: Source) -> list[str]:
    return [] if source.format is None else ["format"]


def _file(path: Path, layout: Layout) -> Table:
    if not is_there(path):
        raise DataError(f"{path}: no such file{_nearest_file(path)}")
    if not is_file(path):
        raise DataError(f"{path}: is a {'folder' if is_folder(path) else 'named pipe or a device'}, not a file")
    packed = endings(path)[1]
    kind = layout.format or FORMAT_OF_ENDING.get(ending := format_ending(path))
    if kind is None:
        what = OTHERS.get(ending, f"it must be one of {', '.join(TABLES)}, or add `format` to this source")
        within = f" before {packed}" if packed else ""
        raise DataError(f"{path}: the ending{within} is {ending!r}; {what}")
    if packed and kind in PACKED:
        raise DataError(f"{path}: files of the format {kind} are not read from a compressed file; decompress it")
    if problem := foreign_word(layout, kind):
        hint = "; add `format: csv` if its cells are separated" if kind == "txt" else ""
        raise DataError(f"{path}: {problem}{hint}")
    return FORMATS[kind](path, layout)


def _folder(path: Path, layout: Layout, tables: Sequence[Path]) -> list[Table]:
    formats = sorted({format_ending(each) for each in tables})
    if not tables:
        there = ", ".join((*TABLES, *COMPRESSED))
        raise DataError(f"{path}: the folder contains no table; a table ends in one of {there}")
    if len(formats) > 1 and layout.format is None:
        raise DataError(
            f"{path}: the folder contains tables in several formats ({', '.join(formats)}); "
            "give each file as a source of its own"
        )
    names = [PurePath(str(each)) for each in tables]
    unpacked = [each.with_suffix("") if endings(each)[1] else each for each in names]
    if twice := [each for each in names if unpacked.count(each) > 1]:
        raise DataError(f"{path}: contains {twice[0].name} and the same file compressed; remove one of them")
    return _with_annotators(path, layout, [_file(each, layout) for each in tables])


def _with_annotators(path: Path, layout: Layout, tables: list[Table]) -> list[Table]:
    """Return the tables, or one table with the votes of all if each has the answers of one annotator."""
    own = [each for each in tables if isinstance(each, AnnotationTable) and each.file_of_annotator]
    for each in own:
        each.annotators = own[0].annotators  # so that a task with several annotators is noticed
    return [type(own[0])(path, layout, [each.path for each in own])] if own and layout.voted else tables


def _table_files(files: Iterable[AnyPath], layout: Layout) -> list[AnyPath]:
    """Return the tables of a folder. Archives and .txt files, such as notes, count only if there is nothing else."""
    tables = [each for each in files if not _is_by_the_way(each)]
    tables = [each for each in tables if endings(each)[0] in TABLES or endings(each)[1]]
    chosen = [each for each in tables if endings(each)[0] in TABLES and endings(each)[0] != LINES]
    if layout.format in NAMES:
        chosen = [each for each in tables if FORMAT_OF_ENDING.get(endings(each)[0]) == layout.format] or chosen
    return chosen or tables


def _is_by_the_way(path: PurePath) -> bool:
    """Return whether a file is hidden, a metadata file that `save_to_disk` writes, or a cache of `datasets`."""
    return path.name in ("dataset_info.json", "state.json") or path.name.startswith(("cache-", "."))


def _as_dataset(source: Source) -> Dataset | IterableDataset:
    data = _as_frame(source.data)
    try:
        if isinstance(data, pd.DataFrame):
            return Dataset.from_pandas(data, preserve_index=False)
        if _is_polars(data, "DataFrame"):
            return Dataset.from_polars(data)
        if isinstance(data, dict):
            _check_lists(source.name, data)
            return Dataset.from_dict(data)
    except DataError:
        raise
    except UNFIT as error:
        raise DataError(f"{source.name}{_unfit_cell(data)}: cannot be converted to a table ({error})") from None
    if isinstance(data, Dataset | IterableDataset):
        return data
    raise DataError(
        f"{source.name}: it must be a DataFrame or Series of pandas or polars, a datasets.Dataset, or a dict of lists"
    )


def _as_frame(data: Any) -> Any:
    """Return a Series as a DataFrame of one column, and anything else unchanged."""
    if isinstance(data, pd.Series) or _is_polars(data, "Series"):
        return data.to_frame(data.name or TEXT)
    return data


def _is_polars(data: Any, kind: str) -> bool:
    """Return whether data is a `DataFrame` or `Series` of polars, which is optional. If it is, polars is imported."""
    return isinstance(data, getattr(sys.modules.get("polars"), kind, ()))


def _check_lists(name: str, columns: dict[str, Any]) -> None:
    for column, cells in columns.items():
        if isinstance(cells, str | bytes | dict) or not hasattr(cells, "__len__"):
            raise DataError(f"{name}, column {column!r}: is a {type(cells).__name__}, not a list")
    lengths = {column: len(cells) for column, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{name}: its columns have different lengths: {lengths}")


def _unfit_cell(data: pd.DataFrame | dict[str, Any]) -> str:
    """Return `, row 2, column 'topic'` for the first cell whose type does not fit the cells above it."""
    for column in data:
        cells = list(data[column]) if isinstance(data[column], Iterable) else []
        if not fit(cells):
            return f", row {first_unfit(cells) + 1}, column {column!r}"
    return ""


def _from_hub(source: Source, streaming: bool) -> Dataset | IterableDataset:
    with reading_from_hub(str(source.path)):
        return load_dataset(
            source.path,
            name=source.config,
            split=source.split or "train",
            revision=source.revision,
            streaming=streaming,
        )


@contextmanager
def reading_from_hub(path: str) -> Iterator[None]:
    """Turn an error of the Hub about a data set into a `DataError`."""
    with hub_access() as unreachable:
        try:
            yield
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            where = f"it cannot be loaded from the Hub ({error})"
            if isinstance(error, DatasetNotFoundError):
                where = "not found on the Hub"
            raise DataError(f"{path}: not a local file or folder, and {unreachable or where}") from error


def _nearest_file(path: Path) -> str:
    siblings = [each.name for each in path.parent.glob("*")] if is_folder(path.parent) else []
    return nearest_hint(path.name, siblings)
