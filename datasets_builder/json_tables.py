"""JSON files: arrays of objects, JSON lines, and objects in the forms that pandas writes."""

import json
import re
from collections.abc import Iterator
from typing import Any

from datasets_builder.nested import root_of
from datasets_builder.object_tables import DoubledNameError, JsonLinesTable, Objects, short, unique_names
from datasets_builder.text_tables import without_nul
from modeling_multitask.errors import DataError


class JsonTable(JsonLinesTable):
    """A JSON file: an array of objects, JSON lines, or one object in a form that pandas writes.

    An object holds its rows (`orient="index"`), its columns (`orient="columns"`, or lists), or `columns` and `data`
    (`orient="split"`), or `schema` and `data` (`orient="table"`). The rows of an array may be lists (`orient="values"`)
    if the source names their `columns`.
    """

    def objects(self) -> Objects:
        """Yield the rows. Those of an array have the lines at which they begin; those of an object are counted."""
        first = self._first_line()
        if first.startswith("["):
            yield from self._array()
        elif self._is_lines(first):
            yield from super().objects()
        else:
            yield from self._document()

    def first_name(self) -> str | None:
        """Return the first name of a file that is one object, and `None` for any other file."""
        found = re.match(r'\s*\{\s*("(?:[^"\\]|\\.)*")', self._content())
        return str(json.loads(found[1])) if found else None

    def _has_object_in_each_line(self) -> bool:
        return super()._has_object_in_each_line() and self._is_lines(self._first_line())

    def _is_lines(self, first: str) -> bool:
        return _is_object(first) and not self._is_one_line()

    def _first_line(self) -> str:
        with self._text(newline="\n") as file:
            return next((line.strip() for line in without_nul(file, self.path) if line.strip()), "")

    def _is_one_line(self) -> bool:
        with self._text(newline="\n") as file:
            return sum(1 for _, line in zip(range(2), filter(str.strip, file), strict=False)) == 1

    def _content(self) -> str:
        with self._text(newline="\n") as file:
            return file.read()

    def _array(self) -> Objects:
        content = self._content()
        line, counted = 1, 0
        try:
            for place, row in _elements(content):
                line += content.count("\n", counted, place)
                counted = place
                yield line, self._named(f"line {line}", row, f"{short(row)} in the array is not an object with names")
        except json.JSONDecodeError as error:
            raise self._broken(error.lineno, "array", error.msg) from None

    def _broken(self, line: int, what: str, why: object) -> DataError:
        return DataError(f"{self.path}, line {line}: the JSON {what} is not valid ({why})")

    def _document(self) -> Objects:
        content = self._content()
        if not content.strip():
            return
        try:
            given = json.loads(content, object_pairs_hook=unique_names)
        except DoubledNameError as error:
            raise DataError(f"{self.path}: {error} in an object") from None
        except json.JSONDecodeError as error:
            if self._first_line().endswith("}"):  # JSON lines, of which the first is wrong
                yield from super().objects()
            raise self._broken(error.lineno, "object", error.msg) from None
        except (ValueError, RecursionError) as error:
            raise self._broken(1, "object", error) from None
        if not isinstance(given, dict) or self.layout.columns is not None:
            must = "lists, because `columns` is set" if self.layout.columns is not None else "objects"
            raise DataError(f"{self.path}: {short(given)} is not a table; the file must be an array of {must}")
        yield from enumerate(self._rows_of(given), start=1)

    def _rows_of(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        data, values = given.get("data"), list(given.values())
        if isinstance(data, list) and isinstance(given.get("columns"), list):
            return self._split(given["columns"], data)
        if isinstance(data, list) and isinstance(given.get("schema"), dict):
            return self._objects_of(data)
        holds_columns = all(root_of(name, given) is not None for name in self.layout.requested)
        if values and all(isinstance(each, dict) for each in values):
            return _from_columns(given) if holds_columns and self.layout.requested else self._objects_of(values)
        if values and all(isinstance(each, list) for each in values) and len({len(each) for each in values}) == 1:
            return [dict(zip(given, cells, strict=True)) for cells in zip(*values, strict=True)]
        if holds_columns or not any(isinstance(each, dict | list) for each in values):
            return [given]
        names = ", ".join(map(repr, list(given)[:10]))
        raise DataError(f"{self.path}: one JSON object ({names}), which is not a table; write an array of objects")

    def _split(self, columns: list[Any], data: list[Any]) -> list[dict[str, Any]]:
        names = [str(name) for name in columns]
        if len(set(names)) < len(names):
            raise DataError(f"{self.path}: `columns` has a name more than once")
        for number, row in enumerate(data, start=1):
            if not isinstance(row, list) or len(row) != len(names):
                raise DataError(f"{self.path}, row {number}: {short(row)} is not a list of {len(names)} values")
        return [dict(zip(names, row, strict=True)) for row in data]

    def _objects_of(self, rows: list[Any]) -> list[dict[str, Any]]:
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                raise DataError(f"{self.path}, row {number}: {short(row)} is not an object with names")
        return rows


def _from_columns(given: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    index = dict.fromkeys(key for column in given.values() for key in column)
    return [{name: column.get(key) for name, column in given.items()} for key in index]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _elements(content: str) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a JSON array, each with its place in the text."""
    decoder = json.JSONDecoder(object_pairs_hook=unique_names)
    place = _after_space(content, content.index("[") + 1)
    mark = content[place : place + 1]
    while mark != "]":
        try:
            value, end = decoder.raw_decode(content, place)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), content, place) from None
        yield place, value
        place = _after_space(content, end)
        mark = content[place : place + 1]
        if mark not in (",", "]"):
            raise json.JSONDecodeError("Expecting ',' delimiter", content, place)
        place = _after_space(content, place + 1) if mark == "," else place
    if (after := _after_space(content, place + 1)) < len(content):
        raise json.JSONDecodeError("Extra data", content, after)


def _after_space(content: str, place: int) -> int:
    while place < len(content) and content[place].isspace():
        place += 1
    return place
