"""The table of pairs in the recipe's `similarity`."""

from pathlib import Path

import pytest

from datasets_builder import DataError
from modeling_multitask.runs.similarity_set import read_similarity_set

PAIRS = "text,text_pair,score\na,b,1\nc,d,2.5\ne,f,4\n"


def write(folder: Path, content: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_pairs_and_scores_are_read_in_order(tmp_path: Path) -> None:
    given = read_similarity_set(write(tmp_path, PAIRS))

    assert given.texts == ["a", "b", "c", "d", "e", "f"]
    assert given.scores is not None
    assert given.scores.tolist() == [1, 2.5, 4]


def test_scores_may_be_left_out(tmp_path: Path) -> None:
    assert read_similarity_set(write(tmp_path, "text,text_pair\na,b\nc,d\ne,f\n")).scores is None


def test_incomplete_pairs_are_left_out(tmp_path: Path) -> None:
    given = read_similarity_set(write(tmp_path, f"{PAIRS}g,,3\nh,i,\n"))

    assert given.texts == ["a", "b", "c", "d", "e", "f"]


def test_single_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.csv: no column 'text_pair'; its columns are 'text', 'text_pairs'"):
        read_similarity_set(write(tmp_path, "text,text_pairs\na,b\n"))


def test_scores_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.csv: the column 'score' does not hold numbers"):
        read_similarity_set(write(tmp_path, "text,text_pair,score\na,b,high\nc,d,low\ne,f,low\n"))


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.csv: 1 pairs are complete; a similarity set needs at least 3"):
        read_similarity_set(write(tmp_path, "text,text_pair\na,b\nc,\n"))
