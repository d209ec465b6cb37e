"""The words for the place of the labels, and the combinations that are refused."""

from typing import Any

import pytest

from datasets_builder import DataError, LabelColumn, Source


def test_a_dict_uses_the_words_of_a_recipe() -> None:
    labels: dict[str, Any] = {"a": {"from": "file_name"}, "b": {"columns": ["x", "y"], "join": "/"}, "c": "z"}

    assert Source("a.csv", labels=labels).label_columns == {
        "a": LabelColumn(from_="file_name"),
        "b": LabelColumn(columns=["x", "y"], join="/"),
        "c": LabelColumn("z"),
    }


def test_a_source_reads_the_columns_of_all_words() -> None:
    labels = {
        "a": LabelColumn(columns={"late": "is_late"}),
        "b": LabelColumn(columns=["x", "y"], join="/"),
        "c": LabelColumn(constant=1),
        "d": LabelColumn(columns="tag_*"),
    }

    source = Source("a.csv", text={"columns": ["title", "body"]}, labels=labels)  # type: ignore[arg-type]

    assert source.read_columns == ["title", "body", "is_late", "x", "y"]


def test_a_constant_is_a_word() -> None:
    assert LabelColumn(constant=1.0).constant == "1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "column: is missing; give a column, or one of columns, constant, from, soft and votes"),
        ({"column": "a", "constant": "web"}, "constant cannot be combined with column; leave one out"),
        ({"constant": "web", "from_": "file_name"}, "from cannot be combined with constant; leave one out"),
        ({"columns": []}, "columns is empty; name the columns"),
        ({"columns": "tags"}, r"columns is 'tags'; a pattern contains \*, such as 'tag_\*'; for one column, use"),
        ({"from_": "path"}, "from is 'path'; it must be file_name or folder_name"),
        ({"column": "a", "join": "/"}, "join needs `columns`, a list of the columns whose cells form one label"),
        ({"columns": ["a"], "join": "/"}, "join needs `columns`"),
        ({"columns": {"a": "b"}, "join": "/"}, "join needs `columns`"),
        ({"columns": ["a", "b"], "separator": ";"}, "separator is only for a single `column`; remove it"),
        ({"column": "a", "separator": ">", "level": 0}, "level is 0; it must be a whole number, at least 1"),
        ({"column": "a", "level": 1}, "level needs one `column`, and the `separator` between its levels"),
        ({"constant": "a", "level": 1}, "level needs one `column`"),
        ({"votes": ["a"]}, r"votes is \['a'\]; it must be a list of at least two columns"),
        ({"votes": ["a", "b", "a"]}, r"the column 'a' is named twice; name each column once"),
        ({"soft": {"x": "p", "y": "p"}}, r"the column 'p' is named twice; name each column once"),
        ({"votes": "annotator"}, r"votes is 'annotator'; it must be a list of at least two columns"),
        ({"votes": ["a"]}, r"or \{column: label, by: id\} for a table with one annotation in each row, or annotators"),
        ({"votes": {"column": "a"}}, "votes.by: is missing"),
        ({"votes": {"by": "a"}}, "votes.column: is missing"),
        (
            {"votes": {"colum": "a", "by": "id"}},
            "votes.colum: no such word; did you mean 'column'\\?; words here: column, by",
        ),
        ({"votes": {"column": "a", "by": "a"}}, "votes.by is 'a', the column of the votes; name the column of the id"),
        (
            {"votes": {"column": ["a", "b"], "by": "id"}},
            r"votes.column is \['a', 'b'\]; it must be the name of a column",
        ),
        ({"votes": {"column": "a", "by": ""}}, "votes.by is ''; it must be the name of a column"),
        ({"column": "a", "votes": {"column": "a", "by": "id"}}, "votes cannot be combined with column; leave one out"),
        ({"votes": "annotators"}, "votes: annotators needs one `column`, a tag or question, without a separator"),
        ({"column": "a", "separator": ";", "votes": "annotators"}, "votes: annotators needs one `column`"),
        ({"column": ["a", "b"], "votes": "annotators"}, "votes: annotators needs one `column`"),
        ({"votes": ["a", "b"], "as_": "mean"}, "as is 'mean'; it must be one of majority, distribution"),
        ({"column": "a", "as_": "majority"}, "as needs `votes`, the columns of the raters"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelColumn(**words)


@pytest.mark.parametrize("columns", [[], "title"])
def test_a_joined_text_needs_a_list_of_columns(columns: Any) -> None:
    with pytest.raises(ValueError, match=r"columns is .*; it must be a list of the columns to join"):
        Source("a.csv", text={"columns": columns})  # type: ignore[arg-type]
