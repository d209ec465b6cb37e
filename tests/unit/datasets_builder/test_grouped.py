"""Long tables, which have one row for each annotation, become one row for each text with the votes of all its rows."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import DataError, LabelColumn, LongVotes, MultiTaskBuilder, Source
from datasets_builder.tables import CHUNK_ROWS
from tests.workbooks import write_open_document, write_workbook

TOXIC = {"name": "toxic", "problem_type": "binary_classification"}
TOPIC = {"name": "topic", "problem_type": "single_label_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification"}
VOTES = LabelColumn(votes=LongVotes("label", by="id"))
# The rows of an id are not adjacent.
TABLE = {
    "id": ["7", "8", "7", "9", "8", "7"],
    "text": ["a", "b", "a", "c", "b", "a"],
    "label": ["yes", "no", "no", None, "yes", "yes"],
}
LONG = "id,text,label\n7,a,yes\n8,b,no\n7,a,no\n9,c,\n8,b,yes\n7,a,yes\n"


def prepared(*tasks: dict[str, Any], source: Source, **words: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=list(tasks), train=[source], **words)
    builder.download_and_prepare()
    return builder


def rows(*tasks: dict[str, Any], labels: dict[str, Any] | None = None, **words: Any) -> list[dict[str, Any]]:
    """The rows of `TABLE`, or of other `data`, with the names of labels instead of their ids."""
    source = Source(**{"data": TABLE, **words}, labels=labels or {"toxic": VOTES})
    builder = prepared(*(tasks or [TOXIC]), source=source)
    names = {task.name: task.labels for task in builder.tasks}
    return [
        {name: names[name][each] if name in names and isinstance(each, int) else each for name, each in row.items()}
        for row in builder.as_dataset()["train"]
    ]


def table(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(text: str, folder: Path, **words: Any) -> str:
    """The message about a CSV file."""
    source = Source(**{"path": str(table(text, folder / "t.csv")), "labels": {"toxic": VOTES}, **words})
    with pytest.raises(DataError) as caught:
        prepared(TOXIC, source=source)
    return str(caught.value).replace(str(folder / "t.csv"), "t.csv")


def test_the_rows_of_an_id_are_one_row_with_the_label_of_most() -> None:
    assert rows() == [{"text": "a", "toxic": "yes"}, {"text": "b", "toxic": None}, {"text": "c", "toxic": None}]


def test_a_distribution_has_the_share_of_each_label() -> None:
    found = rows(labels={"toxic": LabelColumn(votes=LongVotes("label", by="id"), as_="distribution")})

    assert [row["toxic_distribution"] for row in found] == [
        {"no": pytest.approx(1 / 3), "yes": pytest.approx(2 / 3)},
        {"no": 0.5, "yes": 0.5},
        None,
    ]
    assert [row["toxic"] for row in found] == ["yes", None, None]


def test_a_row_has_the_number_and_line_of_the_first_row_of_its_id(tmp_path: Path) -> None:
    path = table("\n" + LONG.replace("8,b,no", '8,"b\nb",no').replace("8,b,yes", '8,"b\nb",yes'), tmp_path / "t.csv")
    source = Source(str(path), labels={"toxic": VOTES}, skip_rows=1, quoting="minimal")

    built = prepared(TOXIC, source=source, with_place=True)

    assert list(built.as_dataset()["train"]["line"]) == [3, 4, 7]


def test_aliases_and_missing_words_apply_to_each_vote() -> None:
    data = {"id": [1, 1, 1, 2, 2], "text": list("aaabb"), "label": ["y", "no", "yes", "?", "no"]}
    votes = LabelColumn(votes={"column": "label", "by": "id"}, aliases={"y": "yes"}, missing=["?"])

    assert rows(data=data, labels={"toxic": votes}) == [{"text": "a", "toxic": "yes"}, {"text": "b", "toxic": "no"}]


@pytest.mark.parametrize(
    "ids",
    [
        ["1", "1.0", "1.00", "01"],
        [1.0, 1.0, 1.0, 1.5],
        pd.Series([1, 1, 1, None], dtype="float64").fillna(2),
        pd.Categorical(["x", "x", "x", "y"]),
        [2**53 + 1, 2**53 + 1, 2**53 + 1, 2**53],
    ],
    ids=["texts", "floats", "floats of pandas", "categories", "large numbers"],
)
def test_ids_are_words(ids: Any) -> None:
    data = pd.DataFrame({"id": ids, "text": list("aaab"), "label": ["no", "yes", "no", "yes"]})

    assert rows(data=data) == [{"text": "a", "toxic": "no"}, {"text": "b", "toxic": "yes"}]


def test_where_chooses_the_rows_before_they_are_grouped(tmp_path: Path) -> None:
    data = TABLE | {"who": ["bot", "ann", "ann", "ann", "bot", "bob"], "text": ["other", "b", "a", "c", "b", "a"]}

    found = rows(data=data, where={"who": ["ann", "bob"]})

    assert found == [{"text": "b", "toxic": "no"}, {"text": "a", "toxic": None}, {"text": "c", "toxic": None}]


def test_several_tasks_may_have_votes_and_others_labels() -> None:
    data = TABLE | {
        "sure": ["no", "no", "no", "yes", "no", "yes"],
        "topic": ["x", "y", "x", "", "y", "x"],
        "tags": [["p"], [], ["p"], None, [], ["p"]],
    }
    labels = {
        "toxic": VOTES,
        "sure": LabelColumn(votes=LongVotes("sure", by="id")),
        "topic": "topic",
        "tags": "tags",
    }

    found = rows(TOXIC, {**TOXIC, "name": "sure"}, TOPIC, {**TAGS, "labels": ["p", "q"]}, data=data, labels=labels)

    assert [row["sure"] for row in found] == ["no", "no", "yes"]
    assert [row["topic"] for row in found] == ["x", "y", None]
    assert [row["tags"] for row in found] == [{"p": 1, "q": 0}, {"p": 0, "q": 0}, None]


def test_one_column_may_be_the_votes_of_two_tasks() -> None:
    labels = {"toxic": VOTES, "share": LabelColumn(votes=LongVotes("label", by="id"), as_="distribution")}

    found = rows(TOXIC, {**TOXIC, "name": "share"}, labels=labels)

    assert [(row["toxic"], row["share"]) for row in found] == [("yes", "yes"), (None, None), (None, None)]
    assert found[1]["share_distribution"] == {"no": 0.5, "yes": 0.5}


def test_texts_may_be_pairs_joined_or_paths_into_objects() -> None:
    data = {
        "meta": [{"id": 1, "title": "A"}, {"id": 2, "title": "B"}, {"id": 1, "title": "A"}],
        "text": ["a", "b", "a"],
        "label": ["yes", "no", "yes"],
    }
    labels = {"toxic": LabelColumn(votes=LongVotes("label", by="meta.id"))}

    pairs = rows(data=data, labels=labels, text=["meta.title", "text"])
    joined = rows(data=data, labels=labels, text={"columns": ["meta.title", "text"], "separator": " "})

    assert [(row["text"], row["text_pair"]) for row in pairs] == [("A", "a"), ("B", "b")]
    assert [row["text"] for row in joined] == ["A a", "B b"]


def test_rows_without_a_text_are_left_out_after_they_are_grouped() -> None:
    assert [row["text"] for row in rows(data=TABLE | {"text": ["a", "", "a", "c", " ", "a"]})] == ["a", "c"]


def test_equal_weights_of_an_id_are_the_weight_of_its_row() -> None:
    found = rows(data=TABLE | {"sure": ["0.5", "1", "0.5", "2", "1.0", "0.5"]}, weight="sure")

    assert [row["weight"] for row in found] == [0.5, 1, 2]


@pytest.mark.parametrize("column", ["id", "author"])
def test_rows_of_a_group_of_the_split_stay_together(column: str) -> None:
    texts = [f"text {i // 2}" for i in range(80)]
    data: dict[str, list[Any]] = {"text": texts, "label": ["yes", "yes", "no", "no"] * 20}
    data |= {"id": [i // 2 for i in range(80)], "author": [f"author {i // 8}" for i in range(80)]}
    source = Source(data=data, labels={"toxic": LabelColumn(votes=LongVotes("label", by="id"))})

    built = prepared(TOXIC, source=source, split={"test": 0.25, "group": column}).as_dataset()

    groups = dict(zip(texts, data[column], strict=True))
    train, test = ({groups[text] for text in built[name]["text"]} for name in ("train", "test"))
    assert not train & test
    assert (len(train) + len(test), sum(map(len, built.values()))) == (len(set(data[column])), 40)


def test_contradictions_are_between_the_rows_of_ids_not_of_votes() -> None:
    data = TABLE | {"text": ["a", "a", "a", "c", "a", "a"], "label": ["yes", "no", "yes", "no", "no", "no"]}
    source = Source(data=data, labels={"toxic": VOTES})

    assert prepared(TOXIC, source=source).as_dataset()["train"]["toxic"][:] == [1, 0, 0]
    assert prepared(TOXIC, source=source, contradictions="first").as_dataset()["train"]["toxic"][:] == [1, 0]


def test_votes_of_a_class_label_are_its_names() -> None:
    features = Features({"id": Value("int64"), "text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    data = Dataset.from_dict({"id": [1, 1, 1], "text": ["a"] * 3, "label": [1, 1, -1]}, features=features)

    assert rows({**TOXIC, "labels": ["no", "yes"]}, data=data) == [{"text": "a", "toxic": "yes"}]


def to_sqlite(frame: pd.DataFrame, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        frame.to_sql("rows", connection, index=False)


def cells(frame: pd.DataFrame) -> list[list[str]]:
    return [list(frame), *frame.fillna("").astype(str).to_numpy().tolist()]


@pytest.mark.parametrize(
    ("ending", "write"),
    [
        ("csv", lambda frame, path: frame.to_csv(path, index=False)),
        ("csv.gz", lambda frame, path: frame.to_csv(path, index=False)),
        ("tsv", lambda frame, path: frame.to_csv(path, index=False, sep="\t")),
        ("jsonl", lambda frame, path: frame.to_json(path, orient="records", lines=True)),
        ("json", lambda frame, path: frame.to_json(path, orient="columns")),
        ("parquet", lambda frame, path: frame.to_parquet(path, row_group_size=2)),
        ("arrow", lambda frame, path: frame.to_feather(path, compression="uncompressed")),
        ("sqlite", to_sqlite),
        ("xlsx", lambda frame, path: write_workbook(path, Rows=cells(frame))),
        ("ods", lambda frame, path: write_open_document(path, cells(frame))),
    ],
)
def test_every_format_is_grouped(ending: str, write: Callable[[pd.DataFrame, Path], object], tmp_path: Path) -> None:
    write(pd.DataFrame(TABLE).astype({"id": "int64"}), tmp_path / f"t.{ending}")

    assert rows(data=None, path=str(tmp_path / f"t.{ending}")) == rows()


def test_an_id_may_have_rows_in_several_files_of_a_folder(tmp_path: Path) -> None:
    for name, rater in (("ann", "id,text,label\n1,a,yes\n2,b,no\n"), ("bob", "id,text,label\n2,b,no\n1,a,yes\n")):
        table(rater, tmp_path / f"{name}.csv")
    table("id,text,label\n3,c,yes\n1,a,no\n", tmp_path / "eve.csv")
    source = Source(str(tmp_path), labels={"toxic": VOTES})

    built = prepared(TOXIC, source=source, with_place=True)

    train = built.as_dataset()["train"]
    names = [Path(train.features["table"].names[number]).name for number in train["table"]]
    assert train["toxic"][:] == [1, 0, 1]
    assert list(zip(train["text"], names, train["line"], strict=True)) == [
        ("a", "ann.csv", 2),
        ("b", "ann.csv", 3),
        ("c", "eve.csv", 2),
    ]
    # Two of the five pairs differ, and by chance three: 1 - 2 / 3.
    assert "train: task 'toxic': Krippendorff's alpha of the raters is 0.33 (5 votes)" in built.notes


def test_ids_of_different_sources_are_different(tmp_path: Path) -> None:
    one = Source(data={"id": [1, 1], "text": ["a", "a"], "label": ["yes", "yes"]}, labels={"toxic": VOTES})
    other = Source(data={"id": [1, 1], "text": ["b", "b"], "label": ["no", "no"]}, labels={"toxic": VOTES})

    builder = MultiTaskBuilder(tasks=[TOXIC], train=[one, other])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"].to_dict() == {"text": ["a", "b"], "toxic": [1, 0]}


def test_an_id_may_have_rows_in_several_chunks_of_which_one_has_no_votes() -> None:
    half = CHUNK_ROWS + 3
    ids = [*range(half), *reversed(range(half))]
    labels: list[str | None] = [None] * half
    data = Dataset.from_dict(
        {
            "id": ids,
            "text": [f"text {i}" for i in ids],
            "label": labels + ["yes" if i % 2 else "no" for i in ids[half:]],
        }
    )

    found = rows(data=data)

    assert found == [{"text": f"text {i}", "toxic": "yes" if i % 2 else "no"} for i in range(half)]


@pytest.mark.slow
def test_several_processes_group_alike(tmp_path: Path) -> None:
    ids = [i % 12_000 for i in range(36_000)]
    data = {
        "id": ids,
        "text": [f"text {i}" for i in ids],
        "label": ["yes" if i % 7 < 3 else "no" for i in range(36_000)],
    }
    built = []
    for processes in (1, 2):
        source = Source(data=data, labels={"toxic": VOTES})
        builder = MultiTaskBuilder(tasks=[TOXIC], train=[source], cache_dir=str(tmp_path / str(processes)))
        builder.download_and_prepare(num_proc=processes)
        built.append(builder.as_dataset()["train"].to_dict())

    assert built[0] == built[1]
    assert len(built[0]["text"]) == 12_000


def test_another_id_is_another_data_set() -> None:
    hashes = set()
    for by in ("id", "other"):
        labels = {"toxic": LabelColumn(votes=LongVotes("label", by=by))}
        source = Source(data=TABLE | {"other": list("123456")}, labels=labels)
        hashes.add(MultiTaskBuilder(tasks=[TOXIC], train=[source]).hash)

    assert len(hashes) == 2


def test_a_text_that_differs_within_an_id_is_an_error_with_both_rows(tmp_path: Path) -> None:
    message = refusal(LONG.replace("7,a,no", "\n7,A,no"), tmp_path)

    assert message == (
        "t.csv, row 3 (line 5), column 'text': 'A', but 'a' in row 1 (line 2), which has the same id, '7' in column "
        "'id'. The rows of an id may only differ in their votes: correct the cells, use different ids, or read the "
        "labels of this column as votes, too"
    )


def test_long_texts_are_shown_where_they_differ(tmp_path: Path) -> None:
    start, end = "x" * 100, "y" * 100

    message = refusal(f"id,text,label\n7,{start}a{end},yes\n7,{start}b{end},no\n", tmp_path)

    assert f"column 'text': ...'{'x' * 20}b{'y' * 39}'..., but ...'{'x' * 20}a{'y' * 39}'... in row 1" in message


def test_an_error_counts_the_rows_that_differ(tmp_path: Path) -> None:
    message = refusal(LONG.replace("7,a,no", "7,A,no").replace("8,b,yes", "8,B,yes"), tmp_path)

    assert "'7' in column 'id' (and 1 more rows differ from the first row of their id). The rows" in message


@pytest.mark.parametrize(
    ("cells", "words", "shown"),
    [
        (["1", "", "2", "", "", "1"], {"weight": "x"}, "row 3 (line 4), column 'x': '2', but '1' in row 1 (line 2)"),
        (["p", "", "", "", "", "p"], {}, "row 3 (line 4), column 'x': '', but 'p' in row 1 (line 2)"),
        (["", "", "p", "", "", ""], {}, "row 3 (line 4), column 'x': 'p', but '' in row 1 (line 2)"),
    ],
    ids=["weight", "gap", "first gap"],
)
def test_weights_and_other_labels_are_equal_within_an_id(
    cells: list[str], words: dict[str, Any], shown: str, tmp_path: Path
) -> None:
    # P147: Arrow compares nothing with a gap, so only different words would be found.
    lines = [f"{line},{cell}" for line, cell in zip(LONG.splitlines(), ["x", *cells], strict=True)]
    labels = {"toxic": VOTES} | ({} if words else {"topic": "x"})
    tasks = [{**TOXIC, "labels": ["no", "yes"]}, *([] if words else [{**TOPIC, "labels": ["p", "q"]}])]
    source = Source(str(table("\n".join(lines), tmp_path / "t.csv")), labels=labels, **words)

    with pytest.raises(DataError) as caught:
        prepared(*tasks, source=source)

    assert shown in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        ({"tags": "tags"}, [["p"], ["p", "q"]], r"row 2, column 'tags': \"\['p', 'q'\]\", but \"\['p'\]\" in row 1"),
        ({"tags": "tags"}, [["p"], None], r"row 2, column 'tags': '', but \"\['p'\]\" in row 1"),
        (
            {"tags": LabelColumn(columns=["tags", "text"])},
            ["p", "q"],
            r"row 2, column 'tags, text': \"\['q', 'a'\]\", but \"\['p', 'a'\]\" in row 1",
        ),
    ],
    ids=["lists", "gap", "cells of columns"],
)
def test_lists_of_labels_are_equal_within_an_id(one: dict[str, Any], other: list[Any], problem: str) -> None:
    data = {"id": [1, 1], "text": ["a", "a"], "label": ["yes", "no"], "tags": other}

    with pytest.raises(DataError, match=problem):
        rows(TOXIC, {**TAGS, "labels": ["p", "q"]}, data=data, labels={"toxic": VOTES, **one})


@pytest.mark.parametrize(
    ("one", "other"),
    [([1, 1], [1.0, 1.0]), ({"p": 1, "q": 1}, {"p": 1.0, "q": 1.0}), (["p", "q"], ["p", "q"])],
    ids=["lists", "objects", "names"],
)
def test_lists_of_two_files_are_equal_if_their_numbers_are(one: Any, other: Any, tmp_path: Path) -> None:
    for name, cell in (("a", one), ("b", other)):
        frame = pd.DataFrame({"id": [1], "text": ["a"], "label": ["yes"], "tags": [cell]})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    tasks = [{**TOXIC, "labels": ["no", "yes"]}, {**TAGS, "labels": ["p", "q"]}]

    (found,) = rows(*tasks, data=None, path=str(tmp_path), labels={"toxic": VOTES, "tags": "tags"})

    assert found["tags"] == {"p": 1, "q": 1}


def test_rows_that_differ_may_be_in_two_files(tmp_path: Path) -> None:
    table("id,text,label\n1,a,yes\n", tmp_path / "ann.csv")
    table("id,text,label\n1,b,yes\n", tmp_path / "bob.csv")

    with pytest.raises(DataError) as caught:
        prepared(TOXIC, source=Source(str(tmp_path), labels={"toxic": VOTES}))

    assert str(caught.value).startswith(
        f"{tmp_path / 'bob.csv'}, row 1 (line 2), column 'text': 'b', but 'a' in {tmp_path / 'ann.csv'}, row 1 (line 2)"
    )


def test_columns_that_are_not_read_may_differ() -> None:
    data = TABLE | {"rater": list("abcdef"), "seconds": [1, 2, 3, 4, 5, 6]}

    assert rows(data=data) == rows()


@pytest.mark.parametrize("empty", ["", " "])
def test_a_row_without_an_id_is_an_error_with_its_line(empty: str, tmp_path: Path) -> None:
    message = refusal(LONG.replace("8,b,no", f"\n{empty},b,no"), tmp_path)

    assert message == (
        "t.csv, row 2 (line 4), column 'id': is empty, but `votes` need the id of each row; fill it in, or remove the "
        "row"
    )


def test_a_table_without_the_column_of_the_id_is_an_error_with_its_columns(tmp_path: Path) -> None:
    message = refusal(LONG.replace("id,", "ids,"), tmp_path)

    assert message == "t.csv: no column 'id'; its columns are 'ids', 'text', 'label'; did you mean 'ids'?"


def test_a_table_without_the_column_of_the_votes_is_an_error_with_its_columns(tmp_path: Path) -> None:
    message = refusal(LONG.replace(",label", ",labels"), tmp_path)

    assert message == "t.csv: no column 'label'; its columns are 'id', 'text', 'labels'; did you mean 'labels'?"


def test_two_tasks_with_different_ids_are_an_error() -> None:
    labels = {"toxic": VOTES, "topic": LabelColumn(votes=LongVotes("topic", by="doc"))}

    with pytest.raises(DataError) as caught:
        rows(TOXIC, TOPIC, data=TABLE | {"topic": list("xxyyzz"), "doc": list("112233")}, labels=labels)

    assert str(caught.value) == (
        "the given dict: the votes of task 'toxic' are by 'id', and those of task 'topic' by 'doc'; the rows of a "
        "source are grouped once, so both must name the same column"
    )


def test_a_wrong_vote_is_named_with_its_own_file_and_row(tmp_path: Path) -> None:
    # P148: the row that is kept is another one.
    table("id,text,label\n1,a,yes\n2,b,\n", tmp_path / "ann.csv")
    table("id,text,label\n2,b,yes\n1,a,yess\n", tmp_path / "bob.csv")
    task = {**TOXIC, "labels": ["no", "yes"]}

    with pytest.raises(DataError) as caught:
        prepared(task, source=Source(str(tmp_path), labels={"toxic": VOTES}))

    assert str(caught.value) == (
        f"{tmp_path / 'bob.csv'} has labels that cannot be used (row 1 is the first below the header):\n"
        "  row 2, column 'label, votes by id': 'yess' is not one of 'no', 'yes'; did you mean 'yes'?"
    )


def test_a_broken_list_among_inferred_votes_is_named_with_its_own_row() -> None:
    # P148
    with pytest.raises(DataError, match=r"row 5, column 'label, votes by id': '\[yes' is not a label"):
        rows(data=TABLE | {"label": ["yes", "no", "no", None, "[yes", "yes"]})


def test_rows_of_a_wrong_vote_are_counted_after_the_first_chunk() -> None:
    # P148
    ids = [i // 2 for i in range(2 * CHUNK_ROWS + 10)]
    labels = ["no", "yes"] * (CHUNK_ROWS + 5)
    labels[-3] = "yess"
    data = Dataset.from_dict({"id": ids, "text": list(map(str, ids)), "label": labels})

    with pytest.raises(DataError, match=rf"row {len(ids) - 2}, column 'label, votes by id': 'yess'"):
        rows({**TOXIC, "labels": ["no", "yes"]}, data=data)


def test_streamed_rows_cannot_be_grouped() -> None:
    source = Source(data=TABLE, labels={"toxic": VOTES})

    with pytest.raises(DataError) as caught:
        MultiTaskBuilder(tasks=[{**TOXIC, "labels": ["no", "yes"]}], train=[source], streaming=True)

    assert str(caught.value) == (
        "the given dict: the votes by 'id' need all rows of an id, but streamed rows are read one by one; remove "
        "`streaming`"
    )


def test_validation_rows_are_grouped_while_training_rows_are_streamed() -> None:
    train = Source(data={"text": ["x", "y"], "toxic": ["yes", "no"]})
    task = {**TOXIC, "labels": ["no", "yes"]}

    builder = MultiTaskBuilder(
        tasks=[task], train=[train], validation=[Source(data=TABLE, labels={"toxic": VOTES})], streaming=True
    )
    builder.download_and_prepare()

    assert builder.as_dataset()["validation"]["toxic"][:] == [1, None, None]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (TAGS, "several labels for each row, but votes makes one label; remove it"),
        ({**TOXIC, "problem_type": "regression"}, "has numbers, but votes choose the most frequent label"),
    ],
)
def test_tasks_of_other_kinds_have_no_votes(task: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows(task, labels={task["name"]: VOTES})


RATERS = ["r1", "r2", "r3"]
WORDS = ["no", "yes", "maybe", "1", "1.0", "?", "", None]
RATINGS = st.lists(st.lists(st.sampled_from(WORDS), min_size=len(RATERS), max_size=len(RATERS)), min_size=2, max_size=6)


@settings(max_examples=40)
@given(ratings=RATINGS, how=st.sampled_from(["majority", "distribution"]), draw=st.randoms(use_true_random=False))
def test_a_long_table_is_the_wide_table_with_a_column_for_each_rater(
    ratings: list[list[str | None]], how: str, draw: Any
) -> None:
    ratings = [["no", None, "no"], ["yes", "yes", None], *ratings]  # so that a row has a label, and there are two
    long = [(text, votes[rater]) for text, votes in enumerate(ratings) for rater in range(len(RATERS))]
    draw.shuffle(long)
    order = list(dict.fromkeys(text for text, _ in long))
    wide = {"text": [f"text {text}" for text in order]}
    wide |= {name: [ratings[text][rater] for text in order] for rater, name in enumerate(RATERS)}
    data = {"id": [text for text, _ in long], "text": [f"text {text}" for text, _ in long]}
    words: dict[str, Any] = {"as_": how, "aliases": {"maybe": "no"}, "missing": ["?"]}

    built = [
        prepared(TOPIC, source=Source(data=data, labels={"topic": LabelColumn(**votes, **words)}))
        for data, votes in (
            (wide, {"votes": RATERS}),
            (data | {"label": [vote for _, vote in long]}, {"votes": LongVotes("label", by="id")}),
        )
    ]

    one, other = ((each.tasks, each.notes, each.as_dataset()["train"].to_dict()) for each in built)
    assert one == other
