"""Guess which columns of a table hold the texts, the labels and the names of the splits."""

import re
from dataclasses import dataclass

from datasets_builder.guess_cells import Cells
from datasets_builder.guess_labels import LabelGuess, guess_label, guess_numbered, guess_positions
from datasets_builder.guess_sample import Sample
from datasets_builder.guess_votes import with_votes

NAMES_OF_TEXTS = (
    "text", "sentence", "content", "body", "message", "review", "comment", "tweet", "post", "utterance", "query",
    "question", "description", "document", "remark", "summary", "abstract", "title", "headline", "tokens", "words",
)  # fmt: skip
PAIRS = (
    ("text", "text_pair"), ("premise", "hypothesis"), ("premise", "claim"), ("claim", "evidence"),
    ("query", "passage"), ("query", "document"), ("question", "passage"), ("question", "context"),
)  # fmt: skip
WORDS_OF_SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "validation": "validation",
    "valid": "validation", "val": "validation", "dev": "validation", "development": "validation",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnsGuess:
    """The meaning of the columns of a table.

    Args:
        texts: The column of the text, the two columns of a pair, or none.
        labels: The labels, in the order of the columns.
        split: The column that names the split of each row.
        splits: By split, the words of that column.
        left_out: By column, why it is not used.
    """

    texts: list[str]
    labels: list[LabelGuess]
    split: str | None
    splits: dict[str, list[str]]
    left_out: dict[str, str]


def guess_columns(sample: Sample, *, decimal_commas: bool = False) -> ColumnsGuess:
    """Return the meaning of the columns of a table.

    Args:
        sample: The first rows of the table.
        decimal_commas: Whether `4,5` may be a number.
    """
    columns = {name: Cells(name, values, decimal_commas=decimal_commas) for name, values in sample.columns.items()}
    texts = _texts(columns)
    split, splits = _split({name: cells for name, cells in columns.items() if name not in texts})
    others = [cells for name, cells in columns.items() if name not in (*texts, split)]
    groups = [*guess_positions(others), *guess_numbered(others)]
    grouped = {name for group in groups for name in group.columns}
    guesses = {cells.name: guess_label(cells) for cells in others if cells.name not in grouped}
    if len(texts) == 1 and columns[texts[0]].form == "lists":  # of tokens
        of_tokens = [cells.name for cells in others if _have_same_lengths(cells, columns[texts[0]])]
        guesses |= dict.fromkeys(of_tokens, "a label for each token")
    labels = [*groups, *(each for each in guesses.values() if isinstance(each, LabelGuess))]
    labels, of_long_table = with_votes(columns, texts, labels)
    left_out = {name: each for name, each in guesses.items() if isinstance(each, str)} | of_long_table
    left_out |= dict.fromkeys(sample.unnamed, "no name, or a name that occurs twice")
    order = list(columns)
    return ColumnsGuess(texts, sorted(labels, key=lambda each: order.index(each.columns[0])), split, splits, left_out)


def _have_same_lengths(cells: Cells, tokens: Cells) -> bool:
    return cells.lists is not None and list(map(len, cells.lists)) == list(map(len, tokens.lists or []))


def _texts(columns: dict[str, Cells]) -> list[str]:
    """Return the column of the text, or two columns that are clearly a pair."""
    candidates = {name: cells for name, cells in columns.items() if _may_be_text(cells)}
    by_name = {name.casefold(): name for name in candidates}
    for first, second in PAIRS:
        if first in by_name and second in by_name:
            return [by_name[first], by_name[second]]
    for name in candidates:
        found = re.fullmatch(r"(.*?)[_ -]?(1|a|A)", name)
        other = name[:-1] + {"1": "2", "a": "b", "A": "B"}.get(name[-1:], "")
        if found is not None and _rank_of_name(found.group(1)) > 0 and other in candidates:
            return [name, other]
    return [max(candidates, key=lambda name: _text_rank(candidates[name]))] if candidates else []


def _may_be_text(cells: Cells) -> bool:
    if cells.form == "lists":  # of tokens
        return _rank_of_name(cells.name) > 0 and all(isinstance(word, str) for row in cells.lists or [] for word in row)
    return cells.form == "texts" and all(isinstance(value, str) for value in cells.filled)


def _text_rank(cells: Cells) -> tuple[int, float]:
    """Return a number that is larger for columns that are rather the text: by name, then long and varied."""
    is_filled = len(cells.filled) > len(cells.values) / 2
    length = sum(map(len, cells.words)) / len(cells.words)
    return _rank_of_name(cells.name) if is_filled else 0, length * len(cells.counts) / len(cells.words)


def _rank_of_name(name: str) -> int:
    last = name.rsplit(".", 1)[-1].casefold()
    return len(NAMES_OF_TEXTS) - NAMES_OF_TEXTS.index(last) if last in NAMES_OF_TEXTS else 0


def _split(columns: dict[str, Cells]) -> tuple[str | None, dict[str, list[str]]]:
    """Return the column that names the splits, and its words for each of them."""
    for name, cells in columns.items():
        if cells.form != "texts" or not all(word.strip().casefold() in WORDS_OF_SPLITS for word in cells.counts):
            continue
        splits: dict[str, list[str]] = {}
        for split in ("train", "validation", "test"):
            if words := [word for word in cells.counts if WORDS_OF_SPLITS[word.strip().casefold()] == split]:
                splits[split] = words
        if len(splits) > 1 and "train" in splits:
            return name, splits
    return None, {}
