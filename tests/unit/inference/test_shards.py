"""Tables answered in shards: after any interruption each row is written once and in its place."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerBase

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables
from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import predict
from modeling_multitask.inference.shards import Input, Process, _open, answer_table, count_rows
from modeling_multitask.inference.text_encoder import TextEncoder
from tests.conftest import WORDS

ROWS, IN_SHARD = 23, 5


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets_builder.byte_blocks.BLOCK_BYTES", 100)  # about five rows
    for module in ("text_tables", "arrow_tables"):
        monkeypatch.setattr(f"datasets_builder.{module}.CHUNK_ROWS", IN_SHARD)


@pytest.fixture
def encoder(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> TextEncoder:
    return TextEncoder(model, tokenizer)


def texts() -> list[str]:
    return [f"the {WORDS[i % len(WORDS)]} was {WORDS[(i * 5 + 2) % len(WORDS)]}" for i in range(ROWS)]


def table_of(path: Path, name: str = "texts.parquet") -> Input:
    columns = {"id": list(range(ROWS)), "text": texts()}
    if name.endswith(".csv"):
        (path / name).write_text("id,text\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts())))
    else:
        pq.write_table(pa.table(columns), path / name)
    return Input(open_tables(Source(str(path / name))), ("text",))


class Breaking:
    """An encoder that breaks off after so many shards, and counts them."""

    def __init__(self, encoder: TextEncoder, after: int) -> None:
        self.encoder, self.after, self.done = encoder, after, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def run(self, texts: Sequence[Any], **settings: Any) -> Any:
        """As the encoder's."""
        if self.done == self.after:
            raise KeyboardInterrupt
        self.done += 1
        return self.encoder.run(texts, **settings)


@pytest.mark.parametrize("name", ["texts.parquet", "texts.csv"])
def test_rows_of_many_shards_come_out_once_and_in_order(tmp_path: Path, encoder: TextEncoder, name: str) -> None:
    given = table_of(tmp_path, name)

    count = answer_table(encoder, given, tmp_path / "answers.parquet")

    found = pq.read_table(tmp_path / "answers.parquet")
    expected = predict(encoder.model, texts(), tokenizer=encoder.tokenizer)
    assert (count, count_rows(given)) == (ROWS, (ROWS, 0))
    assert [int(i) for i in found["id"].to_pylist()] == list(range(ROWS))
    assert found["topic"].to_pylist() == [each["topic"]["label"] for each in expected]
    assert {path.name for path in tmp_path.iterdir()} == {name, "answers.parquet"}


def test_a_run_that_broke_off_computes_only_what_is_missing(tmp_path: Path, encoder: TextEncoder) -> None:
    answer_table(encoder, table_of(tmp_path), tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        answer_table(Breaking(encoder, after=2), table_of(tmp_path), tmp_path / "answers.parquet")
    assert not (tmp_path / "answers.parquet").exists()

    again = Breaking(encoder, after=99)
    answer_table(again, table_of(tmp_path), tmp_path / "answers.parquet")

    assert again.done == 3  # of five
    assert pq.read_table(tmp_path / "answers.parquet").equals(pq.read_table(tmp_path / "whole.parquet"))


@pytest.mark.parametrize("change", ["table", "model", "prefix"])
def test_shards_of_another_job_are_not_taken_for_ones_own(
    tmp_path: Path, encoder: TextEncoder, tokenizer: PreTrainedTokenizerBase, change: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        answer_table(Breaking(encoder, after=2), table_of(tmp_path), tmp_path / "answers.parquet")
    given, settings = table_of(tmp_path), {}
    if change == "table":
        pq.write_table(pa.table({"id": [7], "text": ["bad"]}), tmp_path / "texts.parquet")
        given = Input(open_tables(Source(str(tmp_path / "texts.parquet"))), ("text",))
    elif change == "model":
        encoder.model.heads.topic[-1].bias.data += 1
    else:
        settings = {"prefix": "my_"}

    again = Breaking(encoder, after=99)
    answer_table(again, given, tmp_path / "answers.parquet", **settings)

    assert again.done == (1 if change == "table" else 5)


# With seven the last two have nothing to do.
@pytest.mark.parametrize(("processes", "shares"), [(2, [3, 2]), (7, [1, 1, 1, 1, 1, 0, 0])])
def test_processes_share_the_shards(tmp_path: Path, encoder: TextEncoder, processes: int, shares: list[int]) -> None:
    answer_table(encoder, table_of(tmp_path), tmp_path / "whole.parquet")
    output, encoders = tmp_path / "answers.parquet", [Breaking(encoder, after=99) for _ in shares]
    given, meet = [table_of(tmp_path) for _ in shares], threading.Barrier(processes).wait
    threads = [
        threading.Thread(target=answer_table, args=(each, own, output), kwargs={"process": Process(i, processes, meet)})
        for i, (each, own) in enumerate(zip(encoders, given, strict=True))
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert [each.done for each in encoders] == shares
    assert pq.read_table(output).equals(pq.read_table(tmp_path / "whole.parquet"))


def test_rows_without_a_text_have_no_answer_in_any_process_nor_after_an_interruption(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    path, output = tmp_path / "gaps.parquet", tmp_path / "answers.parquet"
    gaps = [None if i % 3 == 0 else " " if i % 3 == 1 else text for i, text in enumerate(texts())]
    pq.write_table(pa.table({"text": gaps}), path)
    given = [Input(open_tables(Source(str(path))), ("text",)) for _ in range(3)]
    with pytest.raises(KeyboardInterrupt):
        answer_table(Breaking(encoder, after=2), given[0], output)
    meet = threading.Barrier(2).wait
    threads = [
        threading.Thread(target=answer_table, args=(encoder, own, output), kwargs={"process": Process(i, 2, meet)})
        for i, own in enumerate(given[1:])
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    found = pq.read_table(output).to_pylist()
    assert count_rows(given[0]) == (ROWS, 16)
    assert [i for i, row in enumerate(found) if row["topic"] is not None] == list(range(2, ROWS, 3))
    assert {value for row in found if row["topic"] is None for name, value in row.items() if name != "text"} == {None}
    assert [row["text"] for row in found] == gaps


def test_a_process_whose_shards_are_there_does_not_look_for_them_again(tmp_path: Path, encoder: TextEncoder) -> None:
    # P82
    with pytest.raises(KeyboardInterrupt):
        answer_table(Breaking(encoder, after=4), table_of(tmp_path), tmp_path / "answers.parquet")
    meetings: list[str] = []

    def meet() -> None:
        meetings.append("met")
        if len(meetings) == 2:  # the first process does the last shard, and puts all together
            shutil.rmtree(tmp_path / "answers.parquet.parts")

    idle = Breaking(encoder, after=99)
    answer_table(idle, table_of(tmp_path), tmp_path / "answers.parquet", process=Process(1, 2, meet))

    assert idle.done == 0


def test_a_column_that_is_empty_in_one_shard_has_the_type_of_the_others(tmp_path: Path, encoder: TextEncoder) -> None:
    notes = [None] * IN_SHARD + ["x"] * IN_SHARD + [None] * 3
    lines = [f'{{"text": "bad", "note": {"null" if note is None else chr(34) + note + chr(34)}}}\n' for note in notes]
    (tmp_path / "texts.jsonl").write_text("".join(lines))

    answer_table(encoder, Input(open_tables(Source(str(tmp_path / "texts.jsonl"))), ("text",)), tmp_path / "a.parquet")

    assert pq.read_table(tmp_path / "a.parquet")["note"].to_pylist() == notes


def test_a_folder_of_tables_is_answered_as_one(tmp_path: Path, encoder: TextEncoder) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    for i in range(2):
        pq.write_table(pa.table({"text": texts()[i::2]}), folder / f"{i}.parquet")

    answer_table(encoder, Input(open_tables(Source(str(folder))), ("text",)), tmp_path / "answers.parquet")

    assert pq.read_table(tmp_path / "answers.parquet")["text"].to_pylist() == [*texts()[::2], *texts()[1::2]]


def test_what_is_wrong_with_the_last_row_is_said_before_the_first_is_answered(tmp_path: Path) -> None:
    given = table_of(tmp_path, "texts.csv")
    with (tmp_path / "texts.csv").open("a") as file:
        file.write("short\n")

    with pytest.raises(DataError, match="line 25: 1 cells, but the header has 2"):
        count_rows(given)


def test_a_column_without_texts_is_refused(tmp_path: Path) -> None:
    table_of(tmp_path)

    with pytest.raises(DataError, match="the column 'id' holds int64, not text"):
        count_rows(Input(open_tables(Source(str(tmp_path / "texts.parquet"))), ("id",)))


def two_tables(folder: Path, first: str, second: str) -> Input:
    (folder / "tables").mkdir()
    for name, content in (("a.jsonl", first), ("b.jsonl", second)):
        (folder / "tables" / name).write_text(content, encoding="utf-8")
    return Input(open_tables(Source(str(folder / "tables"))), ("text",))


def test_columns_in_another_order_come_out_in_that_of_the_first_table(tmp_path: Path, encoder: TextEncoder) -> None:
    given = two_tables(tmp_path, '{"id": 1, "text": "good film"}\n', '{"text": "bad soup", "id": 2}\n')

    answer_table(encoder, given, tmp_path / "answers.parquet", rows=count_rows(given).rows)

    found = pq.read_table(tmp_path / "answers.parquet")
    assert found.column_names[:2] == ["id", "text"]
    assert found["id"].to_pylist() == [1, 2]
    assert found["text"].to_pylist() == ["good film", "bad soup"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ('{"text": "bad soup"}\n', "must have the same columns; the column 'id' is in only one of them"),
        ('{"id": "two", "text": "bad soup"}\n', "a column mixes types of values"),
    ],
)
def test_tables_that_do_not_go_together_are_refused_before_long_work(tmp_path: Path, second: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        count_rows(two_tables(tmp_path, '{"id": 1, "text": "good film"}\n', second))


def test_a_folder_of_the_user_is_not_removed(tmp_path: Path) -> None:
    parts = tmp_path / "answers.parquet.parts"
    parts.mkdir()
    (parts / "precious").touch()

    with pytest.raises(FileExistsError, match="exists and does not hold parts of predictions; move it, or choose"):
        _open(parts, {})
    assert (parts / "precious").exists()
