"""Two runs never write to the same output."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modeling_multitask.locks import locked
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from modeling_multitask.locks import locked
with locked(Path(sys.argv[1]), inside=sys.argv[2] == "inside"):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def hold(output: Path, *, inside: bool = False) -> Iterator[int]:
    """Yield the id of a process that holds the lock of an output, and kill it."""
    words = [sys.executable, "-c", HOLD, str(output), "inside" if inside else "next"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("given", ["s3://bucket/out", "GS://bucket/out", "https://host/out.csv", "file:///tmp/out"])
def test_an_output_cannot_be_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    # It would be written to a local folder whose name is the protocol.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="an output cannot be an address; write to a local path"), locked(Path(given)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", [False, True])
def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path, inside: bool) -> None:
    with (
        hold(tmp_path / "out", inside=inside) as holder,
        pytest.raises(BlockingIOError, match=rf"out is in use by process {holder} on host .*, for less than a minute"),
        locked(tmp_path / "out", inside=inside),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with hold(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {".out.lock", ".out.owner"}

    with locked(tmp_path / "out"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_nothing(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "answers.csv"), locked(tmp_path / "run", inside=True):
        (tmp_path / "run" / "results.json").touch()

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["results.json", "run"]


def test_one_process_cannot_take_a_lock_twice(tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(BlockingIOError, match="in use"), locked(tmp_path / "out"):
        pass


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(NotADirectoryError, match="out is a file"), locked(tmp_path / "out", inside=True):
        pass
