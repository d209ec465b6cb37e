"""Guess whether a column, or a group of columns, holds labels, and of which problem type."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets_builder.cell_words import cell_word, has_edges
from datasets_builder.guess_cells import Cells, are_few, is_blank
from datasets_builder.label_positions import POSITIONS
from datasets_builder.tasks import folded
from modeling_multitask.problem_types_multitask import ProblemTypeName

# The problem types that are guessed, by the form of the answer.
GUESSED: dict[str, ProblemTypeName] = {
    "label of two": "binary_classification",
    "label": "single_label_classification",
    "labels": "multi_label_classification",
    "number": "regression",
}
NAMES_OF_LABELS = frozenset(
    {
        "label", "labels", "class", "classes", "category", "categories", "topic", "topics", "intent", "sentiment",
        "emotion", "target", "tag", "tags", "mood", "team", "y", "gold", "annotation", "accept",
    }
)  # fmt: skip
SEPARATORS = (";", "|", ",")  # of several labels in a cell
_NAMES_OF_IDS = re.compile(
    r"(.*[_\W])?(id|ids|idx|index|uuid|guid|hash|key|nr|no|row|user|author|annotator|worker|timestamp|lead_time)", re.I
)
NAMES_OF_RATERS = frozenset({"rater", "annotator", "vote", "voter", "judge", "coder", "worker"})
_MISSING = frozenset({"n/a", "na", "nan", "null", "#n/a", "<na>"})  # words for a missing label
_NONE = frozenset({"none", "n/a"})  # words for the empty set
_FEW_ROWS = 10  # in which labels may all be different
_MOST_NUMBERS = 20  # that are classes and not amounts
_LONGEST = 60  # characters of a label


@dataclass(frozen=True)
class LabelGuess:
    """Labels of a column, or of a group of columns.

    Args:
        columns: The columns.
        problem_type: The problem type of the task.
        why: The reason, in a few words.
        given: How a source names the labels, as in `labels` of a recipe.
        words: More words of the task.
        in_cells: Whether the labels are in the cells. If not, they are the names of columns or files.
    """

    columns: list[str]
    problem_type: ProblemTypeName
    why: str
    given: Any
    words: dict[str, Any] = field(default_factory=dict)
    in_cells: bool = True


def guess_label(cells: Cells) -> LabelGuess | str:
    """Return the labels of a column, or the reason why it holds none."""
    if cells.form in ("empty", "objects", "several types", "dates", "links"):
        return cells.form
    if cells.form == "positions":
        why = f"0 or 1 for each of {len(cells.words)} labels"
        return LabelGuess([cells.name], GUESSED["labels"], why, cells.name)
    if all(value == cells.filled[0] for value in cells.filled):
        return "the same value in all rows"
    if cells.form == "lists":
        return _of_lists(cells)
    if cells.form in ("numbers", "decimal commas"):
        return _of_numbers(cells)
    return _of_texts(cells)


def guess_positions(columns: Sequence[Cells]) -> list[LabelGuess]:
    """Return a multi-label task of the columns that hold only zeros and ones, if there are several."""
    plain = [cells for cells in columns if cells.form in ("numbers", "texts") and not is_named_id(cells)]
    group = [cells for cells in plain if {"-1"} < {"-1", *cells.counts} <= {"-1", *POSITIONS}]
    words: Counter[str] = sum((cells.counts for cells in group), Counter())
    if len(group) < 2 or not words.keys() & {"1", "true"}:
        return []
    has_blank = any(len(cells.filled) < len(cells.values) for cells in group)
    more: dict[str, Any] = {"missing": ["-1"]} if "-1" in words else {}
    why = f"{len(group)} columns of 0 and 1"
    if has_blank and not words.keys() & {"0", "false"}:
        more |= {"blank": "none"}
        why = f"{len(group)} columns of 1 and empty cells, which are read as 0"
    names = [cells.name for cells in group]
    labels = _without_prefix(names)
    given = names if labels == names else {"columns": dict(zip(labels, names, strict=True))}
    return [LabelGuess(names, GUESSED["labels"], why, given, more, in_cells=False)]


def guess_numbered(columns: Sequence[Cells]) -> list[LabelGuess]:
    """Return the tasks of columns whose names end in a number: labels as in `tag_1`, or votes as in `rater_1`."""
    groups: dict[str, list[Cells]] = {}
    for cells in columns:
        found = re.fullmatch(r"(.+?)[_ -]?\d+", cells.name)
        if found is not None and cells.form in ("texts", "empty"):
            groups.setdefault(found.group(1), []).append(cells)
    guesses = []
    for stem, group in groups.items():
        names, last = [cells.name for cells in group], stem.rsplit("_", 1)[-1].casefold()
        words = [word for cells in group for word in cells.words]
        labels, more = _spellings([word for word, _ in Counter(words).most_common()])
        few = are_few(len(labels), len(words)) or len(group[0].values) < _FEW_ROWS
        if (
            len(group) < 2
            or len(labels) < 2
            or not few
            or any(has_edges(word) or len(word) > _LONGEST for word in words)
        ):
            continue
        if last in NAMES_OF_RATERS and len(labels := _majorities(group, more)) > 1:
            why = f"the votes of {len(group)} raters"
            guesses.append(LabelGuess(names, type_of_classes(len(labels)), why, {"votes": names}, more))
        elif last in NAMES_OF_LABELS:
            why = f"{len(group)} columns of labels"
            guesses.append(LabelGuess(names, GUESSED["labels"], why, {"columns": names}, more))
    return guesses


def _majorities(group: list[Cells], words: dict[str, Any]) -> list[str]:
    """Return the labels that more raters of a row chose than any other label."""
    aliases = words.get("aliases", {})
    found = set()
    for row in zip(*(cells.values for cells in group), strict=True):
        votes = Counter(aliases.get(word, word) for word in (cell_word(each) for each in row if not is_blank(each)))
        (label, most), *others = votes.most_common(2) or [("", 0)]
        if most and all(count < most for _, count in others):
            found.add(label)
    return sorted(found)


def type_of_classes(count: int) -> ProblemTypeName:
    """Return the problem type of one label among this number of labels."""
    return GUESSED["label of two" if count == 2 else "label"]


def _without_prefix(names: list[str]) -> list[str]:
    """Return the names without the words that all of them begin with, such as `label_`."""
    first = names[0]
    ends = [0, *(place + 1 for place, mark in enumerate(first) if mark in "_.- ")]
    end = max(end for end in ends if all(name.startswith(first[:end]) and len(name) > end for name in names))
    return [name[end:] for name in names]


def labels_in_cells(guess: LabelGuess, cells: Cells) -> set[str]:
    """Return the labels in the cells of a column, without those that stand for no label."""
    words = cells.words
    if isinstance(guess.given, dict) and (separator := guess.given.get("separator")) is not None:
        none = guess.words.get("none", ())
        words = [part for word in words for part in ([word] if word in none else _parts(word, separator))]
    aliases = guess.words.get("aliases", {})
    return {aliases.get(word, word) for word in words} - {*guess.words.get("missing", ()), *guess.words.get("none", ())}


def _of_lists(cells: Cells) -> LabelGuess | str:
    lists = cells.lists or []
    counts = cells.counts
    if not counts:
        return "empty lists"
    if counts.keys() <= POSITIONS.keys() or _have_fractions(counts):
        return "lists of numbers"
    if len(counts) == 1:
        return "the same value in all lists"
    if not (are_few(len(counts), len(cells.words)) or len(lists) < _FEW_ROWS or _is_named_label(cells)):
        return f"lists of {len(counts):,} different words"
    if any(has_edges(word) for word in counts):
        return "words that begin or end with a bracket or quote"
    if any(len(row) > 1 for row in lists):
        why = f"lists of {len(counts)} labels"
        _, aliases = _spellings(counts)
        return LabelGuess([cells.name], GUESSED["labels"], why, cells.name, aliases)
    return _classes(cells, "in lists of one")


def _of_numbers(cells: Cells) -> LabelGuess | str:
    counts, numbers = cells.counts, cells.numbers
    regression = LabelGuess(
        [cells.name],
        GUESSED["number"],
        f"numbers from {min(numbers):g} to {max(numbers):g}",
        cells.name,
    )
    if is_named_id(cells):
        return "ids, by its name"
    if len(counts) == 2 and are_few(2, len(numbers)) and not _have_fractions(counts):
        return _classes(cells)
    if _have_fractions(counts):
        return regression
    if len(counts) == len(numbers) and max(numbers) - min(numbers) + 1 == len(numbers):
        return "ids"
    if are_few(len(counts), len(numbers)) and (len(counts) <= _MOST_NUMBERS or _is_named_label(cells)):
        return _classes(cells, "that are numbers; ordinal_regression knows their order")
    return regression


def _of_texts(cells: Cells) -> LabelGuess | str:
    if (several := _separated(cells)) is not None:
        return several
    named_by_few = _is_named_label(cells) and len(cells.counts) >= 2 and len(cells.words) < _FEW_ROWS
    if not are_few(len(cells.counts), len(cells.words)) and not named_by_few:
        return "a different value in each row" if cells.are_codes else "texts"
    if max(map(len, cells.counts)) > _LONGEST:
        return "texts, some of which occur several times"
    return "ids, by its name" if is_named_id(cells) else _classes(cells)


def _separated(cells: Cells) -> LabelGuess | None:
    """Return the labels of cells that hold several, separated; some label is in several different cells."""
    for separator in sorted(SEPARATORS, key=lambda mark: -sum(mark in word for word in cells.words)):
        marked = _NONE & {word.lower() for word in cells.counts}
        sets = {word: _parts(word, separator) for word in cells.counts if word.lower() not in marked}
        parts = Counter(part for word, found in sets.items() for part in set(found) for _ in range(cells.counts[word]))
        shared = Counter(part for found in sets.values() for part in set(found))
        if not any(len(found) > 1 for found in sets.values()) or max(shared.values()) < 2:
            continue
        if parts.keys() <= POSITIONS.keys():
            continue
        fits = are_few(len(parts), parts.total()) and len(parts) <= len(sets)
        if not fits or any(len(part) > _LONGEST or has_edges(part) for part in parts):
            continue
        none = sorted(word for word in cells.counts if word.lower() in marked)
        words = _spellings(parts)[1] | ({"none": none} if none else {})
        given = {"column": cells.name, "separator": separator}
        why = f'{len(parts)} labels, separated by "{separator}"'
        return LabelGuess([cells.name], GUESSED["labels"], why, given, words)
    return None


def _parts(word: str, separator: str) -> list[str]:
    return [part.strip() for part in word.split(separator) if part.strip()]


def _classes(cells: Cells, remark: str = "") -> LabelGuess | str:
    """Return the labels of a task with one label for each row. Spellings of one label are aliases of the first one."""
    missing = sorted(word for word in cells.counts if word.lower() in _MISSING)
    if len(cells.counts) > 3 and cells.counts.keys() == {str(i) for i in range(-1, len(cells.counts) - 1)}:
        missing = ["-1"]  # next to 0, 1, 2, as data sets of the Hub mark it; -1, 0, 1 may be a scale
    present = [word for word in cells.counts if word not in missing]
    if any(has_edges(word) for word in present):
        return "words that begin or end with a bracket or quote"
    labels, words = _spellings(present)
    if len(labels) < 2:
        return "the same value in all rows"
    words |= {"missing": missing} if missing else {}
    why = f"{len(labels)} labels{f' {remark}' if remark else ''}"
    return LabelGuess([cells.name], type_of_classes(len(labels)), why, cells.name, words)


def _spellings(words: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the labels, and the aliases of words that look like another spelling of one; frequent words come first."""
    labels: dict[str, str] = {}
    for word in words:
        labels.setdefault(folded(word), word)
    aliases = {word: labels[folded(word)] for word in words if labels[folded(word)] != word}
    return list(labels.values()), {"aliases": aliases} if aliases else {}


def _have_fractions(counts: Counter[str]) -> bool:
    return any(re.search(r"[.,]\d|e-", word.lower()) for word in counts) and not any(
        re.search(r"[^\d.,eE+\-\s]", word) for word in counts
    )


def _is_named_label(cells: Cells) -> bool:
    return _last_word(cells.name) in NAMES_OF_LABELS or _last_word(cells.name.rsplit("_", 1)[-1]) in NAMES_OF_LABELS


def is_named_id(cells: Cells) -> bool:
    """Return whether the name of a column is one of ids, or of people. A `topic_id` with few values is a label."""
    if _NAMES_OF_IDS.fullmatch(cells.name) is None:
        return False
    whose = cells.name.casefold().removesuffix("_id")
    if whose == cells.name.casefold() or _NAMES_OF_IDS.fullmatch(whose) is not None:
        return True
    return len(cells.counts) > _MOST_NUMBERS or not are_few(len(cells.counts), len(cells.words))


def _last_word(name: str) -> str:
    return name.rsplit(".", 1)[-1].casefold()
