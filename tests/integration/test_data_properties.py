"""Random tables are built, pushed, loaded and collated without changes to any label or missing label.

The expected values are computed in plain Python from the labels of the tables.
"""

import csv
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict, load_dataset
from huggingface_hub import HfApi
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from transformers import BertTokenizer

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.look import look_at
from modeling_multitask import MultiTaskCollator, MultiTaskConfig
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.publishing.dataset import push_dataset, write_repository
from tests.conftest import tiny_bert_config
from tests.hub_server import HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures

LABELS = ["film", "food", "1", "true", "a b", "|", "é", "N/A"]
CLASSES = ("single_label_classification", "binary_classification", "ordinal_regression")
FORMATS = ("csv", "jsonl", "parquet", "dict")
MISSING = "nothing"
NO_NUMBER = -1e6  # replaces NaN, which is not equal to itself


@dataclass
class Table:
    """A table as it is written, and how it is to be read."""

    format: str
    columns: dict[str, list[Any]]
    labels: dict[str, LabelColumn] = field(default_factory=dict)


@dataclass
class Case:
    """Tables, and which labels they show for each text.

    Args:
        tasks: As the builder takes them.
        tables: In order.
        shown: By text and task, the label: a name, a number, or a dict of 0 and 1 by label.
        share: Of the rows that is held out.
    """

    tasks: list[dict[str, Any]]
    tables: list[Table]
    shown: dict[str, dict[str, Any]]
    share: float | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One to three tables of up to twelve texts, some in several; labels that two of them show are the same."""
    tasks = [draw(tasks_called(f"task{i}")) for i in range(draw(st.integers(1, 4)))]
    texts = [f"text {i}" for i in range(draw(st.integers(4, 12)))]
    truth = {text: {task["name"]: draw(truths(task)) for task in tasks} for text in texts}
    count = draw(st.integers(1, 3))
    brought = [[draw(st.booleans()) for _ in tasks] for _ in range(count)]
    brought[0] = [True] * len(tasks)  # a task must be in some table
    shown: dict[str, dict[str, Any]] = {}
    tables = []
    for i in range(count):
        here = texts if i == 0 else draw(st.lists(st.sampled_from(texts), min_size=1, unique=True))
        mine = [task for task, there in zip(tasks, brought[i], strict=True) if there] or tasks[:1]
        tables.append(draw(tables_of(draw(st.permutations(here)), mine, truth, shown)))
    assume(all(any(is_label(row.get(task["name"])) for row in shown.values()) for task in tasks))  # else refused
    return Case(tasks, draw(st.permutations(tables)), shown, draw(st.sampled_from([None, 0.5])))


@st.composite
def tasks_called(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from([*CLASSES, "multi_label_classification", "regression"]))
    if kind == "regression":
        return {"name": name, "problem_type": kind}
    most = 2 if kind == "binary_classification" else 4
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=2, max_size=most, unique=True))
    if kind == "multi_label_classification":  # its labels may be columns, so that no two tasks share one
        labels = [f"{label} of {name}" for label in labels]
    return {"name": name, "problem_type": kind, "labels": labels}


def truths(task: dict[str, Any]) -> st.SearchStrategy[Any]:
    if task["problem_type"] == "regression":
        return st.integers(0, 20).map(lambda quarters: quarters / 4)  # what float32 and decimal words hold exactly
    if task["problem_type"] in CLASSES:
        return st.sampled_from(task["labels"])
    return st.fixed_dictionaries({label: st.integers(0, 1) for label in task["labels"]})


@st.composite
def tables_of(
    draw: st.DrawFn, texts: list[str], tasks: list[dict[str, Any]], truth: dict[str, Any], shown: dict[str, Any]
) -> Table:
    """A table of these texts that shows some of their labels, which are noted in `shown`."""
    table = Table(draw(st.sampled_from(FORMATS)), {"text": list(texts), "other": list(range(len(texts)))})
    for task in tasks:
        labels = [truth[text][task["name"]] if draw(st.integers(0, 2)) else None for text in texts]
        column = {"regression": numbers, "multi_label_classification": sets}.get(task["problem_type"], classes)
        kept = draw(column(table, task, labels))
        for text, label in zip(texts, kept, strict=True):
            note(shown.setdefault(text, {}), task["name"], label)
    order = draw(st.permutations(list(table.columns)))
    table.columns = {name: table.columns[name] for name in order}
    return table


def is_label(shown: Any) -> bool:
    return any(each is not None for each in shown.values()) if isinstance(shown, dict) else shown is not None


def note(shown: dict[str, Any], task: str, label: Any) -> None:
    if isinstance(label, dict):
        positions = shown.get(task) or {}
        shown[task] = {name: label[name] if label[name] is not None else positions.get(name) for name in label}
    elif shown.get(task) is None:
        shown[task] = label


@st.composite
def classes(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[str | None]) -> list[str | None]:
    """A column of names, other names, ids, ids as floating point, or truth values."""
    names = task["labels"]
    ways: list[Any] = [str, "{}!".format, names.index, lambda name: float(names.index(name))]
    if len(names) == 2:
        ways.append(lambda name: bool(names.index(name)))
    way = draw(st.sampled_from(ways))
    written = way is not str and any(label is not None for label in labels)  # aliases that never occur are an error
    aliases = {as_word(way(name), table.format): name for name in names} if written else {}
    gap = draw(gaps(type(way(names[0])), table.format))
    write(table, task["name"], [gap if label is None else way(label) for label in labels], gap, aliases=aliases)
    return labels


@st.composite
def numbers(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[float | None]) -> list[float | None]:
    """A column of numbers, or of numbers as words."""
    kind = draw(st.sampled_from([float, str]))
    gap = draw(gaps(kind, table.format))
    write(table, task["name"], [gap if label is None else kind(label) for label in labels], gap)
    return labels


@st.composite
def sets(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[dict | None]) -> list[dict | None]:
    """A column of lists, of joined names or of structs, or a column for each label; the last two have gaps within."""
    ways = [one_column_each, joined] if table.format == "csv" else [one_column_each, joined, lists, structs]
    return draw(draw(st.sampled_from(ways))(table, task, labels))


@st.composite
def lists(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[dict | None]) -> list[dict | None]:
    write(table, task["name"], [label and draw(st.permutations(names_in(label))) for label in labels])
    return labels


@st.composite
def joined(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[dict | None]) -> list[dict | None]:
    kept = [label if label and names_in(label) else None for label in labels]  # an empty cell is a gap, not a set
    mark = draw(st.sampled_from([";", " ; ", "\t"]))
    write(table, task["name"], [label and mark.join(names_in(label)) for label in kept], separator=mark.strip(" "))
    return kept


@st.composite
def structs(draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[dict | None]) -> list[dict | None]:
    kept = [label and draw(with_holes(label)) for label in labels]
    write(table, task["name"], kept)
    return kept


@st.composite
def one_column_each(
    draw: st.DrawFn, table: Table, task: dict[str, Any], labels: list[dict | None]
) -> list[dict | None]:
    kept = [label and draw(with_holes(label)) for label in labels]
    kinds = [(int, None), (bool, None), (int, -1), (str, MISSING), *([(float, None)] if table.format != "csv" else [])]
    kind, gap = draw(st.sampled_from(kinds))
    for name in task["labels"]:
        cells = [label and label[name] for label in kept]
        table.columns[name] = [gap if cell is None else kind(cell) for cell in cells]
    table.labels[task["name"]] = LabelColumn(task["labels"], missing=[gap] if gap else [])
    return kept


def with_holes(label: dict[str, int]) -> st.SearchStrategy[dict[str, int | None]]:
    return st.fixed_dictionaries({name: st.sampled_from([each, each, None]) for name, each in label.items()})


def gaps(kind: type, format_: str) -> st.SearchStrategy[Any]:
    """Return the values that may mark a missing label in a column of this type."""
    more = {str: ["", MISSING], int: [-1], float: [-1.0]}.get(kind, [])
    return st.sampled_from([None, *more, *([math.nan] if kind is float and format_ in ("parquet", "dict") else [])])


def write(table: Table, task: str, cells: list[Any], gap: Any = None, **how: Any) -> None:
    """Add a column and its settings for reading."""
    said = [] if gap in (None, "") or gap != gap else [as_word(gap, table.format)]
    table.columns[f"{task} here"] = cells
    table.labels[task] = LabelColumn(f"{task} here", missing=said, **how)


def as_word(cell: Any, format_: str) -> str:
    """The cell as a recipe would say it: a CSV file holds what Python prints, the others hold values."""
    if format_ == "csv" or isinstance(cell, str):
        return str(cell)
    return str(cell).lower() if isinstance(cell, bool) else str(int(cell))


def names_in(label: dict[str, int]) -> list[str]:
    return [name for name, there in label.items() if there]


def source_of(table: Table, path: Path) -> Source:
    """The table, written in its format."""
    rows = [dict(zip(table.columns, cells, strict=True)) for cells in zip(*table.columns.values(), strict=True)]
    if table.format == "dict":
        return Source(data=table.columns, labels=table.labels)
    if table.format == "parquet":
        pq.write_table(pa.table(table.columns), path)
    elif table.format == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(table.columns))
            writer.writeheader()
            writer.writerows(rows)
    return Source(str(path), labels=table.labels)


def write_data(case: Case, folder: Path) -> Path:
    """Build the tables and write the files of a push."""
    sources = [source_of(table, folder / f"{i}.{table.format}") for i, table in enumerate(case.tables)]
    settings: dict[str, Any] = {"tasks": case.tasks, "train": sources, "cache_dir": folder / "built"}
    builder = MultiTaskBuilder(**settings, split=case.share and {"test": case.share, "seed": 0})
    try:
        builder.download_and_prepare()
    except DataError as error:
        if "contain the only rows of a label" not in str(error):
            raise
        builder = MultiTaskBuilder(**settings)
        builder.download_and_prepare()
    (folder / "repo").mkdir()
    look = look_at(dict(builder.as_dataset()), builder.tasks)
    write_repository(folder / "repo", "tester/tables", builder, look, CardSettings())
    return folder / "repo"


def assert_every_label_is_where_it_was(case: Case, loaded: DatasetDict, tokenizer: BertTokenizer) -> None:
    rows = [row for split in loaded.values() for row in split]
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=case.tasks, max_length=16)

    collated = MultiTaskCollator(tokenizer, config)(rows)["labels"]

    assert sorted(row["text"] for row in rows) == sorted(case.shown)
    for task in case.tasks:
        expected = [expected_label(case.shown[row["text"]].get(task["name"]), task) for row in rows]
        assert collated[task["name"]].nan_to_num(nan=NO_NUMBER).tolist() == expected


def expected_label(shown: Any, task: dict[str, Any]) -> Any:
    """As it is in a batch; NO_NUMBER where that has NaN."""
    if task["problem_type"] == "regression":
        return NO_NUMBER if shown is None else shown
    if task["problem_type"] in CLASSES:
        return -100 if shown is None else task["labels"].index(shown)
    positions = [(shown or {}).get(label) for label in task["labels"]]
    return [-100 if position is None else position for position in positions]


@pytest.fixture(scope="module")
def words(backbone: Path) -> BertTokenizer:
    return BertTokenizer.from_pretrained(backbone)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def check(case: Case, tokenizer: BertTokenizer) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_data(case, Path(name))
        assert_every_label_is_where_it_was(case, load_dataset(str(folder), cache_dir=f"{name}/loaded"), tokenizer)


patient = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.compat
@settings(patient, max_examples=40)
@given(case=cases())
def test_every_label_survives_build_push_load_and_collate(case: Case, words: BertTokenizer) -> None:
    check(case, words)


@pytest.mark.slow
@settings(patient, max_examples=300)
@given(case=cases())
def test_every_label_survives_build_push_load_and_collate_in_many_tables(case: Case, words: BertTokenizer) -> None:
    check(case, words)


@pytest.mark.usefixtures("hub_api")
@settings(patient, max_examples=4, phases=[Phase.generate])
@given(case=cases())
def test_every_label_survives_the_way_through_the_hub(case: Case, words: BertTokenizer, hub: HubServer) -> None:
    repo_id = f"tester/tables-{len(hub.requests)}"
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        patch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)  # it counts at Amazon
        api = HfApi(endpoint=hub.url, token=hub.token)
        push_dataset(api, write_data(case, Path(name)), Target(repo_id, "dataset"))

        loaded = load_dataset(repo_id, cache_dir=f"{name}/loaded", token=hub.token)

    assert_every_label_is_where_it_was(case, loaded, words)
