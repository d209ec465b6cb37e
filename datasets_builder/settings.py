"""The settings of a builder, and their checks."""

import os
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import datasets

from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import from_words, nearest_hint

from .source import Cell, Source
from .words import Contradictions, HideLabels, Leaks, Split

SPLITS = ("train", "validation", "test")


@dataclass
class MultiTaskBuilderConfig(datasets.BuilderConfig):
    """The settings of a [`MultiTaskBuilder`].

    You rarely create it yourself: `MultiTaskBuilder` takes the same settings as keyword arguments.

    Args:
        tasks: The tasks in order. Each is a dict with `name`, `problem_type` and optionally `labels`, which are
            inferred by default. `aliases` (labels by spelling), `missing` (values that mark a missing label), `none`
            (values that mark the empty set) and `blank` apply to all sources.
        train: The sources of the training rows. `validation` and `test` are given in the same way. If a data set on
            the Hub is the only source, all of its splits are used.
        split: The shares of the training rows to hold out (`validation`, `test`), the `seed`, and `group`, a column
            whose equal values stay in the same split. With `folds` and `fold`, one of several folds is the test
            split.
        hide_labels: The `fraction` of each task's training labels to make missing, and the `seed`.
        missing_text: Texts that mark a missing text in all sources. Their rows are left out.
        contradictions: How to resolve different labels for the same text: `error`, `first`, `majority` or `drop`.
        leaks: How to handle training rows whose text also occurs in another split: `report` or `remove`.
        streaming: Whether to read the training rows during training and never all at once, for data larger than
            memory. The labels must then be given, and nothing is merged, split or hidden.
        with_source: Whether to add the column `source`, the number of the source of each row, counted from 0.
        with_place: Whether to add the columns `table`, the name of the table of each row, and `line`, its line there,
            counted from 1. A task whose labels are the majority of votes also has the column `<task>_votes`, the share
            of the raters for each label. Merged rows have the place and the votes of the first one.

    Example:
        >>> from datasets_builder import MultiTaskBuilder, Source
        >>> builder = MultiTaskBuilder(
        ...     tasks=[{"name": "topic", "problem_type": "single_label_classification"}],
        ...     train=[Source(data={"text": ["Good soup.", "A long film."], "topic": ["food", "film"]})],
        ...     with_source=True,
        ... )
        >>> builder.config.with_source
        True
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)
    train: list[Source] = field(default_factory=list)
    validation: list[Source] = field(default_factory=list)
    test: list[Source] = field(default_factory=list)
    split: dict[str, Any] | None = None
    hide_labels: dict[str, Any] | None = None
    missing_text: list[Cell] = field(default_factory=list)
    contradictions: str = "error"
    leaks: str = "report"
    streaming: bool = False
    with_source: bool = False
    with_place: bool = False


def as_sources(given: Any, split: str) -> list[Source]:
    """Return the sources of a split as a list. Sources without a path get a name from their position."""
    each = [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]
    sources = [_as_source(one) for one in each]
    if len(sources) == 1:
        return sources
    return [
        source if source.path else replace(source, called=source.called or f"{source.name} ({split}[{i}])")
        for i, source in enumerate(sources)
    ]


def _as_source(given: Any) -> Source:
    """Return a source from a `Source`, a dict of its settings, a path, or a table in memory."""
    if isinstance(given, Source):
        return given
    if isinstance(given, dict) and _are_settings(given):
        return from_words(Source, given, "source.", DataError)
    return Source(path=os.fspath(given)) if isinstance(given, (str, os.PathLike)) else Source(data=given)


def _are_settings(given: dict[str, Any]) -> bool:
    """Return whether a dict holds a source's settings, and not a table whose columns have the same names."""
    return isinstance(given.get("path"), (str, os.PathLike)) or not isinstance(given.get("data"), list | type(None))


def held_out_shares(split: dict[str, Any]) -> dict[str, float]:
    """Return the share of the training rows to hold out, by split. A fold is not a share."""
    return {name: split[name] for name in ("validation", "test") if split.get(name)}


def held_out_splits(split: dict[str, Any]) -> list[str]:
    """Return the splits whose rows are held out of the training rows: as a share, or as a fold."""
    return [name for name in ("validation", "test") if split.get(name) or (name == "test" and split.get("fold"))]


def check_settings(settings: dict[str, Any]) -> None:
    """Raise a `DataError` if a setting of the builder is missing or not allowed."""
    for i, task in enumerate(settings.get("tasks") or []):
        if missing := [name for name in ("name", "problem_type") if name not in task]:
            raise DataError(f"tasks[{i}].{missing[0]}: is missing")
    _check_shares(settings)
    allowed = {"contradictions": get_args(Contradictions), "leaks": get_args(Leaks)}
    for name, words in allowed.items():
        given = settings.get(name, words[0])
        if given not in words:
            hint = nearest_hint(given, words)
            raise DataError(f"data.{name} is {given!r}; it must be one of {', '.join(words)}{hint}")
    if not settings.get("streaming"):
        return
    split = settings.get("split") or {}
    if held_out_shares(split) or split.get("folds") or settings.get("hide_labels"):
        raise DataError(
            "data.streaming: streamed rows cannot be split, and their labels cannot be hidden; "
            "remove data.hide_labels, and give data.validation and data.test instead of data.split"
        )


def _check_shares(settings: dict[str, Any]) -> None:
    split = settings.get("split") or {}
    from_words(Split, split, "data.split.", DataError)
    if settings.get("hide_labels"):
        from_words(HideLabels, settings["hide_labels"], "data.hide_labels.", DataError)
    for name in held_out_shares(split):
        if settings.get(name):
            raise DataError(
                f"data.split.{name}: takes rows from train, but data.{name} gives a table; set only one of the two"
            )
    if split.get("folds") and settings.get("test"):
        raise DataError("data.split.folds: each fold is the test split once, but data.test gives a table; remove one")
