"""Sources of any shape become one `datasets` data set: the text, one column for each task, null where missing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.exceptions import DatasetGenerationError

from .columns import SOURCE
from .features import check_labels_of, drop_null_texts, encode_source, resolve_tasks, table_features
from .sources import DataError, Source, check_source, fingerprint
from .splits import hide_labels, split_rows

logger = datasets.logging.get_logger(__name__)

SPLITS = ("train", "validation", "test")


@dataclass
class MultiTaskBuilderConfig(datasets.BuilderConfig):
    """What a [`MultiTaskBuilder`] reads.

    Args:
        tasks: In order; each a dict with `name`, `problem_type` and, if they are not to be inferred, `labels`.
        train: The sources of the training rows; `validation` and `test` likewise, where files are given.
        split: Shares of the training rows that are held out (`validation`, `test`), and the `seed`.
        hide_labels: The `fraction` of each task's training labels that is made missing, and the `seed`.
        with_source: Whether to add the column `source`: from which of a split's sources a row comes, counted from 0.
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)
    train: list[Source] = field(default_factory=list)
    validation: list[Source] = field(default_factory=list)
    test: list[Source] = field(default_factory=list)
    split: dict[str, Any] | None = None
    hide_labels: dict[str, Any] | None = None
    with_source: bool = False

    @property
    def sources(self) -> dict[str, list[Source]]:
        """The given sources, by split."""
        return {name: getattr(self, name) for name in SPLITS if getattr(self, name)}


class MultiTaskBuilder(datasets.ArrowBasedBuilder):
    """A `datasets` builder over one or several tables with any number of label columns.

    Example:
        >>> builder = MultiTaskBuilder(
        ...     tasks=[{"name": "sentiment", "problem_type": "binary_classification"}],
        ...     train=[Source("reviews.csv", labels={"sentiment": "sentiment"})],
        ...     split={"test": 0.2, "seed": 0},
        ... )
        >>> builder.download_and_prepare()
        >>> dataset = builder.as_dataset()

    Raises:
        DataError: On construction, if a source is missing or malformed; on preparation, if a cell is not a label.
    """

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = MultiTaskBuilderConfig

    def __init__(self, **kwargs: Any) -> None:
        for name in SPLITS:
            kwargs[name] = [_as_source(each) for each in _as_list(kwargs.get(name))]
        sources = [source for name in SPLITS for source in kwargs[name]]
        if not kwargs["train"]:
            raise DataError("no source of training rows is given (data.train)")
        for source in sources:
            check_source(source)
        self.tasks = resolve_tasks(kwargs["tasks"], kwargs["train"])
        for source in sources:
            check_labels_of(source, self.tasks)
        super().__init__(hash=fingerprint(sources), dataset_name="multi_task", **kwargs)

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Builds the data set in the cache, or finds it there.

        Raises:
            DataError: If a cell is not one of its task's labels.
        """
        try:
            super().download_and_prepare(*args, **kwargs)
        except DatasetGenerationError as error:
            # Its own message says only that something went wrong.
            if isinstance(error.__cause__, DataError):
                raise error.__cause__ from None
            raise

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=table_features(self.tasks, with_source=self.config.with_source))

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        held_out = {name: share for name, share in (self.config.split or {}).items() if name != "seed" and share}
        rows = self._rows(held_out) if held_out else {"train": None}
        generators = [
            datasets.SplitGenerator(name, {"split": name, "sources": self.config.train, "rows": rows[name]})
            for name in rows
        ]
        given = {name: sources for name, sources in self.config.sources.items() if name != "train"}
        return generators + [
            datasets.SplitGenerator(name, {"split": name, "sources": sources, "rows": None})
            for name, sources in given.items()
        ]

    def _rows(self, held_out: dict[str, float]) -> dict[str, np.ndarray]:
        # By the combination of all tasks' labels, "missing" being one of them; numbers cannot be stratified by.
        stratified = [task.name for task in self.tasks if task.problem_type != "regression"]
        chunks = self._chunks(self.config.train)
        strata = [repr(row) for chunk in chunks for row in chunk.select(stratified).to_pylist()]
        return split_rows(strata, held_out, (self.config.split or {}).get("seed", 0))

    def _chunks(self, sources: list[Source]) -> Iterator[pa.Table]:
        for i, source in enumerate(sources):
            for chunk in encode_source(source, self.tasks):
                number = pa.repeat(pa.scalar(i, pa.int32()), len(chunk))
                yield chunk.append_column(SOURCE, number) if self.config.with_source else chunk

    def _generate_tables(
        self, split: str, sources: list[Source], rows: np.ndarray | None
    ) -> Iterator[tuple[Any, pa.Table]]:
        hide = self.config.hide_labels if split == "train" else None
        rng = np.random.default_rng((hide or {}).get("seed", 0))
        start, dropped = 0, 0
        for i, chunk in enumerate(self._chunks(sources)):
            table = chunk if rows is None else chunk.take(rows[(rows >= start) & (rows < start + len(chunk))] - start)
            start += len(chunk)
            table, without_text = drop_null_texts(table)
            dropped += without_text
            yield (i, self._hide(table, hide["fraction"], rng) if hide else table)
        if dropped:
            logger.warning(f"{split}: {dropped} rows without a text are left out")

    def _hide(self, table: pa.Table, fraction: float, rng: np.random.Generator) -> pa.Table:
        for task in self.tasks:
            place = table.column_names.index(task.name)
            table = table.set_column(place, table.field(place), hide_labels(table[task.name], fraction, rng))
        return table


def _as_list(given: Any) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]


def _as_source(given: Source | dict[str, Any]) -> Source:
    return given if isinstance(given, Source) else Source(**given)
