"""Exports of annotation tools as tables: the fields of the data and the annotators' answers are columns."""

import abc
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from datasets_builder.annotated import AnsweredTask, rows_of_one, rows_with_votes
from datasets_builder.compressed import format_ending
from datasets_builder.csv_tables import CsvTable
from datasets_builder.json_tables import JsonTable
from datasets_builder.layout import Layout
from datasets_builder.object_tables import JsonLinesTable, Objects, ObjectTable
from modeling_multitask.errors import DataError


class AnnotationTable(ObjectTable):
    """An export of an annotation tool, in one of the formats that the tool writes.

    Args:
        path: The file, or the folder of the files.
        layout: How the table is written. Its `voted` columns hold the answers of all annotators.
        files: The files of a folder, if together they are one table.
    """

    inner: ClassVar[dict[str, type[CsvTable | JsonLinesTable]]]  # by ending
    file_of_annotator: ClassVar[bool] = False  # whether the tool writes a file for each annotator

    def __init__(self, path: Path, layout: Layout | None = None, files: Sequence[Path] = ()) -> None:
        super().__init__(path, layout)
        self.exported = [self._opened(each) for each in files or [path]]
        self.annotators: dict[Any, Any] = {}  # of each task, see `rows_of_one`

    def objects(self) -> Objects:
        """Yield a row for each task, with its line in the file.

        Raises:
            DataError: If a task is not as the tool exports it, or several annotators answered it without votes.
        """
        if not self.layout.voted:
            return rows_of_one(self._answered(), self.annotators)
        others = [name for name in self.layout.requested if name not in self.layout.voted]
        return rows_with_votes(self._answered(), self.layout.voted, others)

    def _answered(self) -> Iterator[AnsweredTask]:
        for table in self.exported:
            for line, row in table.objects():
                place = f"{table.path}, line {line}"
                try:
                    answered = self._converted(place, line, row)
                except (KeyError, TypeError, AttributeError) as error:
                    tool = self.layout.format
                    raise DataError(f"{place}: not a task as {tool} exports it ({error!r})") from None
                yield answered

    @abc.abstractmethod
    def _converted(self, place: str, line: int, row: dict[str, Any]) -> AnsweredTask:
        """Return the task of a row of the export."""

    def _opened(self, path: Path) -> CsvTable | JsonLinesTable:
        ending = format_ending(path)
        if ending not in self.inner:
            tool = self.layout.format
            raise DataError(f"{path}: an export of {tool} must end in one of {', '.join(self.inner)}, not {ending!r}")
        return self.inner[ending](path, self.layout)

    def _digest(self) -> str:
        digests = [table.digest() for table in self.exported]
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


class LabelStudioTable(AnnotationTable):
    """An export of Label Studio: JSON, JSON-MIN or CSV. Cancelled annotations and predictions are not labels."""

    inner: ClassVar = {".json": JsonTable, ".csv": CsvTable}

    def objects(self) -> Objects:
        """Yield the rows. In JSON-MIN and CSV, a tag with several choices in any row has lists in all rows."""
        rows = list(super().objects())
        tags = {name for _, row in rows for name, cell in row.items() if isinstance(cell, list)}
        for line, row in rows:
            yield line, {name: _as_list(cell) if name in tags else cell for name, cell in row.items()}

    def _converted(self, place: str, line: int, row: dict[str, Any]) -> AnsweredTask:
        if not ("data" in row and "annotations" in row):
            answer = {name: _choices(cell) for name, cell in row.items()}
            task = row.get("id") if "annotation_id" in row else None
            return AnsweredTask(place, line, {}, [answer], task, (line, row.get("annotation_id")))
        made = [dict(_tags(each.get("result", []))) for each in row["annotations"] if not each.get("was_cancelled")]
        tags = dict.fromkeys(name for answer in made for name in answer)
        return AnsweredTask(place, line, row["data"], [tags | answer for answer in made])


class DoccanoTable(AnnotationTable):
    """An export of doccano: JSON lines with lists of labels, or CSV with labels between number signs.

    If annotators work alone, doccano writes a file for each of them.
    """

    inner: ClassVar = {".jsonl": JsonLinesTable, ".json": JsonTable, ".csv": CsvTable}
    file_of_annotator = True

    def _converted(self, place: str, line: int, row: dict[str, Any]) -> AnsweredTask:
        if isinstance(row.get("label"), str):
            row = row | {"label": [label for label in row["label"].split("#") if label]}
        return AnsweredTask(place, line, {}, [row], row.get("id"), place.rpartition(",")[0])


class ProdigyTable(AnnotationTable):
    """An export of Prodigy. A row whose answer is `ignore` or `reject` stays, without its labels."""

    inner: ClassVar = {".jsonl": JsonLinesTable, ".json": JsonTable}

    def _converted(self, place: str, line: int, row: dict[str, Any]) -> AnsweredTask:
        answer, annotator = row.get("answer", "accept"), row.get("_annotator_id") or row.get("_session_id")
        lost = {"accept": (), "ignore": ("accept", "label", "answer")}.get(answer, ("accept", "label"))
        labels = row | {name: None for name in lost if name in row}
        return AnsweredTask(place, line, {}, [labels], row.get("_task_hash"), annotator)


class ArgillaTable(AnnotationTable):
    """The records of Argilla 2 as JSON. Suggestions are not labels, nor are drafts and discarded responses."""

    inner: ClassVar = {".json": JsonTable, ".jsonl": JsonLinesTable}

    def _converted(self, place: str, line: int, row: dict[str, Any]) -> AnsweredTask:
        if not isinstance(row.get("fields"), dict):
            raise DataError(f"{place}: the record has no `fields`; it is not an export of Argilla 2")
        questions = row.get("responses") or {}
        made = [
            {question: each.get("value")}
            for question, responses in questions.items()
            for each in responses
            if each.get("status") not in ("draft", "discarded")
        ]
        return AnsweredTask(place, line, row["fields"] | dict.fromkeys(questions), made)


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
