"""Files are written completely or not at all."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_multitask import files
from modeling_multitask.files import (
    MARK,
    holds_any,
    whole_file,
    whole_files,
    whole_folder,
    write_csv,
    write_json,
    write_text,
)
from tests.conftest import ROOT


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"

    with whole_file(path) as partial:
        partial.write_text("all of it")
        assert not path.exists()

    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError), whole_file(path) as partial:
        partial.write_text("half \ud800", encoding="utf-8")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_the_user_with_a_similar_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt.partial").write_text("mine")

    write_text(tmp_path / "a.txt", "new")

    assert (tmp_path / "a.txt.partial").read_text() == "mine"


def test_json_is_strict(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [1.5, float("inf")], "c": ("é", None)})

    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [1.5, None], "c": ["é", None]}
    assert text.endswith("}\n")


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a\ud800b")

    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "a?b"


def test_cells_with_line_breaks_are_quoted(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [["a", "b\nc"]])

    assert (tmp_path / "a.csv").read_bytes() == b'a,"b\nc"\r\n'


WRITING = """
import resource, signal, sys
from pathlib import Path
from modeling_multitask.files import whole_file

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python does not heed it
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, 1_500))
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_bytes(bytes(9_999))
"""


def test_a_process_killed_while_it_writes_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    # P84: the system kills it at the byte that goes beyond its limit.
    finished = subprocess.run([sys.executable, "-c", WRITING, tmp_path / "a.bin"], cwd=ROOT, check=False)

    assert finished.returncode == -signal.SIGXFSZ
    (left,) = tmp_path.iterdir()
    assert (left.suffix, left.stat().st_size) == (".partial", 1_500)


def test_a_folder_replaces_another_only_when_it_is_complete(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()

    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "model") as partial:
        shutil.copy(tmp_path / "nowhere", partial)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]

    with whole_folder(tmp_path / "model") as partial:
        (partial / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "new"]


def test_only_incomplete_folders_of_this_package_are_removed(tmp_path: Path) -> None:
    for name in (".model.1234.partial", ".model.mine.partial", "model.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / ".model.1234.partial" / MARK).touch()

    with whole_folder(tmp_path / "model"):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == [".model.mine.partial", "model", "model.partial"]
    assert not list((tmp_path / "model").iterdir())


def test_a_table_for_people_has_no_formula(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [["=cmd|calc", -0.5, "plain"]])

    assert (tmp_path / "a.csv").read_text() == "'=cmd|calc,-0.5,plain\n"


def test_files_of_a_group_appear_together_and_others_stay(tmp_path: Path) -> None:
    for name in ("a.txt", "of_before.txt", "mine.txt"):
        (tmp_path / name).write_text("old")

    with whole_files(tmp_path, stale=["a.txt", "of_before.txt"]) as partial:
        (partial / "a.txt").write_text("new")
        (partial / "b.txt").write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.txt": "new",
        "b.txt": "new",
        "mine.txt": "old",
    }


def test_a_failure_leaves_no_file_of_a_group(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError), whole_files(tmp_path / "new") as partial:
        (partial / "a.txt").write_text("half \ud800", encoding="utf-8")

    assert list((tmp_path / "new").iterdir()) == []


def test_a_group_that_was_interrupted_is_not_complete(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("half of it")
    assert holds_any(tmp_path, ["a.txt", "b.txt"])
    (tmp_path / MARK).touch()
    assert not holds_any(tmp_path, ["a.txt", "b.txt"])

    with whole_files(tmp_path) as partial:
        (partial / "a.txt").write_text("new")

    assert holds_any(tmp_path, ["a.txt"])


REPLACE = """
import itertools, sys
from pathlib import Path
from modeling_multitask.files import whole_folder
print("started", flush=True)
for number in itertools.count():
    with whole_folder(Path(sys.argv[1])) as partial:
        (partial / "a.txt").write_text(str(number))
"""


def test_a_folder_that_is_being_replaced_never_lacks(tmp_path: Path) -> None:
    if not files.exchange(*(_folder(tmp_path / name) for name in ("one", "other"))):
        pytest.skip("this file system cannot exchange two folders")
    with whole_folder(tmp_path / "model") as partial:
        (partial / "a.txt").touch()
    words = [sys.executable, "-c", REPLACE, str(tmp_path / "model")]

    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen = [(tmp_path / "model").is_dir() for _ in range(20_000)]
        writer.kill()

    assert all(seen)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_folders_are_replaced_where_they_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "exchange", lambda *_: False)
    for content in ("one", "two"):
        with whole_folder(tmp_path / "model") as partial:
            (partial / "a.txt").write_text(content)

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "a.txt").read_text() == "two"
