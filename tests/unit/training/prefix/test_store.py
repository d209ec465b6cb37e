"""Cached outputs on disk: only complete segments are stored, damage is noticed, and old entries make room."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from modeling_multitask.training.prefix.store import PrefixStore, make_room

OLD, OWN, NEW, OTHER, READ, WRITTEN = (letter * 32 for letter in "012345")  # as stores are called, by a hash


def store_in(folder: Path, dtype: torch.dtype = torch.float32) -> PrefixStore:
    store = PrefixStore(folder, 3, dtype)
    store.refresh()
    return store


def states(*rows: int) -> list[torch.Tensor]:
    return [torch.randn(count, 3) for count in rows]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_added_is_found_by_another_run(tmp_path: Path, dtype: torch.dtype) -> None:
    given = [each.to(dtype) for each in states(2, 1, 4)]
    store_in(tmp_path, dtype).add(["a", "b", "c"], given)

    found = store_in(tmp_path, dtype)

    assert found.missing(["c", "x", "a"]) == ["x"]
    for key, each in zip("abc", given, strict=True):
        assert torch.equal(found.states(key), each)
        assert found.states(key).dtype == dtype


def test_runs_at_the_same_time_write_beside_each_other(tmp_path: Path) -> None:
    one, other = store_in(tmp_path), store_in(tmp_path)
    mine, theirs = states(2, 3)

    one.add(["a"], [mine])
    other.add(["a", "b"], [mine, theirs])
    one.refresh()

    assert torch.equal(one.states("b"), theirs)
    assert torch.equal(one.states("a"), mine)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no index"])
def test_a_damaged_segment_is_noticed_and_made_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store_in(tmp_path).add(["a"], states(4))
    (numbers,), (index,) = tmp_path.glob("*.states"), tmp_path.glob("*.json")
    content = numbers.read_bytes()
    if damage == "cut":
        numbers.write_bytes(content[:-4])
    elif damage == "changed":
        numbers.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "gone":
        numbers.unlink()
    else:
        index.write_text("{")

    store = store_in(tmp_path)

    assert store.missing(["a"]) == ["a"]
    assert "is damaged" in caplog.text
    assert "its content is computed again" in caplog.text
    assert list(tmp_path.iterdir()) == []
    store.add(["a"], states(4))
    assert store_in(tmp_path).missing(["a"]) == []


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path) -> None:
    def filling() -> Iterator[torch.Tensor]:
        yield torch.zeros(1, 3)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store_in(tmp_path).add(["a", "b"], filling())

    assert list(tmp_path.iterdir()) == []


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    for i, name in enumerate([OLD, OWN, NEW]):
        store_in(tmp_path / name).add(["a"], states(10))  # 120 bytes and an index
        os.utime(tmp_path / name, (i, i))

    make_room(tmp_path, needed=120, limit=600, own=tmp_path / OWN)

    assert {path.name for path in tmp_path.iterdir()} == {OWN, NEW}


def test_the_store_in_use_goes_last_and_who_has_read_it_keeps_what_it_held(tmp_path: Path) -> None:
    given = states(10)
    for name in (OWN, OTHER):
        store_in(tmp_path / name).add(["a"], given)
    os.utime(tmp_path / OWN, (0, 0))
    store = store_in(tmp_path / OWN)

    make_room(tmp_path, needed=120, limit=150, own=tmp_path / OWN)

    assert list(tmp_path.iterdir()) == []
    assert store.missing(["a"]) == []
    assert torch.equal(store.states("a"), given[0])


def test_what_was_read_last_stays(tmp_path: Path) -> None:
    for i, name in enumerate([READ, WRITTEN, OWN]):
        store_in(tmp_path / name).add(["a"], states(10))
        os.utime(tmp_path / name, (i, i))
    store_in(tmp_path / READ)

    make_room(tmp_path, needed=120, limit=600, own=tmp_path / OWN)

    assert {path.name for path in tmp_path.iterdir()} == {OWN, READ}


def test_where_there_is_room_nothing_goes(tmp_path: Path) -> None:
    store_in(tmp_path / OLD).add(["a"], states(10))

    make_room(tmp_path, needed=120, limit=10_000, own=tmp_path / OWN)

    assert (tmp_path / OLD).is_dir()


def test_folders_of_others_stay_and_are_not_counted(tmp_path: Path) -> None:
    # P90
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "texts.parquet").write_bytes(bytes(10_000))
    store_in(tmp_path / OLD).add(["a"], states(10))

    make_room(tmp_path, needed=10, limit=1_000, own=tmp_path / OWN)
    make_room(tmp_path, needed=2_000, limit=1_000, own=tmp_path / OWN)

    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_segment_that_cannot_be_read_now_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(*_given: Any, **_more: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    store_in(tmp_path).add(["a"], states(2))
    monkeypatch.setattr("modeling_multitask.training.prefix.store.np.memmap", too_many)

    with pytest.raises(OSError, match="Too many open files"):
        store_in(tmp_path)

    assert len(list(tmp_path.iterdir())) == 2
