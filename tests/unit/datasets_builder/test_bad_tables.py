"""Bad tables: each gives one error with its location, or is repaired and counted, and never gives a wrong label."""

import datetime
import decimal
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
OPEN = {"name": "topic", "problem_type": "single_label_classification"}
BINARY = {"name": "topic", "problem_type": "binary_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
OPEN_TAGS = {"name": "tags", "problem_type": "multi_label_classification"}
RATING = {"name": "rating", "problem_type": "regression"}
MANY = {**TOPIC, "labels": [f"label_{letter}" for letter in "abcdefghijkl"]}
PLAIN: dict[str, Any] = {}
SEPARATED = {"labels": {"tags": LabelColumn("tags", separator=";")}}
ONE_HOT = {"labels": {"tags": ["long", "loud"]}}
DAY = datetime.date(2020, 1, 2)
GOOD = "text,topic\na,film\nb,food\n"
NOT_UTF_8 = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"a\xff\xfe"))


class Case(NamedTuple):
    """A bad table: a file's name and content, columns of a Parquet file, or an object in memory."""

    id: str
    table: Any
    message: str
    task: dict[str, Any] = TOPIC
    settings: dict[str, Any] = PLAIN


def source_of(case: Case, folder: Path) -> Source:
    if isinstance(case.table, tuple):
        name, content = case.table
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return Source(str(folder / name), **case.settings)
    return Source(data=case.table, **case.settings)


def build(task: dict[str, Any], *train: Any, **settings: Any) -> tuple[dict[str, list[Any]], list[str]]:
    builder = MultiTaskBuilder(tasks=[task], train=list(train), **settings)
    builder.download_and_prepare()
    return builder.as_dataset()["train"].to_dict(), builder.notes


def as_params(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case.id) for case in cases]


def csv(rows: str, name: str = "t.csv") -> tuple[str, str]:
    return name, f"text,topic\n{rows}"


def jsonl(*rows: Any) -> tuple[str, str]:
    return "t.jsonl", "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def parquet(**columns: Any) -> tuple[str, bytes]:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return "t.parquet", sink.getvalue().to_pybytes()


def arrow(**columns: Any) -> tuple[str, bytes]:
    table, sink = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return "t.arrow", sink.getvalue().to_pybytes()


def damaged(file: tuple[str, bytes], start: float, stop: float) -> tuple[str, bytes]:
    """The file with this stretch of it overwritten."""
    name, content = file
    first, last = int(start * len(content)), int(stop * len(content))
    return name, content[:first] + b"\xff" * (last - first) + content[last:]


def typed(column: Any, name: str = "topic") -> tuple[str, bytes]:
    return parquet(**{"text": ["a", "b"], name: column})


def classes(ids: list[int]) -> Dataset:
    features = Features({"text": Value("string"), "topic": ClassLabel(names=["film", "food"])})
    return Dataset(pa.table({"text": [f"t{i}" for i in ids], "topic": ids}).cast(features.arrow_schema))


def class_lists(ids: list[list[int]]) -> Dataset:
    features = Features({"text": Value("string"), "tags": List(ClassLabel(names=["long", "loud"]))})
    return Dataset(pa.table({"text": [f"t{i}" for i in range(len(ids))], "tags": ids}).cast(features.arrow_schema))


LONG_TEXTS = {"text": [f"{i} {'x' * 50}" for i in range(3000)], "topic": ["film", "food", "film"] * 1000}

TEXT_FILES = [
    Case(
        "latin-1",
        ("t.csv", "text,topic\na,film\ncafé,food\n".encode("latin-1")),
        r"t\.csv, line 3, byte 3: not UTF-8 te",
    ),
    Case("utf-16", ("t.csv", GOOD.encode("utf-16")), r"t\.csv, line 1, byte 0: not UTF-8 text \(it is UTF-16\)"),
    Case("utf-16 without its mark", ("t.csv", GOOD.encode("utf-16-le")), r"t\.csv, line 1: a NUL byte; the file is"),
    Case("json lines in utf-16", ("t.jsonl", GOOD.encode("utf-16")), r"t\.jsonl, line 1, byte 0: .* \(it is UTF-16\)"),
    Case(
        "broken bytes far below",
        ("t.csv", b"text,topic\n" + b"a,film\n" * 9000 + b"b\xff,film\n" + b"a,film\n" * 2000),
        r"t\.csv, line 9002, byte 1: not UTF-8 text \(invalid start byte\)",
    ),
    Case("broken bytes, old line ends", ("t.csv", b"text,topic\ra,film\rb\xff,film\r"), r"t\.csv, line 3, byte 1: not"),
    Case("short row", csv("a,film\nb\n"), r"t\.csv, line 3: 1 cells, but the header has 2"),
    Case(
        "long row", csv("a,film\nb,food,c\n"), r"t\.csv, line 3: 3 cells, but .*contains the separator must be quoted"
    ),
    Case("short row of a tsv", ("t.tsv", "text\ttopic\na\n"), r"t\.tsv, line 2: 1 cells, but the header has 2"),
    Case("quote never closed", csv('a,film\n"b,food\nc,film\n'), r"t\.csv, line 3: not CSV \(unexpected end of data\)"),
    Case("text after a quote", csv('a,film\n"b"c,food\n'), r"t\.csv, line 3: not CSV \(',' expected after '\"'\)"),
    Case("quote closed far below", csv('a,film\n"b,food\nc,film\nd",film,x\n'), r"t\.csv, line 3: 3 cells"),
    Case("nul byte", csv("a\0,film\n"), r"t\.csv, line 2: a NUL byte"),
    Case(
        "semicolons",
        ("t.csv", "text;topic\na;film\n"),
        r"t\.csv: no column 'text'; .* by semicolons, but must be separated by co",
    ),
    Case(
        "tabs in a csv",
        ("t.csv", "text\ttopic\na\tfilm\n"),
        r"t\.csv: no column .* by tabs, but must be separated by commas",
    ),
    Case(
        "commas in a tsv", ("t.tsv", GOOD), r"t\.tsv: no column .* separated by commas, but must be separated by tabs"
    ),
    Case(
        "no header",
        ("t.csv", "a,film\nb,food\n"),
        r"t\.csv: no column 'text'; its columns are 'a', 'film'; `multitask data FILE`",
    ),
    Case("header doubled", ("t.csv", "text,topic,topic\na,film,food\n"), r"t\.csv: the header names 'topic' more than"),
    Case("header once more", csv("a,film\ntext,topic\nb,food\n"), r"t\.csv, line 3: the header is repeated", OPEN),
    Case("first line blank", ("t.csv", f"\n{GOOD}"), r"t\.csv: line 1 is blank; the first line must name the columns"),
    Case("columns without names", ("t.csv", ",\na,film\n"), r"t\.csv: line 1 is blank; .* Add `skip_rows: 1` to"),
    Case("column in capitals", ("t.csv", "Text,topic\na,film\n"), r"no column 'text'; .*; did you mean 'Text'\?"),
    Case(
        "space before a column",
        ("t.csv", "text, topic\na,film\n"),
        r"t\.csv: source\.labels is not given, .*'text', ' topic'",
    ),
    Case(
        "not one of two labels",
        csv("a,film\nb,flim\n"),
        r"t\.csv has .*\n  row 2, column 'topic': 'flim' is not one of",
    ),
    Case(
        "not one of many labels",
        csv("a,lable_c\n"),
        r"row 1, .*not one of the task's 12 labels; did you mean 'label_c'",
        MANY,
    ),
    Case("no label in a column", csv("a,\nb,\n"), r"'topic': no training row has a label \(.*t\.csv, 'topic'\)"),
    Case(
        "no label to infer from",
        csv("a,\n"),
        r"'topic', from column 'topic' of .*t\.csv: .* at least 2 labels; given: \[\]",
        OPEN,
    ),
    Case("no rating", ("t.csv", "text,rating\na,\n"), r"'rating': no training row has a label", RATING),
    Case("fractions as classes", csv("a,0.5\nb,2.5\n"), r"numbers with fractions, such as '0.5' \(.*t\.csv\)", OPEN),
    Case("1.5 and 1.50", csv("a,1.5\nb,1.50\nc,x\n"), r"several spellings of one label: '1.5' \(.*t\.csv\) and", OPEN),
    Case("1 and 01", csv("a,1\nb,01\nc,0\n"), "several spellings of one label: '01' .* and '1'", OPEN),
    Case(
        "film and Film",
        csv("a,film\nb,Film\nc,food\n"),
        "several spellings of one label: 'Film' .* and 'film'",
        OPEN,
    ),
    Case(
        "space behind a label",
        csv("a,film\nb,food \nc,food\n"),
        r"several spellings of one label: 'food' \(.*\) and 'food '",
        OPEN,
    ),
    Case(
        "no-break space",
        csv("a,film\nb,food\u00a0\nc,food\n"),
        r"several spellings of one label: 'food' \(.*\) and 'food\\xa0'",
        OPEN,
    ),
    Case(
        "space of no width",
        csv("a,film\nb,food\u200b\nc,food\n"),
        r"several spellings of one label: 'food' .* 'food\\u200b'",
        OPEN,
    ),
    Case(
        "accents written apart",
        csv("a,film\nb,caf\u00e9\nc,cafe\u0301\n"),
        "several spellings of one label: 'cafe\u0301' ",
        OPEN,
    ),
    Case(
        "one class",
        csv("a,film\nb,\n"),
        r"from column 'topic' of .*t\.csv: .*at least 2 labels; given: \['film'\]",
        OPEN,
    ),
    Case("three classes of two", csv("a,x\nb,y\nc,z\n"), r"t\.csv: binary_classification has exactly 2 labels", BINARY),
    Case(
        "beyond the number of labels",
        csv("a,0\nb,2\n"),
        "row 2, .*'2' is not one of 'LABEL_0', ",
        {**OPEN, "num_labels": 2},
    ),
    Case("percent sign", ("t.csv", "text,rating\na,5%\n"), r"row 1, column 'rating': '5%' is not a number", RATING),
    Case(
        "decimal comma", ("t.csv", 'text,rating\na,"1,5"\n'), r"row 1, column 'rating': '1,5' is not a number", RATING
    ),
    Case("thousands apart", ("t.csv", "text,rating\na,1 000\n"), r"row 1, column 'rating': '1 000' is not a", RATING),
    Case(
        "true as a number", ("t.csv", "text,rating\na,1\nb,True\n"), r"row 2, column 'rating': 'True' is not a", RATING
    ),
    Case("infinity", ("t.csv", "text,rating\na,-inf\n"), r"row 1, column 'rating': '-inf' is not a number", RATING),
    Case(
        "too large a number", ("t.csv", "text,rating\na,1e400\n"), r"'1e400' is not a finite number in float32", RATING
    ),
    Case("digits of another script", ("t.csv", "text,rating\na,٣\n"), r"row 1, column 'rating': '٣' is not a", RATING),
    Case("no separator named", ("t.csv", "text,tags\na,long\n"), r"t\.csv, column 'tags': .* or a separator", TAGS),
    Case("other separator", ("t.csv", 'text,tags\na,"long,loud"\n'), "row 1, .*'long,loud' is not", TAGS, SEPARATED),
    Case(
        "unknown part", ("t.csv", "text,tags\na,long;lod\n"), r"'lod' is not .* did you mean 'loud'\?", TAGS, SEPARATED
    ),
    Case(
        "2 for one label of several",
        ("t.csv", "text,long,loud\na,2,0\n"),
        "row 1, column 'long': '2' is neither '0' nor '1'",
        TAGS,
        ONE_HOT,
    ),
    Case(
        "yes for one label of several",
        ("t.csv", "text,long,loud\na,0,yes\n"),
        "column 'loud': 'yes' is neither",
        TAGS,
        ONE_HOT,
    ),
    Case("empty csv", ("t.csv", ""), r"t\.csv: the file is empty"),
    Case("nothing but a mark", ("t.csv", "\ufeff"), r"t\.csv: the file is empty"),
    Case("empty tsv", ("t.tsv", ""), r"t\.tsv: the file is empty"),
    Case("header only", ("t.csv", "text,topic\n"), r"t\.csv: a header, but no rows"),
    Case("header only, labels open", ("t.csv", "text,topic"), r"t\.csv: a header, but no rows", OPEN),
]

JSON_FILES = [
    Case("empty", ("t.jsonl", ""), r"t\.jsonl: no rows"),
    Case("blank", ("t.jsonl", "\n \n"), r"t\.jsonl: no rows"),
    Case(
        "one array",
        ("t.jsonl", '[{"text": "a"}]'),
        r"t\.jsonl, line 1: not a JSON object .*, add `format: json` ",
    ),
    Case("array over lines", ("t.jsonl", '[\n{"text": "a"}\n]'), r"t\.jsonl, line 1: not JSON .*; add `format: json` "),
    Case(
        "rows inside an object",
        jsonl({"data": [{"text": "a", "topic": "film"}]}),
        r"no column 'text'; its columns are 'data'",
    ),
    Case(
        "truncated",
        ("t.jsonl", '{"text": "a", "topic": "film"}\n{"text": "b", "to'),
        r"t\.jsonl, line 2: not JSON \(Untermi",
    ),
    Case(
        "doubled name",
        jsonl('{"text": "a", "topic": "film", "topic": "food"}'),
        r"line 1: 'topic' occurs more than",
    ),
    Case(
        "two kinds of label",
        jsonl({"text": "a", "topic": "film"}, {"text": "b", "topic": 1}),
        r"t\.jsonl, line 2, column 'topic': 1 is a number, but line 1 has a text",
    ),
    Case(
        "true among numbers",
        jsonl({"text": "a", "topic": 1}, {"text": "b", "topic": True}),
        r"line 2, column 'topic': True is true or false, but line 1 has a number",
        OPEN,
    ),
    Case(
        "half a character in a text",
        jsonl({"text": "a", "topic": "film"}, {"text": "\ud800", "topic": "film"}),
        r"line 2, column 'text': a value that a table cannot hold .*surrogates",
    ),
    Case(
        "half a character in a label",
        jsonl({"text": "a", "topic": "\ud800"}),
        r"t\.jsonl, line 1, column 'topic': a value that a table cannot",
    ),
    Case(
        "number beyond 64 bits",
        jsonl({"text": "a", "rating": 1}, {"text": "b", "rating": 2**70}),
        r"t\.jsonl, line 2, column 'rating': a value that a table cannot hold",
        RATING,
    ),
    Case(
        "number of 5000 digits",
        jsonl(f'{{"text": "a", "rating": {"1" * 5000}}}'),
        r"t\.jsonl, line 1: not JSON \(Exceeds the limit",
        RATING,
    ),
    Case(
        "infinity",
        jsonl('{"text": "a", "rating": Infinity}'),
        r"row 1, column 'rating': 'inf' is not a finite number",
        RATING,
    ),
    Case(
        "infinity as a class",
        jsonl('{"text": "a", "topic": -Infinity}', '{"text": "a", "topic": 1}'),
        r"numbers with fractions, such as '-inf'",
        OPEN,
    ),
    Case(
        "object as a label", jsonl({"text": "a", "topic": {"name": "film"}}), r"t\.jsonl, column 'topic': holds struct"
    ),
    Case(
        "list of two as a label",
        jsonl({"text": "a", "topic": ["film", "food"]}),
        r"row 1, column 'topic': \['film', 'food'\] is a list of several labels",
    ),
    Case(
        "list of lists as a label", jsonl({"text": "a", "topic": [["film"]]}), r"t\.jsonl, column 'topic': holds list"
    ),
    Case(
        "object as a text",
        jsonl({"text": {"a": "b"}, "topic": "film"}),
        r"t\.jsonl, column 'text': holds struct<.*not texts",
    ),
    Case(
        "two kinds in a list",
        jsonl({"text": "a", "tags": ["long", 1]}),
        r"line 1, column 'tags': a value that a table cannot hold",
        TAGS,
    ),
    Case(
        "lists of two kinds",
        jsonl({"text": "a", "tags": ["long"]}, {"text": "b", "tags": [1]}),
        r"line 2, column 'tags': a value that a table",
        TAGS,
    ),
    Case("deep nesting", jsonl('{"text": "a", "topic": "film", "x": ' + "[" * 100_000), r"t\.jsonl, line 1: not JSON"),
]

BINARY_FILES = [
    Case("empty parquet", ("t.parquet", b""), r"t\.parquet: not a complete Parquet file \(.*size is 0"),
    Case(
        "a parquet whose column is not named in UTF-8",
        ("t.parquet", parquet(naïve=["a"])[1].replace("naïve".encode(), b"na\x80\x80ve")),
        r"t\.parquet: not a complete Parquet file \(",
    ),
    Case("no parquet", ("t.parquet", b"hello world"), r"t\.parquet: not a complete Parquet file"),
    Case("half a parquet", ("t.parquet", parquet(**LONG_TEXTS)[1][:9000]), r"t\.parquet: not a complete Parquet file"),
    Case(
        "parquet damaged in its middle",
        damaged(parquet(**LONG_TEXTS), 0.3, 0.4),
        r"t\.parquet: (cannot be read|not a complete Parquet file) \([^\n]*\)$",
    ),
    Case(
        "parquet of no rows",
        parquet(text=pa.array([], pa.string()), topic=pa.array([], pa.string())),
        r"t\.parquet: no rows",
    ),
    Case("empty arrow", ("t.arrow", b""), r"t\.arrow: not a complete Arrow file"),
    Case("no arrow", ("t.arrow", b"hello world, hello world"), r"t\.arrow: not a complete Arrow file"),
    Case("half an arrow", ("t.arrow", arrow(**LONG_TEXTS)[1][:9000]), r"t\.arrow: not a complete Arrow file"),
    Case(
        "arrow damaged in a text",
        damaged(arrow(**LONG_TEXTS), 0.50, 0.51),
        r"t\.arrow, row \d+, column 'text': the file is damaged",
    ),
    Case(
        "arrow of no rows", arrow(text=pa.array([], pa.string()), topic=pa.array([], pa.string())), r"t\.arrow: no rows"
    ),
    Case(
        "text not in utf-8",
        parquet(text=NOT_UTF_8, topic=["film", "food"]),
        r"t\.parquet, row 2, column 'text': .* not UTF-8",
    ),
    Case("label not in utf-8", typed(NOT_UTF_8), r"t\.parquet, row 2, column 'topic': .* not UTF-8", OPEN),
    Case(
        "fraction as a class",
        typed([0.5, 1.0]),
        r"row 1, column 'topic': '0.5' is not one of",
        {**OPEN, "labels": ["0", "1"]},
    ),
    Case("fractions, labels open", typed([0.5, 1.0]), r"numbers with fractions, such as '0.5' \(.*t\.parquet\)", OPEN),
    Case("infinity as a class", typed([float("inf"), 1.0]), r"numbers with fractions, such as 'inf'", OPEN),
    Case(
        "day as a label", typed([DAY, DAY]), r"t\.parquet, column 'topic': holds date32\[day\], which cannot be labels"
    ),
    Case("time as a label", typed(pa.array([0, 1], pa.timestamp("s"))), r"column 'topic': holds timestamp"),
    Case("duration as a label", typed(pa.array([0, 1], pa.duration("s"))), r"column 'topic': holds duration"),
    Case("bytes as a label", typed([b"film", b"food"]), r"column 'topic': holds binary, which cannot be labels"),
    Case(
        "struct as a label", typed([{"x": 1}, None]), r"column 'topic': holds struct<x: int64>, which cannot be labels"
    ),
    Case(
        "list of days as a label", typed([[DAY], None]), r"column 'topic': holds date32\[day\], which cannot be labels"
    ),
    Case(
        "map as a label",
        typed(pa.array([[("x", 1)], None], pa.map_(pa.string(), pa.int64()))),
        r"column 'topic': holds map",
    ),
    Case("decimal as a label", typed([decimal.Decimal("1"), None]), r"column 'topic': holds decimal"),
    Case(
        "lists of days", typed([[DAY], []], "tags"), r"column 'tags': holds date32\[day\], which cannot be", OPEN_TAGS
    ),
    Case(
        "lists of lists", typed([[["long"]], []], "tags"), r"column 'tags': holds list<.*>, not lists of labels", TAGS
    ),
    Case(
        "lists of 0 and 1",
        typed([[1, 0], [0, 1]], "tags"),
        r"lists in .*t\.parquet contain only 0 and 1",
        OPEN_TAGS,
    ),
    Case("gap in a list", typed([["long", None], []], "tags"), r"row 1, column 'tags': None is not one of", TAGS),
    Case(
        "nothing in a list",
        typed([["long", ""], ["loud"]], "tags"),
        r"row 1, column 'tags': '' is not one of",
        OPEN_TAGS,
    ),
    Case(
        "struct of unknown labels",
        typed([{"long": 1, "lod": 0}, None], "tags"),
        r"'lod' is not .*; did you mean 'loud'",
        TAGS,
    ),
    Case("2 in a struct", typed([{"long": 2, "loud": 0}, None], "tags"), r"row 1, column 'long': '2' is neither", TAGS),
    Case("lists in a struct", typed([{"long": [1], "loud": [0]}, None], "tags"), r"column 'long': holds list", TAGS),
    Case(
        "truth values as ratings", typed([True, False], "rating"), r"column 'rating': holds bool, not numbers", RATING
    ),
    Case("days as ratings", typed([DAY, DAY], "rating"), r"column 'rating': holds date32\[day\], not numbers", RATING),
    Case(
        "lists of several ratings",
        typed([[1.0], [1.0, 2.0]], "rating"),
        r"row 2, column 'rating': \[1.0, 2.0\] is a list of several labels, but this task has one label for each row",
        RATING,
    ),
    Case(
        "lists of lists as ratings",
        typed([[[1.0]], None], "rating"),
        r"column 'rating': holds list<.*>, which cannot be labels of this task",
        RATING,
    ),
    Case(
        "rating beyond 32 bits",
        typed([1.0, 1e39], "rating"),
        r"row 2, column 'rating': '1e\+39' is not .* finite number",
        RATING,
    ),
    Case(
        "days as texts",
        parquet(text=[DAY, DAY], topic=["film", "food"]),
        r"column 'text': holds date32\[day\], not texts",
    ),
    Case("numbers as texts", parquet(text=[1, 2], topic=["film", "food"]), r"column 'text': holds int64, not texts"),
    Case(
        "numbers of a category as texts",
        parquet(text=pa.array([1, 2]).dictionary_encode(), topic=["film", "food"]),
        r"column 'text': holds int64, not texts",
    ),
    Case(
        "bytes as texts", parquet(text=[b"a", b"b"], topic=["film", "food"]), r"column 'text': holds binary, not texts"
    ),
    Case("no text at all", parquet(text=pa.nulls(2), topic=["film", "food"]), r"t\.parquet: no row has a text"),
]

IN_MEMORY = [
    Case(
        "lists of different length",
        {"text": ["a", "b"], "topic": ["film"]},
        r"given dict: .*different lengths: \{'text': 2, 'topic': 1",
    ),
    Case(
        "a word for a list",
        {"text": "ab", "topic": ["film", "food"]},
        r"the given dict, column 'text': is a str, not a list",
    ),
    Case("a number for a list", {"text": ["a"], "topic": 1}, r"the given dict, column 'topic': is a int, not a list"),
    Case("no columns", {}, r"the given dict: no column 'text'"),
    Case(
        "two kinds of label",
        {"text": ["a", "b"], "topic": ["film", 3]},
        r"the given dict, row 2, column 'topic': cannot be converted to a table",
    ),
    Case(
        "number beyond 64 bits",
        {"text": ["a"], "rating": [2**70]},
        r"the given dict, row 1, column 'rating': cannot",
        RATING,
    ),
    Case(
        "data frame of two kinds",
        pd.DataFrame({"text": ["a", "b"], "topic": ["film", 3]}),
        r"the given DataFrame, row 2, column 'topic': cannot be",
    ),
    Case(
        "data frame of objects",
        pd.DataFrame({"text": ["a"], "topic": [object()]}),
        r"DataFrame, row 1, column 'topic': cannot be",
    ),
    Case(
        "data frame with a column twice",
        pd.DataFrame([["a", "b", "c"]], columns=["text", "topic", "topic"]),
        r"DataFrame: cannot be converted to a table \(Duplicate",
    ),
    Case(
        "data frame without names",
        pd.DataFrame([["a", "film"]]),
        r"DataFrame: no column 'text'; its columns are '0', '1'",
    ),
    Case("data frame of no rows", pd.DataFrame({"text": [], "topic": []}), r"the given DataFrame: no rows"),
    Case(
        "data frame of days",
        pd.DataFrame({"text": ["a"], "topic": [pd.Timestamp("2020")]}),
        r"DataFrame, column 'topic': holds timestamp",
    ),
    Case("another object", 3, r"the given int: it must be a DataFrame or Series of pandas or polars, a datasets.Datas"),
    Case(
        "id of no class",
        classes([0, 5]),
        r"the given Dataset, row 2, column 'topic': 5 is not the id of one of its 2 classes",
        OPEN,
    ),
    Case("id below -1", classes([0, -7]), r"the given Dataset, row 2, column 'topic': -7 is not the id of one", OPEN),
    Case(
        "id of no class in a list",
        class_lists([[0], [1, 2]]),
        r"Dataset, row 2, column 'tags': 2 is not the id of one",
        OPEN_TAGS,
    ),
    Case(
        "-1 in a list", class_lists([[0], [-1]]), r"Dataset, row 2, column 'tags': -1 is not the id of one", OPEN_TAGS
    ),
    Case(
        "alias of no label",
        {"text": ["a"], "topic": ["f"]},
        r"'f' is an alias of 'flim', not of a label; did you mean 'film'",
        TOPIC,
        {"labels": {"topic": LabelColumn("topic", aliases={"f": "flim"})}},
    ),
    Case(
        "labels of no task",
        {"text": ["a"], "topic": ["film"]},
        r"given dict: labels are given for 'topics', which is not a task; did you mean 'topic'",
        TOPIC,
        {"labels": {"topics": "topic"}},
    ),
    Case(
        "unknown setting of labels",
        {"text": ["a"], "topic": ["film"]},
        r"labels.seperator: no such word; did you mean 'separator'",
        TOPIC,
        {"labels": {"topic": {"column": "topic", "seperator": ";"}}},
    ),
    Case(
        "several columns for one label",
        {"text": ["a"], "x": ["film"], "y": ["food"]},
        r"single_label_classification; its labels must be in one column",
        TOPIC,
        {"labels": {"topic": ["x", "y"]}},
    ),
    Case(
        "separator for one label",
        {"text": ["a"], "topic": ["film"]},
        r"a separator is only for multi-label tasks",
        TOPIC,
        {"labels": {"topic": LabelColumn("topic", separator=";")}},
    ),
    Case(
        "one column twice",
        {"text": ["a"], "long": [1]},
        r"task 'tags' has the same column twice",
        TAGS,
        {"labels": {"tags": ["long", "long"]}},
    ),
    Case(
        "column that is no label",
        {"text": ["a"], "lng": [1]},
        r"column 'lng' is not one of the labels of 'tags'",
        TAGS,
        {"labels": {"tags": ["lng"]}},
    ),
    Case(
        "no column of a label",
        {"text": ["a"], "long": [1]},
        r"no column 'loud'; its columns are 'text', 'long'",
        TAGS,
        ONE_HOT,
    ),
    Case(
        "half a one",
        {"text": ["a"], "long": [1.0], "loud": [0.5]},
        r"row 1, column 'loud': '0.5' is neither",
        TAGS,
        ONE_HOT,
    ),
]


@pytest.mark.parametrize("case", as_params(TEXT_FILES))
def test_a_bad_csv_is_one_error_that_says_where(tmp_path: Path, case: Case) -> None:
    with pytest.raises(DataError, match=case.message):
        build(case.task, source_of(case, tmp_path))


@pytest.mark.parametrize("case", as_params(JSON_FILES))
def test_bad_json_lines_are_one_error_that_says_where(tmp_path: Path, case: Case) -> None:
    with pytest.raises(DataError, match=case.message):
        build(case.task, source_of(case, tmp_path))


@pytest.mark.parametrize("case", as_params(BINARY_FILES))
def test_a_bad_parquet_or_arrow_file_is_one_error_that_says_where(tmp_path: Path, case: Case) -> None:
    with pytest.raises(DataError, match=case.message):
        build(case.task, source_of(case, tmp_path))


@pytest.mark.parametrize("case", as_params(IN_MEMORY))
def test_a_bad_table_in_memory_is_one_error_that_says_where(tmp_path: Path, case: Case) -> None:
    with pytest.raises(DataError, match=case.message):
        build(case.task, source_of(case, tmp_path))


@pytest.mark.parametrize("metadata", [b"no json", b'{"info": {"features": {"topic": {"_type": "Label"}}}}'])
def test_what_a_file_says_wrongly_of_its_classes_is_not_passed_over(tmp_path: Path, metadata: bytes) -> None:
    table = pa.table({"text": ["a"], "topic": [0]}).replace_schema_metadata({b"huggingface": metadata})
    pq.write_table(table, tmp_path / "t.parquet")

    with pytest.raises(DataError, match=r"t\.parquet: its column types for datasets are not known"):
        build(TOPIC, str(tmp_path / "t.parquet"))


def write_folder(folder: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return str(folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"readme.md": ""}, r"the folder contains no table; a table ends in one of \.csv, "),
        ({"deeper/a.csv": GOOD}, r"the folder contains no table"),
        ({"a.csv": GOOD, "b.jsonl": "{}"}, r"tables in several formats \(\.csv, \.jsonl\); give each file"),
        ({"a.csv": GOOD, "b.csv": "text,label\nc,film\n"}, r"b\.csv: no column 'topic'"),
        ({"a.csv": GOOD, "b.csv": ""}, r"b\.csv: the file is empty"),
        ({"a.csv": GOOD, "b.csv": "text,topic\nc,flim\n"}, r"b\.csv has .*\n  row 1, column 'topic': 'flim'"),
        ({"a.csv/x.txt": ""}, r"a\.csv: is a folder, not a file"),
    ],
    ids=["no table", "below", "two formats", "other columns", "one empty", "one wrong label", "folder called a.csv"],
)
def test_a_bad_folder_is_one_error_that_says_where(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(TOPIC, write_folder(tmp_path / "folder", files))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(GOOD)
    path.chmod(0)

    with pytest.raises(DataError, match=r"t\.csv: cannot be read \(Permission denied\)"):
        build(TOPIC, str(path))


@pytest.mark.parametrize(
    "file", [("t.csv", GOOD.encode()), parquet(text=["a"], topic=["film"]), arrow(text=["a"], topic=["film"])]
)
def test_a_file_that_is_gone_when_rows_are_read_is_an_error(tmp_path: Path, file: tuple[str, bytes]) -> None:
    path = tmp_path / file[0]
    path.write_bytes(file[1])
    builder = MultiTaskBuilder(tasks=[TOPIC], train=str(path))
    path.unlink()

    with pytest.raises(DataError, match=rf"{path.name}: cannot be read \(.*[Nn]o such file"):
        builder.download_and_prepare()


def test_a_file_that_goes_while_another_is_read_is_an_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", {"a.csv": GOOD, "b.csv": GOOD})
    builder = MultiTaskBuilder(tasks=[TOPIC], train=folder, streaming=True)
    rows = iter(builder.as_streaming_dataset("train"))
    next(rows)
    (tmp_path / "folder" / "b.csv").unlink()

    with pytest.raises(DataError, match=r"b\.csv: cannot be read \(No such file or directory\)"):
        list(rows)


def test_a_file_that_is_cut_off_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,topic\n" + f"{'a' * 100},film\n" * 20_000)
    builder = MultiTaskBuilder(tasks=[TOPIC], train=str(path), streaming=True)
    rows = iter(builder.as_streaming_dataset("train"))
    next(rows)
    os.truncate(path, 1_500_050)

    with pytest.raises(DataError, match=r"t\.csv, line \d+: 1 cells, but the header has 2"):
        list(rows)


@pytest.mark.parametrize("path", ["someone/nothing", "nothing"])
def test_the_id_of_no_data_set_on_the_hub_is_an_error(path: str) -> None:
    with pytest.raises(DataError, match=rf"{path}: not a local file or folder, and it cannot be loaded from the Hub"):
        build(TOPIC, path)


def test_one_of_several_ids_that_is_no_data_set_on_the_hub_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="someone/nothing: not a local file or folder, and it cannot be loaded from the Hub"
    ):
        build(TOPIC, {"text": ["a"], "topic": ["film"]}, "someone/nothing")


def test_a_pair_of_texts_beside_single_ones_is_an_error() -> None:
    pairs = Source(data={"one": ["a"], "other": ["b"], "topic": ["film"]}, text=["one", "other"])

    with pytest.raises(
        DataError, match=r"the given dict \(train\[1\]\) has pairs of texts, but the given dict \(train"
    ):
        build(TOPIC, {"text": ["a"], "topic": ["film"]}, pairs)


def test_classes_in_another_order_are_an_error_where_labels_are_open() -> None:
    other = classes([0]).cast_column("topic", ClassLabel(names=["food", "film"]))

    with pytest.raises(
        DataError, match=r"in the sources; .*train\[0\]\) names 'film', 'food'; .*train\[1\]\) names 'food'"
    ):
        build(OPEN, classes([0]), other)


def test_a_word_that_is_none_of_the_classes_of_another_source_is_an_error() -> None:
    with pytest.raises(
        DataError, match=r"train\[1\]\) has .*\n  row 1, column 'topic': 'phone' is not one of 'film', 'food'"
    ):
        build(OPEN, classes([0, 1]), {"text": ["c"], "topic": ["phone"]})


def test_a_spelling_that_differs_between_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,topic\na,film\nb,food\n")
    (tmp_path / "b.csv").write_text("text,topic\nc,Film\n")

    with pytest.raises(DataError, match=r"'Film' \(.*b\.csv\) and 'film' \(.*a\.csv\); set the task's aliases"):
        build(OPEN, str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))


def test_wrong_labels_of_all_tables_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,topic\na,flim\n")
    (tmp_path / "b.csv").write_text("text,topic\nc,fod\n")

    with pytest.raises(DataError, match=r"(?s)a\.csv has .*'flim'.*b\.csv has .*'fod'"):
        build(TOPIC, str(tmp_path / "a.csv"), test=str(tmp_path / "b.csv"))


def test_labels_that_no_task_can_have_are_one_error_for_all_tasks() -> None:
    table = {"text": ["a"], "topic": ["film"], "other": ["x"]}

    with pytest.raises(DataError, match=r"(?s)task 'topic', from .*\ntask 'other', from "):
        MultiTaskBuilder(tasks=[OPEN, {**BINARY, "name": "other"}], train=[table])


REPAIRED: list[tuple[str, Callable[[], Any], dict[str, list[Any]], list[str]]] = [
    (
        "no text",
        lambda: {"text": ["a", None, "c"], "topic": ["film", "film", "food"]},
        {"text": ["a", "c"], "topic": [0, 1]},
        ["train: 1 rows without a text are left out"],
    ),
    (
        "one of a pair missing",
        lambda: Source(
            data={"one": ["a", None], "other": ["b", "c"], "topic": ["film", "film"]}, text=["one", "other"]
        ),
        {"text": ["a"], "text_pair": ["b"], "topic": [0]},
        ["train: 1 rows without a text are left out"],
    ),
    (
        "repeated rows",
        lambda: {"text": ["a", "a", "b"], "topic": ["film", "film", "food"]},
        {"text": ["a", "a", "b"], "topic": [0, 0, 1]},
        ["train: 1 rows repeat a text of their own source and are kept"],
    ),
    (
        "repeated rows with other labels",
        lambda: {"text": ["a", "a"], "topic": ["film", "food"]},
        {"text": ["a", "a"], "topic": [0, 1]},
        [
            "train: 1 rows repeat a text of their own source and are kept",
            "train: 1 texts are repeated within one source with different labels",
        ],
    ),
]


@pytest.mark.parametrize(
    ("table", "rows", "notes"), [each[1:] for each in REPAIRED], ids=[each[0] for each in REPAIRED]
)
def test_what_is_mended_is_counted(table: Callable[[], Any], rows: dict[str, list[Any]], notes: list[str]) -> None:
    assert build(TOPIC, table()) == (rows, notes)


HARMLESS = [
    ("very long text", csv(f"{'a' * 300_000},film\n"), TOPIC, [0]),
    ("newlines and quotes in a text", csv('"a\n""b"", c",film\n'), TOPIC, [0]),
    ("nul character in json", jsonl('{"text": "a\\u0000b", "topic": "film"}'), TOPIC, [0]),
    ("words for nothing", csv("a,NA\nb,null\nc,nan\n"), {**OPEN, "labels": ["NA", "nan", "null"]}, [0, 2, 1]),
    ("whole numbers with gaps", typed([1.0, None]), {**OPEN, "labels": ["0", "1"]}, [1, None]),
    ("nan", typed([1.0, float("nan")]), {**OPEN, "labels": ["0", "1"]}, [1, None]),
    ("numbers of 16 bits", typed(pa.array([1.0, 0.0], pa.float16())), {**OPEN, "labels": ["0", "1"]}, [1, 0]),
    ("numbers of 64 bits without a sign", typed(pa.array([2**63 + 1, 0], pa.uint64())), OPEN, [1, 0]),
    ("1.0 where labels are whole", csv("a,1.0\n"), {**OPEN, "labels": ["0", "1"]}, [1]),
    ("1.0 and 1", csv("a,1.0\nb,1\nc,0.00\n"), OPEN, [1, 1, 0]),
    ("lists of one as labels", typed([["film"], ["food"]]), TOPIC, [0, 1]),
    ("truth values", typed([True, False]), BINARY, [1, 0]),
    ("a category", typed(pa.array(["food", "film"]).dictionary_encode()), TOPIC, [1, 0]),
    ("long strings", typed(pa.array(["food", "film"], pa.large_string())), TOPIC, [1, 0]),
    ("numbers close together beyond 53 bits", csv(f"a,{2**60}\nb,{2**60 + 1}\n"), OPEN, [0, 1]),
]


@pytest.mark.parametrize(
    ("file", "task", "labels"), [each[1:] for each in HARMLESS], ids=[each[0] for each in HARMLESS]
)
def test_what_looks_odd_and_is_right_is_read(
    tmp_path: Path, file: tuple[str, Any], task: dict[str, Any], labels: list[int | None]
) -> None:
    rows, notes = build(task, source_of(Case("", file, ""), tmp_path))

    without_label = "train: 1 rows without any label are skipped in training"
    assert (rows["topic"], notes) == (labels, [without_label] if None in labels else [])
