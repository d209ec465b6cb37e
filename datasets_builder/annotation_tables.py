"""Exports of annotation tools as tables: the fields of the data and the annotators' answers are columns."""

import abc
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from datasets_builder.compressed import format_ending
from datasets_builder.json_tables import JsonTable
from datasets_builder.layout import Layout
from datasets_builder.object_tables import JsonLinesTable, Objects, ObjectTable
from datasets_builder.text_tables import CsvTable
from modeling_multitask.errors import DataError


class AnnotationTable(ObjectTable):
    """An export of an annotation tool, in one of the formats that the tool writes."""

    inner: ClassVar[dict[str, type[CsvTable | JsonLinesTable]]]  # by ending

    def __init__(self, path: Path, layout: Layout | None = None) -> None:
        super().__init__(path, layout)
        ending = format_ending(path)
        if ending not in self.inner:
            tool = self.layout.format
            raise DataError(f"{path}: an export of {tool} must end in one of {', '.join(self.inner)}, not {ending!r}")
        self.exported = self.inner[ending](path, self.layout)

    def objects(self) -> Objects:
        """Yield the fields and answers of each task, with its line in the file."""
        for line, row in self.exported.objects():
            try:
                converted = self._converted(line, row)
            except (KeyError, TypeError, AttributeError) as error:
                tool = self.layout.format
                raise DataError(f"{self.path}, line {line}: not a task as {tool} exports it ({error!r})") from None
            yield line, converted

    @abc.abstractmethod
    def _converted(self, line: int, row: dict[str, Any]) -> dict[str, Any]:
        """Return the columns of a row of the export."""

    def _only(self, line: int, answers: list[Any]) -> Any:
        """Return the answer of the only annotator, or `None` without any."""
        if len(answers) > 1:
            raise self._several(line)
        return answers[0] if answers else None

    def _several(self, line: int) -> DataError:
        return DataError(
            f"{self.path}, line {line}: several annotators answered this task, which is not supported; "
            "export one annotation for each task"
        )


class LabelStudioTable(AnnotationTable):
    """An export of Label Studio: JSON, JSON-MIN or CSV. Cancelled annotations and predictions are not labels."""

    inner: ClassVar = {".json": JsonTable, ".csv": CsvTable}

    def objects(self) -> Objects:
        """Yield the rows. In JSON-MIN and CSV, a tag with several choices in any row has lists in all rows."""
        rows = list(super().objects())
        tags = {name for _, row in rows for name, cell in row.items() if isinstance(cell, list)}
        seen: set[Any] = set()
        for line, row in rows:
            if (task := row.get("id")) is not None and "annotation_id" in row:
                if task in seen:
                    raise self._several(line)
                seen.add(task)
            yield line, {name: _as_list(cell) if name in tags else cell for name, cell in row.items()}

    def _converted(self, line: int, row: dict[str, Any]) -> dict[str, Any]:
        if not ("data" in row and "annotations" in row):
            return {name: _choices(cell) for name, cell in row.items()}
        made = [each for each in row["annotations"] if not each.get("was_cancelled")]
        answer = self._only(line, made) or {}
        return {**row["data"], **dict(_tags(answer.get("result", [])))}


class DoccanoTable(AnnotationTable):
    """An export of doccano: JSON lines with lists of labels, or CSV with labels between number signs."""

    inner: ClassVar = {".jsonl": JsonLinesTable, ".json": JsonTable, ".csv": CsvTable}

    def _converted(self, line: int, row: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        if isinstance(row.get("label"), str):
            return row | {"label": [label for label in row["label"].split("#") if label]}
        return row


class ProdigyTable(AnnotationTable):
    """An export of Prodigy. A row whose answer is `ignore` or `reject` stays, without its labels."""

    inner: ClassVar = {".jsonl": JsonLinesTable, ".json": JsonTable}

    def objects(self) -> Objects:
        """Yield the rows; a task that several annotators answered is an error."""
        annotators: dict[Any, Any] = {}
        for line, row in super().objects():
            annotator = row.get("_annotator_id") or row.get("_session_id")
            if (task := row.get("_task_hash")) is not None and annotators.setdefault(task, annotator) != annotator:
                raise self._several(line)
            yield line, row

    def _converted(self, line: int, row: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        answer = row.get("answer", "accept")
        if answer == "accept":
            return row
        names = ("accept", "label", "answer") if answer == "ignore" else ("accept", "label")
        return row | {name: None for name in names if name in row}


class ArgillaTable(AnnotationTable):
    """The records of Argilla 2 as JSON. Suggestions are not labels, nor are drafts and discarded responses."""

    inner: ClassVar = {".json": JsonTable, ".jsonl": JsonLinesTable}

    def _converted(self, line: int, row: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(row.get("fields"), dict):
            raise DataError(f"{self.path}, line {line}: the record has no `fields`; it is not an export of Argilla 2")
        answers = {}
        for question, responses in (row.get("responses") or {}).items():
            made = [each for each in responses if each.get("status") not in ("draft", "discarded")]
            answers[question] = (self._only(line, made) or {}).get("value")
        return {**row["fields"], **answers}


def _tags(results: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Any]]:
    """Yield the name and the value of each tag. Spans and boxes are not labels of the text."""
    for each in results:
        value = each.get("value", {})
        if each.get("type") == "taxonomy":
            yield each["from_name"], [" > ".join(path) for path in value.get("taxonomy", [])]
        elif each.get("type") in ("choices", "rating", "number"):
            yield each["from_name"], value.get(each["type"])


def _choices(cell: Any) -> Any:
    """Return the list of several choices, which is an object, and in CSV the text of an object."""
    if isinstance(cell, str) and cell.startswith('{"choices"'):
        try:
            cell = json.loads(cell)
        except ValueError:
            return cell
    return cell["choices"] if isinstance(cell, dict) and isinstance(cell.get("choices"), list) else cell


def _as_list(cell: Any) -> Any:
    return [cell] if isinstance(cell, str) and cell else None if cell == "" else cell
