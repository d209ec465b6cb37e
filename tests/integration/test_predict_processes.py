"""Answers to large tables: with two processes, or after a killed one, each row is written once and in its place."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import BertTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.inference.saving import save_folder
from tests import launched
from tests.conftest import WORDS, tasks_of_each_type, tiny_bert_config
from tests.launched import kill_all

pytestmark = pytest.mark.slow

TABLES, ROWS = 12, 400  # a shard for each table
SCORES = ["topic_score", "sentiment_score", "rating", "grade_score"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """Holds a model, tables of texts, some of which come again, and `whole.parquet`, the answers of one process."""
    folder = tmp_path_factory.mktemp("predict")
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)
    save_folder(MultiTaskModel(config), BertTokenizer.from_pretrained(backbone), folder / "model")
    (folder / "tables").mkdir()
    chosen = random.Random(0)
    for i in range(TABLES):
        texts: list[str | None] = [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 9))) for _ in range(ROWS)]
        texts[i] = None  # a row without a text in each table
        ids = list(range(i * ROWS, (i + 1) * ROWS))
        pq.write_table(pa.table({"id": ids, "text": texts}), folder / "tables" / f"{i:02d}.parquet")
    finish(folder, "tables", "whole.parquet")
    return folder


def start(folder: Path, given: str, output: str, *, processes: int = 1) -> subprocess.Popen[str]:
    words = ("-m", "scripts.predict", "model", given, output)
    return launched.start(*words, folder=folder, processes=processes, HF_HOME=str(folder / "hf"))


def finish(folder: Path, given: str, output: str, *, processes: int = 1) -> str:
    return launched.finish("-m", "scripts.predict", "model", given, output, folder=folder, processes=processes)


def check_the_same(one: Path, other: Path) -> None:
    found, expected = pq.read_table(one), pq.read_table(other)
    assert found["id"].to_pylist() == list(range(len(expected)))
    assert found.drop(SCORES).drop(["tags_score"]).equals(expected.drop(SCORES).drop(["tags_score"]))
    for name in SCORES:
        assert found[name].to_pylist() == pytest.approx(expected[name].to_pylist(), abs=1e-6)


def test_two_processes_answer_each_row_once_and_in_order(folder: Path) -> None:
    # P83
    said = finish(folder, "tables", "two.parquet", processes=2)

    check_the_same(folder / "two.parquet", folder / "whole.parquet")
    assert said.count(f"Wrote predictions for {TABLES * ROWS} rows to two.parquet") == 1
    assert said.count(f"Rows without a text, which have empty answers: {TABLES}") == 1
    assert not (folder / "two.parquet.parts").exists()


@pytest.mark.parametrize(("processes", "kills"), [(1, 3), (2, 1)])
def test_a_run_that_is_killed_goes_on_with_what_is_missing(folder: Path, processes: int, kills: int) -> None:
    output, moments = folder / f"killed{processes}.parquet", random.Random(processes)
    parts, before = folder / f"{output.name}.parts", {}
    for kill in range(kills):
        process = start(folder, "tables", output.name, processes=processes)
        while process.poll() is None and len(list(parts.glob("*.parquet"))) <= 3 * kill:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        kill_all(process)
        assert process.returncode == -signal.SIGKILL
        after = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
        assert before.items() <= after.items()  # none was written again
        before = after

    said = finish(folder, "tables", output.name, processes=processes)

    assert f"{parts.name} holds {len(before)} shards of this job; only the missing ones are computed" in said
    check_the_same(output, folder / "whole.parquet")
    assert not parts.exists()
