"""The answers of several annotators to one task of an export: a vote each, and one row for each task."""

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, MultiTaskBuilder, Source
from datasets_builder.sources import open_tables

TOPIC = {"column": "topic", "votes": "annotators"}


def write(path: Path, rows: list[Any] | str) -> str:
    as_lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(rows if isinstance(rows, str) else as_lines if path.suffix == ".jsonl" else json.dumps(rows))
    return str(path)


def read(path: str, tool: str, topic: dict[str, Any] | None = None, **labels: Any) -> list[tuple[str, str | None]]:
    """Return the text and the topic of each row."""
    task = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "other"]}
    names = {"topic": topic or TOPIC, **labels}
    tasks = [task, *({"name": name, "problem_type": task["problem_type"]} for name in labels)]
    builder = MultiTaskBuilder(tasks=tasks, train=[Source(path, format=tool, labels=names)])  # type: ignore[arg-type]
    builder.download_and_prepare()
    rows = builder.as_dataset()["train"]
    known = rows.features["topic"].names
    return [(row["text"], None if row["topic"] is None else known[row["topic"]]) for row in rows]


def label_studio(number: int, text: str, *topics: str | None) -> dict[str, Any]:
    """Return a task of the JSON export. `None` is a cancelled annotation."""
    annotations = [
        {
            "id": 100 * number + place,
            "completed_by": place,
            "was_cancelled": topic is None,
            "ground_truth": False,
            "result": [
                {
                    "id": "Xz",
                    "from_name": "topic",
                    "to_name": "text",
                    "type": "choices",
                    "origin": "manual",
                    "value": {"choices": [topic or "film"]},
                }
            ],
        }
        for place, topic in enumerate(topics, start=1)
    ]
    return {"id": number, "data": {"text": text}, "annotations": annotations, "predictions": [], "meta": {}}


def test_label_studio_counts_the_annotations_of_a_task_without_cancelled_ones(tmp_path: Path) -> None:
    rows = [
        label_studio(1, "a", "food", "film", "food"),
        label_studio(2, "b", "food", "film"),
        label_studio(3, "c", "film", None, None),
        label_studio(4, "d", None),
        label_studio(5, "e"),
    ]

    answers = read(write(tmp_path / "export.json", rows), "label_studio")

    assert answers == [("a", "food"), ("b", None), ("c", "film"), ("d", None), ("e", None)]


@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_rows_of_one_id_in_json_min_and_csv_become_one_row_at_the_place_of_the_first(
    tmp_path: Path, ending: str
) -> None:
    given = [(1, "a", "food", 11, 1), (2, "b", "film", 12, 1), (1, "a", "film", 13, 2), (1, "a", "food", 14, 3)]
    rows = [
        {
            "id": number,
            "text": text,
            "topic": topic,
            "annotation_id": annotation,
            "annotator": annotator,
            "lead_time": annotation / 4,
        }
        for number, text, topic, annotation, annotator in given
    ]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path = write(tmp_path / f"export{ending}", rows if ending == ".json" else "\n".join(lines) + "\n")

    assert read(path, "label_studio") == [("a", "food"), ("b", "film")]


def prodigy(task: int, text: str, label: str, annotator: str, answer: str = "accept") -> dict[str, Any]:
    return {
        "text": text,
        "_input_hash": -task,
        "_task_hash": task,
        "options": [{"id": "food", "text": "Food"}, {"id": "film", "text": "Film"}],
        "_view_id": "choice",
        "accept": [label],
        "answer": answer,
        "_timestamp": 1700000000,
        "_annotator_id": f"news-{annotator}",
        "_session_id": f"news-{annotator}",
    }


def test_lines_of_one_task_hash_become_one_row_and_ignored_answers_do_not_vote(tmp_path: Path) -> None:
    rows = [
        prodigy(7, "a", "food", "ann"),
        prodigy(8, "b", "film", "ann"),
        prodigy(7, "a", "film", "ben"),
        prodigy(8, "b", "food", "ben", "ignore"),
        prodigy(7, "a", "food", "eve"),
    ]
    path = write(tmp_path / "export.jsonl", rows)

    assert read(path, "prodigy", TOPIC | {"column": "accept"}) == [("a", "food"), ("b", "film")]


def argilla(text: str, *topics: tuple[str, str]) -> dict[str, Any]:
    """Return a record with a value and a status for each response."""
    responses = [
        {"value": value, "user_id": f"user-{place}", "status": status} for place, (value, status) in enumerate(topics)
    ]
    return {
        "id": text,
        "status": "completed",
        "fields": {"text": text},
        "metadata": {},
        "suggestions": {"topic": {"value": "other", "score": None, "agent": "model"}},
        "responses": {"topic": responses},
        "vectors": {},
    }


def test_argilla_counts_submitted_responses(tmp_path: Path) -> None:
    film, food, draft = ("film", "submitted"), ("food", "submitted"), ("food", "draft")
    rows = [argilla("a", film, food, film), argilla("b", draft, draft, film), argilla("c", ("film", "discarded"))]

    assert read(write(tmp_path / "export.json", rows), "argilla") == [("a", "film"), ("b", "film"), ("c", None)]


def doccano(folder: Path) -> str:
    """Write a file for each of three annotators, as doccano does if they work alone."""
    for name, topics in {"admin": ["food", "film"], "ben": ["food", None], "eve": ["film", None]}.items():
        rows = [
            {"id": number, "text": text, "label": [topic] if topic else [], "Comments": []}
            for number, text, topic in zip((5, 6), "ab", topics, strict=True)
        ]
        write(folder / f"{name}.jsonl", rows)
    return str(folder)


def test_the_files_of_doccano_are_the_votes_of_their_annotators(tmp_path: Path) -> None:
    assert read(doccano(tmp_path), "doccano", TOPIC | {"column": "label"}) == [("a", "food"), ("b", "film")]


def test_the_files_of_several_annotators_of_doccano_are_refused_without_votes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ben\.jsonl, line 1: several annotators answered this task; .* add `votes: a"):
        read(doccano(tmp_path), "doccano", {"column": "label"})


def test_files_of_doccano_with_other_tasks_are_tables_of_one_source(tmp_path: Path) -> None:
    for number, topic in enumerate(["film", "food"]):
        write(tmp_path / f"{topic}.jsonl", [{"id": number, "text": topic[:2], "label": [topic]}])

    assert read(str(tmp_path), "doccano", {"column": "label"}) == [("fi", "film"), ("fo", "food")]


def test_aliases_and_missing_are_replaced_before_votes_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "export.json", [label_studio(1, "a", "movie", "?", "film", "food", "?", "?")])

    assert read(path, "label_studio", TOPIC | {"aliases": {"movie": "film"}, "missing": ["?"]}) == [("a", "film")]


def test_the_votes_of_annotators_may_be_a_distribution(tmp_path: Path) -> None:
    rows = [
        label_studio(1, "a", "food", "film", "food", "food"),
        label_studio(2, "b", "food", "film"),
        label_studio(3, "c"),
    ]
    task = {"name": "topic", "problem_type": "binary_classification", "labels": ["film", "food"]}
    labels = {"topic": TOPIC | {"as": "distribution"}}
    source = Source(write(tmp_path / "export.json", rows), format="label_studio", labels=labels)
    builder = MultiTaskBuilder(tasks=[task], train=[source])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["topic_distribution"][:] == [
        {"film": 0.25, "food": 0.75},
        {"film": 0.5, "food": 0.5},
        None,
    ]


def test_a_changed_file_of_an_annotator_changes_the_data_set(tmp_path: Path) -> None:
    source = Source(doccano(tmp_path), format="doccano", labels={"topic": TOPIC | {"column": "label"}})
    (table,) = open_tables(source)
    before = table.digest()
    write(tmp_path / "eve.jsonl", [{"id": 5, "text": "a", "label": ["food"]}])
    (after,) = open_tables(source)

    assert before != after.digest()


def test_annotators_that_differ_in_another_column_are_refused(tmp_path: Path) -> None:
    rows = [{"id": 1, "annotation_id": i, "text": "a", "topic": "film", "mood": mood} for i, mood in enumerate("gb")]

    with pytest.raises(DataError, match="line 1: several annotators answered this task, and differ in 'mood'; export"):
        read(write(tmp_path / "export.json", rows), "label_studio", mood="mood")


def test_several_labels_of_one_annotator_are_no_vote(tmp_path: Path) -> None:
    row = label_studio(1, "a", "film")
    row["annotations"][0]["result"][0]["value"]["choices"] = ["film", "food"]

    with pytest.raises(
        DataError,
        match=r"line 1, column 'topic': \['film', 'food'\] is the answer of one annotator, but a vote is one label",
    ):
        read(write(tmp_path / "export.json", [row]), "label_studio")


def test_votes_of_annotators_need_an_export(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,topic\na,film\n")

    with pytest.raises(
        DataError, match="votes: annotators is only for the formats label_studio, doccano, prodigy, argilla; name the"
    ):
        read(str(path), "csv")


@pytest.mark.parametrize("votes", [["one", "two"], "annotators"])
def test_votes_of_numbers_are_refused(votes: Any, tmp_path: Path) -> None:
    column = {"column": "stars", "votes": votes} if votes == "annotators" else {"votes": votes}
    path = write(tmp_path / "export.json", [{"text": "a", "one": 1, "two": 2, "stars": 3}])
    source = Source(path, format="label_studio" if votes == "annotators" else None, labels={"stars": column})

    with pytest.raises(DataError, match="task 'stars' has numbers, but votes choose the most frequent label; name on"):
        MultiTaskBuilder(tasks=[{"name": "stars", "problem_type": "regression"}], train=[source])
