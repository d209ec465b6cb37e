"""Build one `datasets` data set from all sources: the text and a column for each task, null for a missing label."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets import IterableDataset, get_dataset_split_names, interleave_datasets

from datasets_builder.aliases import check_aliases
from datasets_builder.arranged import arranged
from datasets_builder.encoded import EncodedRows, read_rows, text_columns
from datasets_builder.features import check_columns_of, check_labels_of, table_features
from datasets_builder.findings import Findings
from datasets_builder.grouped import check_not_grouped
from datasets_builder.holding_out import hold_out
from datasets_builder.joined import check_matches
from datasets_builder.label_names import named_task
from datasets_builder.label_rows import (
    LabelRowsByTask,
    label_rows,
    negative_notes,
    not_held_out,
    unlabelled_note,
    without_labels,
)
from datasets_builder.merging import text_keys
from datasets_builder.remote import checked_once
from datasets_builder.row_places import table_names
from datasets_builder.settings import (
    SPLITS,
    MultiTaskBuilderConfig,
    as_sources,
    check_settings,
    held_out_shares,
    held_out_splits,
)
from datasets_builder.source import Source, is_on_hub, number_columns, soft_tasks, voted_tasks
from datasets_builder.sources import OpenSource, open_tables, reading_from_hub
from datasets_builder.streamed import StreamedRows
from datasets_builder.tasks import resolve_tasks, tells_its_labels
from modeling_multitask.errors import DataError

logger = datasets.logging.get_logger(__name__)


class MultiTaskBuilder(datasets.ArrowBasedBuilder):
    """A `datasets` builder over any number of tables with any number of label columns.

    A text that occurs in several sources of a split becomes one row with all its labels. The settings are the keyword
    arguments of [`MultiTaskBuilderConfig`].

    Raises:
        DataError: On construction, if a source is missing or lacks a column, or labels cannot be inferred. On
            preparation, if a table cannot be read to its end, a cell is not a label, or labels conflict.

    Example:
        >>> from datasets_builder import MultiTaskBuilder
        >>> reviews = {
        ...     "text": ["Great soup.", "Never again.", "Lovely.", "Cold food."],
        ...     "sentiment": ["good", "bad", "good", "bad"],
        ... }
        >>> builder = MultiTaskBuilder(
        ...     tasks=[{"name": "sentiment", "problem_type": "binary_classification"}],
        ...     train=[reviews],
        ...     split={"test": 0.5, "seed": 0},
        ... )
        >>> builder.download_and_prepare()
        >>> builder.as_dataset()["train"].column_names
        ['text', 'sentiment']
    """

    VERSION = datasets.Version("2.4.0")
    BUILDER_CONFIG_CLASS = MultiTaskBuilderConfig

    def __init__(self, **kwargs: Any) -> None:
        given = {name: as_sources(kwargs.get(name), name) for name in SPLITS}
        if not given["train"]:
            raise DataError("data.train: is missing; give at least one source of training rows")
        check_settings(kwargs)
        kwargs["tasks"] = [named_task(task) for task in kwargs["tasks"]]
        split, streaming = kwargs.get("split") or {}, kwargs.get("streaming", False)
        given = with_splits_on_hub(given, split)
        if missing := kwargs.get("missing_text"):
            texts = [missing] if isinstance(missing, str) else missing
            given = {name: [replace(each, missing_text=texts) for each in given[name]] for name in SPLITS}
        if group := split.get("group"):
            given["train"] = [replace(source, group=group) for source in given["train"]]
        with checked_once():
            self.sources = {
                name: [_opened(each, name, kwargs) for each in given[name]] for name in SPLITS if given[name]
            }
        self.soft = soft_tasks([each.source for split in self.sources.values() for each in split])
        self.sources = {name: [replace(each, soft=self.soft) for each in split] for name, split in self.sources.items()}
        opened = [each for split in self.sources.values() for each in split]
        text_columns(opened)
        self.with_weight = any(each.source.weight for each in opened)
        for source in opened:
            check_columns_of(source, [task["name"] for task in kwargs["tasks"]])
        # Labels that are inferred with the wrong aliases would be reported instead. Given ones are checked first.
        inferred = [task for task in kwargs["tasks"] if not (task.get("labels") or task.get("num_labels"))]
        check_aliases(inferred, [] if streaming else opened)
        self.tasks = resolve_tasks(kwargs["tasks"], self.sources["train"])
        for source in opened:
            check_labels_of(source.source, self.tasks)
        check_aliases([task for task in kwargs["tasks"] if task not in inferred], [] if streaming else opened)
        prepared = [each for name in self.sources for each in self.sources[name] if not (streaming and name == "train")]
        self._tables = table_names(opened) if kwargs.get("with_place") else None
        self.voted = voted_tasks([each.source for each in opened]) if kwargs.get("with_place") else []
        super().__init__(hash=fingerprint(prepared, self._tables), dataset_name="multi_task", **kwargs | given)

    @property
    def prepared_splits(self) -> list[str]:
        """The names of the splits that are built, not streamed."""
        held_out = held_out_splits(self.config.split or {})
        return [name for name in SPLITS if name in self._to_prepare() or name in held_out]

    @property
    def notes(self) -> list[str]:
        """Messages about repaired, merged and leaked rows, available after the data set is prepared."""
        return list(filter(None, (self.info.description or "").splitlines()))

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Build the data set in the cache, or find it there, and log the notes.

        Raises:
            DataError: If a table cannot be read to its end, a cell is not one of its task's labels, or labels of the
                same text conflict.
        """
        if not self._to_prepare():
            return
        with tempfile.TemporaryDirectory(prefix="multi_task_") as folder:
            self._texts = Path(folder)  # read by the processes of `num_proc` as well
            super().download_and_prepare(*args, **kwargs)
        for note in self.notes:
            logger.warning(note)

    def as_streaming_dataset(self, split: str | None = "train", base_path: str | None = None) -> IterableDataset:
        """Return an iterable data set that reads its rows on demand, alternating between the sources of the split.

        Args:
            split: The name of the split.
            base_path: Not used. It exists because `datasets` has it.

        Raises:
            DataError: During iteration, if a table cannot be read or a cell is not a label.
        """
        streams = []
        for number, source in enumerate(self.sources[split or "train"]):
            rows = StreamedRows(source, self.tasks, number, **self._added())
            parts = list(range(len(source.tables)))
            generator = datasets.SplitGenerator(split or "train", {"parts": parts, "read": rows})
            streams.append(self._as_streaming_dataset_single(generator))
        if len(streams) == 1:
            return streams[0]
        return interleave_datasets(streams, stopping_strategy="all_exhausted_without_replacement")

    def _info(self) -> datasets.DatasetInfo:
        pair = len(text_columns(self.sources["train"])) == 2
        return datasets.DatasetInfo(
            features=table_features(self.tasks, soft=self.soft, with_pair=pair, **self._added())
        )

    def _added(self) -> dict[str, Any]:
        """Return the arguments for the columns that hold neither texts nor labels."""
        added = {"with_weight": self.with_weight, "with_source": self.config.with_source}
        return added | {"tables": self._tables, "voted": self.voted}

    def _to_prepare(self) -> dict[str, list[OpenSource]]:
        return {name: each for name, each in self.sources.items() if not (self.config.streaming and name == "train")}

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        splits = self._without_leaks(self._held_out(self._encoded()))
        for name, rows in splits.items():
            if not len(rows):
                raise DataError(f"{name}: no row is left; {'; '.join(self.notes)}")
        if "train" in splits:
            self._add_notes({"train": unlabelled_note(splits["train"].labels, [task.name for task in self.tasks])})
        if hide := self.config.hide_labels:
            splits["train"] = splits["train"].with_hidden_labels(self.tasks, hide["fraction"], hide.get("seed", 0))
        return [
            datasets.SplitGenerator(name, {"parts": rows.parts(), "read": rows.tables}) for name, rows in splits.items()
        ]

    def _generate_tables(
        self, parts: list[Any], read: Callable[[Any], Iterator[pa.Table]]
    ) -> Iterator[tuple[Any, pa.Table]]:
        # With `num_proc`, `datasets` gives each process some of the parts.
        for i, part in enumerate(parts):
            for j, table in enumerate(read(part)):
                yield (i, j), table

    def _encoded(self) -> dict[str, EncodedRows]:
        findings = Findings()
        read = {
            name: read_rows(name, sources, self.tasks, self._texts, findings)
            for name, sources in self._to_prepare().items()
        }
        findings.check()
        rule, added = self.config.contradictions, self._added()
        keys = text_keys([rows.digests for rows in read.values()])
        splits = {name: read[name].merge(self.tasks, rule, own, **added) for name, own in zip(read, keys, strict=True)}
        if "train" in splits:
            self._check_labelled(splits["train"].labels)
            splits["train"].notes.extend(negative_notes(splits["train"].labels, self.tasks))
        self.info.description = "\n".join(f"{name}: {note}" for name in splits for note in splits[name].notes)
        return splits

    def _check_labelled(self, labels: pa.Table) -> None:
        for task in self.tasks:
            named = [each.source for each in self.sources["train"] if task.name in each.source.label_columns]
            if named and without_labels(labels, [task.name]).all():
                where = ", ".join(
                    f"{each.name}, {' and '.join(map(repr, each.label_columns[task.name].names))}" for each in named
                )
                raise DataError(f"task {task.name!r}: no training row has a label ({where})")

    def _held_out(self, splits: dict[str, EncodedRows]) -> dict[str, EncodedRows]:
        split = self.config.split or {}
        if not (held_out_splits(split) or split.get("folds")):
            return splits
        parts = hold_out(splits["train"], self.tasks, split)
        counts = {name: self._counts(part.labels) for name, part in parts.items()}
        self._add_notes({name: not_held_out(counts[name], counts["train"]) for name in held_out_splits(split)})
        parts = splits | parts
        return {name: parts[name] for name in SPLITS if name in parts}

    def _counts(self, labels: pa.Table) -> LabelRowsByTask:
        return {task.name: label_rows(labels[task.name], task) for task in self.tasks if not task.kind.is_number}

    def _add_notes(self, notes: dict[str, str | None]) -> None:
        """Add at most one note for each split."""
        lines = [f"{name}: {note}" for name, note in notes.items() if note is not None]
        self.info.description = "\n".join(filter(None, [self.info.description, *lines]))

    def _without_leaks(self, splits: dict[str, EncodedRows]) -> dict[str, EncodedRows]:
        if "train" not in splits or len(splits) == 1:
            return splits
        train = splits["train"]
        elsewhere = np.concatenate([rows.keys for name, rows in splits.items() if name != "train"])
        leaked = np.isin(train.keys, elsewhere)
        if not leaked.any():
            return splits
        remove = self.config.leaks == "remove"
        done = "are removed from train" if remove else "are kept; data.leaks=remove removes them"
        self._add_notes({"train": f"{leaked.sum()} rows have a text that is also in validation or test, and {done}"})
        return splits | {"train": train.select(np.flatnonzero(~leaked))} if remove else splits


def fingerprint(sources: list[OpenSource], tables: list[str] | None = None) -> str:
    """Return a short hash of the sources' content and settings, and of the names of tables that the rows have."""
    digest = hashlib.sha256("\n".join(tables or []).encode())
    for source in sources:
        digest.update(repr(sorted(source.soft)).encode())
        how = replace(source.source, path="", data=None, called=None, join=None)  # whose words its table has
        digest.update(repr(how).encode())
        for table in source.tables:
            digest.update(table.digest().encode())
    return digest.hexdigest()[:16]


def with_splits_on_hub(given: dict[str, list[Source]], split: dict[str, Any]) -> dict[str, list[Source]]:
    """Return the sources of each split. A data set on the Hub that is the only source brings all of its splits.

    Args:
        given: The sources by split.
        split: The shares of the training rows to hold out, or their folds.

    Raises:
        DataError: If the data set is not found.
    """
    if len(given["train"]) != 1 or given["validation"] or given["test"]:
        return given
    if held_out_shares(split) or split.get("folds"):
        return given
    source = given["train"][0]
    if source.split is not None or not is_on_hub(source):
        return given
    with reading_from_hub(str(source.path)):
        names = get_dataset_split_names(source.path, source.config, revision=source.revision)
    return given | {name: [replace(source, split=name)] for name in SPLITS if name in names}


def _opened(source: Source, split: str, settings: dict[str, Any]) -> OpenSource:
    source = replace(source, split=source.split or split) if is_on_hub(source) else source
    streaming = bool(settings.get("streaming")) and split == "train"
    numbers = number_columns(source, settings["tasks"])
    tables = open_tables(source, streaming=streaming, numbers=numbers, keep_empty=False)
    check_matches(tables)
    source = source.with_labels_of(settings["tasks"], tables[0].columns if source.labels is None else [])
    opened = arranged(source, tables, settings["tasks"])
    if streaming:
        check_not_grouped(opened.tables)
        _check_labels_given(opened, settings["tasks"])
    return opened


def _check_labels_given(source: OpenSource, tasks: list[dict[str, Any]]) -> None:
    for task in tasks:
        column = source.source.label_columns.get(task["name"])
        if tells_its_labels(task) or column is None or column.labels is not None:
            continue
        if any(table.class_names(column.names[0]) is None for table in source.tables):
            raise DataError(f"task {task['name']!r}: its labels cannot be inferred from streamed rows; list them")
