"""The settings of a builder, and what may be given for them."""

import os
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import datasets

from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import from_words, nearest_hint

from .source import Source
from .words import Contradictions, HideLabels, Leaks, Split

SPLITS = ("train", "validation", "test")


@dataclass
class MultiTaskBuilderConfig(datasets.BuilderConfig):
    """What a [`MultiTaskBuilder`] reads.

    Args:
        tasks: In order; each a dict with `name`, `problem_type` and, if they are not to be inferred, `labels`;
            `aliases` (labels by how they are written) and `missing` (what stands for no label) hold in all sources.
        train: The sources of the training rows; `validation` and `test` likewise, where files are given. A data set
            on the Hub that is the only source gives all of its splits.
        split: Shares of the training rows that are held out (`validation`, `test`), the `seed`, and `group`, a column
            whose equal values are not parted.
        hide_labels: The `fraction` of each task's training labels that is made missing, and the `seed`.
        contradictions: What becomes of labels that differ for the same text in several sources: `error`, `first`,
            `majority` or `drop`.
        leaks: What becomes of training rows whose text stands in another split too: `report` or `remove`.
        streaming: Whether training rows are read while training, and never as a whole; for data larger than memory.
            Labels must be given then, and nothing is merged, split or hidden.
        with_source: Whether to add the column `source`: from which of a split's sources a row comes, counted from 0.
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)
    train: list[Source] = field(default_factory=list)
    validation: list[Source] = field(default_factory=list)
    test: list[Source] = field(default_factory=list)
    split: dict[str, Any] | None = None
    hide_labels: dict[str, Any] | None = None
    contradictions: str = "error"
    leaks: str = "report"
    streaming: bool = False
    with_source: bool = False


def as_sources(given: Any, split: str) -> list[Source]:
    """The sources of a split, whether one or several are given; those without a path get a name by their place."""
    each = [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]
    sources = [_as_source(one) for one in each]
    if len(sources) == 1:
        return sources
    return [
        source if source.path else replace(source, called=source.called or f"{source.name} ({split}[{i}])")
        for i, source in enumerate(sources)
    ]


def _as_source(given: Any) -> Source:
    """A source as it is, from a dict of its settings, or from a table in memory."""
    if isinstance(given, Source):
        return given
    if isinstance(given, dict) and _are_settings(given):
        return from_words(Source, given, "source.", DataError)
    return Source(path=os.fspath(given)) if isinstance(given, (str, os.PathLike)) else Source(data=given)


def _are_settings(given: dict[str, Any]) -> bool:
    """Whether a dict says where a table is; it may also be a table itself, whose columns have such names."""
    return isinstance(given.get("path"), (str, os.PathLike)) or not isinstance(given.get("data"), list | type(None))


def held_out_shares(split: dict[str, Any]) -> dict[str, float]:
    """What is held out of the training rows, by split."""
    return {name: split[name] for name in ("validation", "test") if split.get(name)}


def check_settings(settings: dict[str, Any]) -> None:
    """Raises a `DataError` if a setting of the builder is none, or cannot be."""
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
    if held_out_shares(settings.get("split") or {}) or settings.get("hide_labels"):
        raise DataError("data.streaming: rows that are streamed cannot be split, nor their labels hidden; give files")


def _check_shares(settings: dict[str, Any]) -> None:
    split = settings.get("split") or {}
    from_words(Split, split, "data.split.", DataError)
    if settings.get("hide_labels"):
        from_words(HideLabels, settings["hide_labels"], "data.hide_labels.", DataError)
    for name in held_out_shares(split):
        if settings.get(name):
            raise DataError(
                f"data.split.{name}: is taken from train, but data.{name} gives a table; say one of the two"
            )
