"""The columns of the multi-task table: the labels of each task, and the refused tasks and columns."""

from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from huggingface_hub.errors import StrictDataclassError

from datasets_builder import DataError, LabelColumn, Source
from datasets_builder.features import Chunk, check_columns_of, check_labels_of, encode_cells, table_features
from datasets_builder.findings import Findings
from datasets_builder.sources import OpenSource, open_tables
from datasets_builder.tasks import resolve_tasks
from modeling_multitask import TaskConfig

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
COLUMNS = {"topic": "topic", "sentiment": "sentiment", "tags": ["long", "loud"], "rating": "rating", "grade": "grade"}
OPEN = {"name": "topic", "problem_type": "single_label_classification"}
OPEN_TAGS = {"name": "tags", "problem_type": "multi_label_classification"}


def write(folder: Path, content: str, tasks: list[str], name: str = "reviews.csv") -> OpenSource:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return opened(path=str(path), labels={task: COLUMNS[task] for task in tasks})


def opened(**settings: Any) -> OpenSource:
    source = Source(**settings)
    return OpenSource(source, open_tables(source))


def chunks(source: OpenSource, *tasks: TaskConfig) -> list[Chunk]:
    findings = Findings()
    found = list(encode_cells(source, list(tasks), findings))
    findings.check()
    return found


def classes(names: list[str], column: str = "topic") -> OpenSource:
    """A data set of one row of the first class."""
    features = Features({"text": Value("string"), column: ClassLabel(names=names)})
    data = Dataset.from_dict({"text": ["a"], column: [0]}, features=features)
    return opened(data=data, labels={"topic": column}, called=f"{'-'.join(names)}")


def labels_of(*sources: OpenSource, **settings: Any) -> list[str] | None:
    (task,) = resolve_tasks([{**OPEN, **settings}], list(sources))
    return task.labels


def test_every_problem_type_has_its_kind_of_column() -> None:
    assert dict(table_features([TOPIC, SENTIMENT, TAGS, RATING, GRADE])) == {
        "text": Value("string"),
        "topic": ClassLabel(names=["film", "food", "phone"]),
        "sentiment": ClassLabel(names=["negative", "positive"]),
        "tags": {"long": Value("int8"), "loud": Value("int8")},
        "rating": Value("float32"),
        "grade": ClassLabel(names=["poor", "fair", "fine"]),
    }


def test_labels_that_are_not_given_are_those_that_occur_sorted(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,food\nb,\nc,film\nd,food\n", ["topic"])

    tasks = resolve_tasks([{"name": "topic", "problem_type": "single_label_classification"}], [source])

    assert tasks[0].labels == ["film", "food"]


def test_labels_of_two_sources_are_one_list(tmp_path: Path) -> None:
    # P66: ids are given by name, whatever occurs first in each source.
    sources = [
        write(tmp_path, "text,topic\na,phone\nb,film\n", ["topic"], "one.csv"),
        write(tmp_path, "text,topic\na,food\n", ["topic"], "two.csv"),
    ]

    tasks = resolve_tasks([{"name": "topic", "problem_type": "single_label_classification"}], sources)

    assert tasks[0].labels == ["film", "food", "phone"]


def test_labels_of_a_multi_label_task_are_its_columns_in_the_order_given(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,1,0\n", ["tags"])

    tasks = resolve_tasks([{"name": "tags", "problem_type": "multi_label_classification"}], [source])

    assert tasks[0].labels == ["long", "loud"]


def test_given_labels_keep_their_order(tmp_path: Path) -> None:
    task = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["positive", "negative"]}

    tasks = resolve_tasks([task], [write(tmp_path, "text,sentiment\na,negative\n", ["sentiment"])])

    assert tasks[0].labels == ["positive", "negative"]


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("single_label_classification", "a,film\nb,\n", r"needs at least 2 labels; given: \['film'\]"),
        ("single_label_classification", "a,\n", r"needs at least 2 labels; given: \[\]"),
        ("binary_classification", "a,film\n", r"has exactly 2 labels \(negative first\); given: \['film'\]"),
        (
            "binary_classification",
            "a,x\nb,y\nc,z\n",
            r"has exactly 2 labels \(negative first\); given: \['x', 'y', 'z'\]",
        ),
    ],
    ids=["one class", "no class", "one class of a binary task", "three classes of a binary task"],
)
def test_occurring_labels_that_do_not_fit_are_an_error_with_their_column(
    tmp_path: Path, kind: str, rows: str, message: str
) -> None:
    # P68
    source = write(tmp_path, f"text,topic\n{rows}", ["topic"])

    with pytest.raises(DataError, match=rf"task 'topic', from column 'topic' of .*reviews\.csv: {kind} {message}"):
        resolve_tasks([{"name": "topic", "problem_type": kind}], [source])


def test_ranks_keep_their_order_whatever_occurs_first(tmp_path: Path) -> None:
    task = {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]}

    tasks = resolve_tasks([task], [write(tmp_path, "text,grade\na,fine\nb,fair\n", ["grade"])])

    assert tasks[0].labels == ["poor", "fair", "fine"]


def test_a_number_of_ranks_names_them(tmp_path: Path) -> None:
    task = {"name": "grade", "problem_type": "ordinal_regression", "num_labels": 3}

    tasks = resolve_tasks([task], [write(tmp_path, "text,grade\na,LABEL_2\n", ["grade"])])

    assert tasks[0].labels == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_ranks_that_are_not_given_are_an_error_for_the_alphabet_is_no_order(tmp_path: Path) -> None:
    source = write(tmp_path, "text,grade\na,fine\nb,poor\n", ["grade"])

    with pytest.raises(
        ValueError, match="task 'grade': ordinal_regression needs its labels in order, the lowest first"
    ):
        resolve_tasks([{"name": "grade", "problem_type": "ordinal_regression"}], [source])


def test_a_task_without_a_column_in_any_source_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text\na\n", [])

    with pytest.raises(DataError, match="task 'rating': no source of training rows has a column for it"):
        resolve_tasks([{"name": "rating", "problem_type": "regression"}], [source])


def test_an_unknown_setting_of_a_task_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text,rating\na,1\n", ["rating"])

    with pytest.raises(ValueError, match="task 'rating': wieght: no such word; did you mean 'weight'"):
        resolve_tasks([{"name": "rating", "problem_type": "regression", "wieght": 2.0}], [source])


def test_an_unknown_problem_type_is_an_error_with_the_known_ones(tmp_path: Path) -> None:
    source = write(tmp_path, "text,rating\na,1\n", ["rating"])

    with pytest.raises((ValueError, StrictDataclassError), match="problem_type is 'regresion'; it must be one of"):
        resolve_tasks([{"name": "rating", "problem_type": "regresion"}], [source])


def test_two_tasks_of_one_name_are_an_error(tmp_path: Path) -> None:
    task = {"name": "rating", "problem_type": "regression"}

    with pytest.raises(ValueError, match="task names must differ; given more than once: 'rating'"):
        resolve_tasks([task, task], [write(tmp_path, "text,rating\na,1\n", ["rating"])])


def test_an_unusable_task_name_is_an_error_with_a_free_one() -> None:
    # P17
    source = opened(data={"text": ["a"], "rating": [1]}, labels={"type": "rating"})

    with pytest.raises((ValueError, StrictDataclassError), match=r"'type' cannot name a task .* try 'type_'"):
        resolve_tasks([{"name": "type", "problem_type": "regression"}], [source])


def test_every_task_that_cannot_be_is_in_one_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\n", ["topic"])

    with pytest.raises(DataError, match=r"(?s)task 'topic', from .*\ntask 'rating': no source of training rows"):
        resolve_tasks([OPEN, {"name": "rating", "problem_type": "regression"}], [source])


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    assert labels_of(write(tmp_path, "text,topic\na,10\nb,9\nc,-1\n", ["topic"])) == ["-1", "9", "10"]


def test_labels_of_several_columns_keep_their_order(tmp_path: Path) -> None:
    names = [f"tag{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6)]
    source = opened(data={"text": ["a"], **{name: [1] for name in names}}, labels={"tags": names})

    assert resolve_tasks([OPEN_TAGS], [source])[0].labels == names


def test_labels_in_lists_are_sorted() -> None:
    source = opened(data={"text": ["a", "b"], "tags": [["loud", "long"], []]}, labels={"tags": "tags"})

    assert resolve_tasks([OPEN_TAGS], [source])[0].labels == ["long", "loud"]


def test_the_names_of_classes_are_the_labels_in_their_order_whether_they_occur_or_not() -> None:
    assert labels_of(classes(["phone", "food", "film"])) == ["phone", "food", "film"]


def test_the_names_of_classes_are_the_labels_of_sources_without_names_too(tmp_path: Path) -> None:
    other = write(tmp_path, "text,topic\na,film\n", ["topic"])

    assert labels_of(other, classes(["phone", "film"])) == ["phone", "film"]


def test_labels_that_are_given_go_before_the_names_of_classes() -> None:
    assert labels_of(classes(["food", "film"]), labels=["film", "food"]) == ["film", "food"]


def test_the_names_of_classes_in_lists_are_the_labels() -> None:
    features = Features({"text": Value("string"), "tags": List(ClassLabel(names=["loud", "long"]))})
    data = Dataset.from_dict({"text": ["a"], "tags": [[0]]}, features=features)

    assert resolve_tasks([OPEN_TAGS], [opened(data=data, labels={"tags": "tags"})])[0].labels == ["loud", "long"]


def test_classes_that_are_aliases_of_one_label_are_one() -> None:
    source = classes(["film", "movie", "food"])
    column = LabelColumn("topic", aliases={"movie": "film"})

    assert labels_of(OpenSource(Source(data={}, labels={"topic": column}), source.tables)) == ["film", "food"]


@pytest.mark.parametrize("names", [["food", "film"], ["film", "food", "phone"], ["Film", "food"]])
def test_sources_that_name_their_classes_differently_are_an_error_with_both_lists(names: list[str]) -> None:
    with pytest.raises(
        DataError, match=r"different names in the sources; list them in the task \(film-food names 'film', 'food'; "
    ):
        labels_of(classes(["film", "food"]), classes(names))


def test_a_multi_label_column_that_is_none_of_the_labels_is_an_error() -> None:
    with pytest.raises(DataError, match=r"column 'is_long' is not one of the labels of 'tags': \['long', 'loud'\]"):
        check_labels_of(Source("reviews.csv", labels={"tags": ["is_long", "is_loud"]}), [TAGS])


def test_labels_for_what_is_not_a_task_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: labels are given for 'topic', which is not a task"):
        check_columns_of(write(tmp_path, "text,topic\na,film\n", ["topic"]), ["rating"])


def test_a_source_without_a_column_of_any_task_is_an_error_with_its_columns(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topics\na,film\n", [])

    with pytest.raises(DataError, match=r"no column has the name of a task; its columns are 'text', 'topics'"):
        check_columns_of(source, ["topic"])


def test_a_task_that_a_source_lacks_is_null_throughout(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\nb,food\n", ["topic"])

    (chunk,) = chunks(source, TOPIC, SENTIMENT, TAGS, RATING)

    assert chunk.rows.drop_columns("text").to_pydict() == {
        "topic": [0, 1],
        "sentiment": [None] * 2,
        "tags": [None] * 2,
        "rating": [None] * 2,
    }


def test_rows_without_a_text_are_dropped_and_counted_and_the_others_keep_their_numbers() -> None:
    # P68
    data = {"text": ["a", None, "", " \n", "b"], "topic": ["film"] * 4 + ["phone"], "user": [1, 2, 3, 4, None]}

    (chunk,) = chunks(opened(data=data, labels={"topic": "topic"}, group="user"), TOPIC)

    assert (chunk.rows.to_pydict(), chunk.numbers.tolist(), chunk.dropped) == (
        {"text": ["a", "b"], "topic": [0, 2]},
        [1, 5],
        {"rows without a text are left out": 3},
    )


def test_texts_that_mark_a_missing_text_are_dropped_and_counted_by_themselves() -> None:
    data = {"text": ["n/a", "n/a today", " 0 ", ""], "topic": ["film"] * 4}

    (chunk,) = chunks(opened(data=data, labels={"topic": "topic"}, missing_text=["n/a", 0]), TOPIC)

    assert (chunk.rows["text"].to_pylist(), sorted(chunk.dropped.values())) == (["n/a today"], [1, 2])


@pytest.mark.parametrize(
    ("name", "words", "added"),
    [
        ("text_pair", "the second text", {"with_pair": True}),
        ("weight", "the weight of each row", {"with_weight": True}),
        ("table", "the table of each row", {"tables": ["a.csv"]}),
        ("line", "the line of each row", {"tables": ["a.csv"]}),
    ],
)
def test_a_task_with_the_name_of_another_column_is_an_error(name: str, words: str, added: dict[str, Any]) -> None:
    task = TaskConfig(name, "regression")

    assert list(table_features([task])) == ["text", name]
    with pytest.raises(DataError, match=f"a task is called '{name}', which is the column of {words}; rename it"):
        table_features([task], **added)


def test_pairs_of_texts_are_two_columns() -> None:
    source = opened(data={"one": ["a"], "other": ["b"], "topic": ["film"]}, text=["one", "other"])

    (chunk,) = chunks(source, TOPIC)

    assert chunk.rows.drop_columns("topic").to_pydict() == {"text": ["a"], "text_pair": ["b"]}


def test_rows_are_numbered_in_each_table_of_a_folder(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("text,topic\nx,film\ny,food\n")

    found = chunks(opened(path=str(tmp_path), labels={"topic": "topic"}), TOPIC)

    assert [(Path(chunk.table).name, chunk.numbers.tolist()) for chunk in found] == [
        ("a.csv", [1, 2]),
        ("b.csv", [1, 2]),
    ]


def test_the_row_of_a_wrong_label_is_right_beyond_the_first_10000_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\n" + "a,film\n" * 10_004 + "b,flim\n", ["topic"])

    with pytest.raises(DataError, match="row 10005, column 'topic': 'flim'"):
        chunks(source, TOPIC)
