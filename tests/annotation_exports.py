"""Exports of annotation tools with given labels, and with everything in them that is no label."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

OTHER = "cancelled"  # an answer that no label may come from


class Labelled(NamedTuple):
    """A text with the answers to three questions: one choice, several choices, and a number."""

    text: str
    topic: str | None = None
    tags: Sequence[str] | None = None
    stars: int | None = None


def label_studio(rows: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Tasks with one annotation, and with a cancelled one and a prediction. An empty set of choices has no result."""

    def results(row: Labelled) -> list[dict[str, Any]]:
        values = {
            "topic": ("choices", row.topic and [row.topic]),
            "tags": ("choices", list(row.tags or [])),
            "stars": ("rating", row.stars),
        }
        return [
            {"from_name": name, "to_name": "text", "type": kind, "value": {kind: value}}
            for name, (kind, value) in values.items()
            if value
        ]

    wrong = results(Labelled("", OTHER, [OTHER], 99))
    return [
        {
            "id": number,
            "data": {"text": row.text},
            "annotations": [
                {"was_cancelled": True, "result": wrong},
                {"was_cancelled": False, "result": results(row)},
            ],
            "predictions": [{"result": wrong}],
        }
        for number, row in enumerate(rows)
    ]


def label_studio_min(rows: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Tasks in the form JSON-MIN: one choice is a text, several are an object, and none has no name."""
    objects = []
    for number, row in enumerate(rows):
        tags = list(row.tags or [])
        cells = {"topic": row.topic, "tags": {"choices": tags} if len(tags) > 1 else "".join(tags), "stars": row.stars}
        answers = {name: cell for name, cell in cells.items() if cell}
        objects.append({"id": number, "text": row.text, "annotation_id": number, **answers})
    return objects


def label_studio_csv(rows: Sequence[Labelled]) -> str:
    """The form JSON-MIN as a table, with objects as JSON."""
    names = ["id", "text", "annotation_id", "topic", "tags", "stars"]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    for row in label_studio_min(rows):
        writer.writerow({name: json.dumps(cell) if isinstance(cell, dict) else cell for name, cell in row.items()})
    return file.getvalue()


def doccano(rows: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Objects with a list of labels: the tags, or else the topic."""
    return [{"id": number, "text": row.text, "label": _labels(row), "Comments": []} for number, row in enumerate(rows)]


def doccano_csv(rows: Sequence[Labelled]) -> str:
    """A table with the labels between number signs."""
    file = io.StringIO(newline="")
    lines = [(number, row.text, "#".join(_labels(row))) for number, row in enumerate(rows)]
    csv.writer(file).writerows([("id", "text", "label"), *lines])
    return file.getvalue()


def prodigy(rows: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Answers of the recipe `choice`. A row without tags and without a topic is ignored."""
    return [
        {
            "text": row.text,
            "_task_hash": number,
            "_annotator_id": "me",
            "options": [{"id": OTHER, "text": OTHER}],
            "accept": [OTHER] if row.topic is None and row.tags is None else _labels(row),
            "answer": "ignore" if row.topic is None and row.tags is None else "accept",
        }
        for number, row in enumerate(rows)
    ]


def argilla(rows: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Records with submitted responses, and with drafts and suggestions."""

    def responses(value: Any) -> list[dict[str, Any]]:
        draft = {"value": OTHER, "user_id": "you", "status": "draft"}
        made = [] if value is None else [{"value": value, "user_id": "me", "status": "submitted"}]
        return [draft, *made]

    return [
        {
            "id": str(number),
            "fields": {"text": row.text},
            "metadata": {},
            "suggestions": {"topic": {"value": OTHER, "score": 1.0, "agent": "model"}},
            "responses": {
                "topic": responses(row.topic),
                "tags": responses(None if row.tags is None else list(row.tags)),
                "stars": responses(row.stars),
            },
        }
        for number, row in enumerate(rows)
    ]


def _labels(row: Labelled) -> list[str]:
    return list(row.tags) if row.tags is not None else [row.topic] if row.topic is not None else []
