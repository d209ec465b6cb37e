"""Arrow tables: Parquet and Arrow files, and `datasets` objects."""

import abc
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, Features, IterableDataset

from datasets_builder.nested import column_at, root_of
from datasets_builder.tables import CHUNK_ROWS, FileTable, Table
from modeling_multitask.errors import DataError

_ARROW_FILE = b"ARROW1"  # the first bytes of an Arrow file, but not of an Arrow stream


class SchemaTable(FileTable):
    """A file that stores the types of its columns."""

    holds_objects = True

    @abc.abstractmethod
    def _schema(self) -> pa.Schema: ...

    def _columns(self) -> list[str]:
        try:
            return list(self._schema().names)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: the file is damaged: the name of a column is not UTF-8 ({error})") from None

    def _check(self, batch: pa.RecordBatch) -> None:
        """Raise a `DataError` for references to missing values. Texts are checked cell by cell where they are read."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                try:
                    column.validate(full=True)
                except pa.ArrowException as error:
                    raise DataError(f"{self.path}, column {name!r}: the file is damaged ({error})") from None

    def _features(self) -> Features | None:
        schema = self._schema()
        try:
            return Features.from_arrow_schema(schema) if b"huggingface" in (schema.metadata or {}) else None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path}: its column types for datasets are not known ({error})") from None


class ParquetTable(SchemaTable):
    """A Parquet file."""

    def _schema(self) -> pa.Schema:
        with self._opened() as file:
            return file.schema_arrow

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, None]]:
        with self._opened() as file:
            for batch in file.iter_batches(CHUNK_ROWS, columns=_roots(columns, self.columns)):
                self._check(batch)
                yield _at_paths(pa.Table.from_batches([batch]), columns, self.name), None

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            # Damage within a page may move labels to other rows. Only a checksum, if the file has one, shows it.
            with self._readable(), pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                yield file
        except (pa.ArrowException, UnicodeDecodeError) as error:  # the second one for the name of a column
            raise DataError(f"{self.path}: not a complete Parquet file ({error})") from None


class ArrowTable(SchemaTable):
    """An Arrow file or stream, such as `save_to_disk` of `datasets` writes."""

    def _schema(self) -> pa.Schema:
        with self._opened() as (schema, _):
            return schema

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, None]]:
        with self._opened() as (_, batches):
            for batch in batches:
                self._check(batch)
                for start in range(0, len(batch), CHUNK_ROWS):
                    rows = pa.Table.from_batches([batch.slice(start, CHUNK_ROWS)])
                    yield _at_paths(rows, columns, self.name), None

    @contextmanager
    def _opened(self) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        try:
            with self._readable(), pa.memory_map(os.fspath(self.path)) as memory:
                if memory.read(len(_ARROW_FILE)) == _ARROW_FILE:
                    file = pa.ipc.open_file(memory)
                    yield file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
                else:
                    memory.seek(0)
                    stream = pa.ipc.open_stream(memory)
                    yield stream.schema, iter(stream)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise DataError(f"{self.path}: not a complete Arrow file ({error})") from None


class LoadedTable(Table):
    """A `datasets` object, from memory or from the Hub.

    Args:
        name: Its name in messages.
        rows: The rows.
    """

    holds_objects = True

    def __init__(self, name: str, rows: Dataset | IterableDataset) -> None:
        super().__init__(name)
        self.rows = rows

    def _columns(self) -> list[str]:
        return list(self.rows.column_names or next(iter(self.rows), {}))

    def _features(self) -> Features | None:
        return self.rows.features

    def _digest(self) -> str:
        # The content of a stream is unknown, so each stream gets a new hash and is never found in the cache.
        return str(self.rows._fingerprint) if isinstance(self.rows, Dataset) else uuid.uuid4().hex

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, None]]:
        for chunk in self.rows.select_columns(_roots(columns, self.columns)).with_format("arrow").iter(CHUNK_ROWS):
            yield _at_paths(chunk, columns, self.name), None


def _roots(paths: list[str], columns: list[str]) -> list[str]:
    """Return the columns that hold these paths."""
    return list(dict.fromkeys(root_of(path, columns) or path for path in paths))


def _at_paths(chunk: pa.Table, paths: list[str], table: str) -> pa.Table:
    """Return a chunk with these columns, some of which are paths into columns of objects."""
    found = {}
    for path in paths:
        root = root_of(path, chunk.column_names) or path
        column = chunk[root].combine_chunks()
        found[path] = column if root == path else column_at(column, path[len(root) + 1 :])
        if found[path] is None:
            raise DataError(f"{table}: no column {path!r}; column {root!r} holds {column.type}")
    return pa.table(found)
