"""Guess whether a table is long: the rows of a text have the same id, and each of them has one vote.

Shapes: N rows.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from datasets_builder.cell_words import cell_word
from datasets_builder.guess_cells import Cells, is_blank
from datasets_builder.guess_labels import NAMES_OF_RATERS, LabelGuess, is_named_id, labels_in_cells
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES


def with_votes(
    columns: Mapping[str, Cells], texts: Sequence[str], labels: list[LabelGuess]
) -> tuple[list[LabelGuess], dict[str, str]]:
    """Return the labels, with the votes of a long table as such, and by column why others are left out.

    A table is long if it has a column that is named like one of ids, whose ids and whose texts occur together, most of
    them several times, and if the labels of one task differ within an id.

    Args:
        columns: The columns of the table.
        texts: The columns of the text.
        labels: The labels of its columns.
    """
    others = [each for each in labels if not _is_named_rater(each)]
    used = {*texts, *(name for each in labels for name in each.columns)}
    for by in columns.values():
        if by.name in used or not is_named_id(by) or not _occur_together(ids := _values(by), _rows(columns, texts)):
            continue
        voted = [each for each in others if not _are_equal(ids, _rows(columns, each.columns))]
        if len(voted) == 1 and _are_votes(ids, voted[0], columns):
            raters = [each.columns[0] for each in labels if each not in others]
            why = {by.name: "the ids of texts, each with several votes", **dict.fromkeys(raters, "raters, by its name")}
            return [_as_votes(each, by.name) if each is voted[0] else each for each in others], why
    return labels, {}


def _is_named_rater(guess: LabelGuess) -> bool:
    """Return whether a column is named like one that tells who voted."""
    return guess.columns[0].rsplit(".", 1)[-1].casefold() in NAMES_OF_RATERS - {"vote"}


def _occur_together(ids: Sequence[Hashable], texts: Sequence[Hashable]) -> bool:
    """Return whether each id has one text and each text one id, and most ids have several rows."""
    counts = Counter(ids)
    several = sum(count > 1 for count in counts.values())
    return None not in counts and several * 2 > len(counts) and _are_equal(ids, texts) and _are_equal(texts, ids)


def _are_equal(ids: Iterable[Hashable], values: Iterable[Hashable]) -> bool:
    """Return whether all rows of an id have equal values."""
    first: dict[Hashable, Hashable] = {}
    return all(first.setdefault(each, value) == value for each, value in zip(ids, values, strict=True))


def _are_votes(ids: Sequence[Hashable], guess: LabelGuess, columns: Mapping[str, Cells]) -> bool:
    """Return whether the labels are one in each row, and the majorities of all ids are several labels."""
    kind = PROBLEM_TYPES[guess.problem_type]
    if kind.is_number or kind.several_labels or len(guess.columns) > 1:
        return False
    votes: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for each, value in zip(ids, columns[guess.columns[0]].values, strict=True):
        votes[each].update(labels_in_cells(guess, Cells("", [value])))
    most = [counts.most_common(2) for counts in votes.values() if counts]
    return len({first[0] for first, *others in most if not others or others[0][1] < first[1]}) > 1


def _as_votes(guess: LabelGuess, by: str) -> LabelGuess:
    given = {"votes": {"column": guess.columns[0], "by": by}}
    return replace(guess, why=f"{guess.why}, one vote in each row of the same {by}", given=given)


def _rows(columns: Mapping[str, Cells], names: Sequence[str]) -> list[Hashable]:
    return list(zip(*(_values(columns[name]) for name in names), strict=True))


def _values(cells: Cells) -> list[Hashable]:
    """Return (N,) the cells as words, `None` for a blank one."""
    return [None if is_blank(each) else _value(each) for each in cells.values]


def _value(cell: Any) -> str:
    return cell_word(cell) if isinstance(cell, str | int | float | bool) else repr(cell)
