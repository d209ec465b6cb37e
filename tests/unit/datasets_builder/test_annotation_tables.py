"""Exports of annotation tools: fields and answers are columns, and what is no label is not read as one."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables


def read(folder: Path, tool: str, rows: list[Any] | str, ending: str = ".json") -> dict[str, list[Any]]:
    path = folder / f"export{ending}"
    lines = "\n".join(map(json.dumps, rows)) if ending == ".jsonl" else json.dumps(rows)
    path.write_text(rows if isinstance(rows, str) else lines, encoding="utf-8")
    (opened,) = open_tables(Source(str(path), format=tool))  # type: ignore[arg-type]
    return pa.concat_tables(opened.read(opened.columns)).to_pydict()


def result(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": name, "type": kind, "value": {kind: value}}


def annotation(*results: dict[str, Any], cancelled: bool = False) -> dict[str, Any]:
    return {"was_cancelled": cancelled, "result": list(results)}


def task(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    predictions = [{"result": [result("mood", "choices", ["predicted"])]}]
    return {"id": 1, "data": {"text": text}, "annotations": list(annotations), "predictions": predictions}


def test_label_studio_gives_the_fields_and_the_tags(tmp_path: Path) -> None:
    rows = [
        task("a", annotation(result("mood", "choices", ["good"]), result("stars", "rating", 4))),
        task("b", annotation(result("mood", "choices", ["bad"]), cancelled=True)),
        task("c", annotation(result("path", "taxonomy", [["x", "y"], ["z"]]), result("span", "labels", ["PER"]))),
        task("d", annotation(result("size", "number", 2.5))),
    ]

    assert read(tmp_path, "label_studio", rows) == {
        "text": ["a", "b", "c", "d"],
        "mood": [["good"], None, None, None],
        "stars": [4, None, None, None],
        "path": [None, None, ["x > y", "z"], None],
        "size": [None, None, None, 2.5],
    }


def test_several_annotations_of_a_task_are_refused(tmp_path: Path) -> None:
    one = annotation(result("mood", "choices", ["good"]))

    with pytest.raises(
        DataError,
        match=r"line 1: several annotators answered this task; export one annotation for each task, or add `votes: "
        r"annotators`, as in \{column: topic, votes: annotators\}",
    ):
        read(tmp_path, "label_studio", [task("a", one, one)])


def test_several_rows_of_a_task_in_json_min_are_refused(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": "a", "mood": "good", "annotation_id": i} for i in range(2)]

    with pytest.raises(DataError, match="several annotators answered this task"):
        read(tmp_path, "label_studio", rows)


def test_a_tag_with_several_choices_in_one_row_has_lists_in_all(tmp_path: Path) -> None:
    rows = (
        'text,parts,id,annotation_id\na,"{""choices"": [""x"", ""y""]}",1,1\nb,x,2,2\nc,,3,3\nd,"{""choices"" x",4,4\n'
    )

    assert read(tmp_path, "label_studio", rows, ".csv")["parts"] == [["x", "y"], ["x"], None, ['{"choices" x']]


def test_doccano_gives_lists_of_labels(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": "a", "label": ["x"]}, {"id": 2, "text": "b", "label": []}]

    assert read(tmp_path, "doccano", rows, ".jsonl")["label"] == [["x"], []]
    assert read(tmp_path, "doccano", "id,text,label\n1,a,x#y\n2,b,\n3,c,z\n", ".csv")["label"] == [
        ["x", "y"],
        [],
        ["z"],
    ]


@pytest.mark.parametrize(
    ("answer", "labels"),
    [("accept", (["x"], "x", "accept")), ("reject", (None, None, "reject")), ("ignore", (None, None, None))],
)
def test_prodigy_gives_labels_only_for_accepted_rows(tmp_path: Path, answer: str, labels: tuple[Any, ...]) -> None:
    row = {"text": "a", "accept": ["x"], "label": "x", "answer": answer}

    read_row = read(tmp_path, "prodigy", [row], ".jsonl")

    assert (read_row["text"], *(read_row[name][0] for name in ("accept", "label", "answer"))) == (["a"], *labels)


def test_several_annotators_of_prodigy_are_refused(tmp_path: Path) -> None:
    rows = [{"text": "a", "_task_hash": 1, "_annotator_id": each, "answer": "accept"} for each in ("me", "me", "you")]

    with pytest.raises(DataError, match="line 3: several annotators answered this task"):
        read(tmp_path, "prodigy", rows, ".jsonl")


def record(**responses: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "r", "fields": {"text": "a"}, "suggestions": {"mood": {"value": "bad"}}, "responses": responses}


def test_argilla_gives_fields_and_submitted_responses(tmp_path: Path) -> None:
    draft = {"value": "bad", "user_id": "u", "status": "draft"}
    rows = [
        record(mood=[draft, {"value": "good", "user_id": "v", "status": "submitted"}]),
        record(mood=[draft]),
        record(),
    ]

    assert read(tmp_path, "argilla", rows) == {"text": ["a", "a", "a"], "mood": ["good", None, None]}


def test_several_responses_of_argilla_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: several annotators answered this task"):
        read(tmp_path, "argilla", [record(mood=[{"value": "x", "user_id": "u"}, {"value": "x", "user_id": "v"}])])


def test_a_record_without_fields_is_no_export_of_argilla(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: the record has no `fields`; it is not an export of Argilla 2"):
        read(tmp_path, "argilla", [{"text": "a"}])


def test_an_export_in_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: not a task as label_studio exports it \(KeyError"):
        read(tmp_path, "label_studio", [task("a", annotation({"type": "choices"}))])


def test_an_ending_that_the_tool_does_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"an export of prodigy must end in one of \.jsonl, \.json, not '\.csv'"):
        read(tmp_path, "prodigy", "text\na\n", ".csv")
