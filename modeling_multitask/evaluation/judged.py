"""Rows with labels, and a model's output for them.

Shapes: N rows, C classes of one task.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from datasets_builder.columns import TEXT, TEXT_PAIR, votes_column
from datasets_builder.row_places import RowPlace, row_places

from ..answers_multitask import Decision
from ..inference.text_encoder import TextEncoder
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text, plain_rows
from ..training.conditions import unasked_arrays
from ..training.label_columns import targets_of_table
from ..training.metrics import decide_arrays
from ..training.soft_targets import most_probable, numbers_by_label, soft_among


@dataclass(frozen=True)
class Judged:
    """Rows with their labels and a model's logits.

    Args:
        tasks: The model's tasks.
        texts: N texts, or pairs of texts.
        logits: (N, C) by task name.
        labels: The labels by task name, as in a batch, including missing ones.
        lengths: (N,), the number of tokens of each text after truncation.
        sources: N names of source tables. Empty if they are unknown.
        soft: The soft labels of tasks that have them, (N, C) by task name. Their `labels` are the most probable ones.
        places: The N places that the rows come from. Empty if they are unknown.
        raters: The shares of the raters for each label, (N, C) by task name, NaN where they are unknown.
    """

    tasks: list[TaskConfig]
    texts: list[Text]
    logits: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    lengths: np.ndarray
    sources: list[str] = field(default_factory=list)
    soft: dict[str, np.ndarray] = field(default_factory=dict)
    places: list[RowPlace] = field(default_factory=list)
    raters: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, np.ndarray]:
        """The labels by task name, soft where they are known."""
        return self.labels | self.soft

    @cached_property
    def decisions(self) -> dict[str, Decision]:
        """The decisions by task name, as arrays."""
        return decide_arrays(self.logits, self.tasks)

    @cached_property
    def unasked(self) -> dict[str, np.ndarray]:
        """Whether the row's labels imply that the question is not asked, (N,) by task name."""
        return unasked_arrays(self.labels, self.tasks)

    def place(self, row: int) -> RowPlace:
        """Return the place that the row with this index comes from."""
        return self.places[row] if self.places else RowPlace()


def judge(
    model: MultiTaskModel,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    sources: list[str] | None = None,
    show_progress: bool = False,
) -> Judged:
    """Run a model on labelled rows.

    Args:
        model: The model.
        rows: The rows as `MultiTaskBuilder` returns them, with the text and a column for each task.
        tokenizer: The model's tokenizer.
        sources: N names of source tables, if they are known.
        show_progress: Whether to show a progress bar.
    """
    rows = plain_rows(rows)
    texts = row_texts(rows)
    tasks = model.config.tasks
    # In the model's own precision, so that figures do not depend on the processor.
    encoder = TextEncoder(model, tokenizer, dtype=model.dtype)
    embeddings, lengths = encoder.encode(texts, show_progress=show_progress)
    targets = {name: each.numpy() for name, each in targets_of_table(rows, tasks)["labels"].items()}
    soft = soft_among(targets, tasks)
    return Judged(
        tasks=tasks,
        texts=texts,
        logits=encoder.logits(embeddings),
        labels=most_probable(targets, tasks),
        lengths=lengths,
        sources=sources or [],
        soft=soft,
        places=row_places(rows),
        raters=shares_of_raters(rows, soft, tasks),
    )


def shares_of_raters(rows: Dataset, soft: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """Return the shares of the raters for each label, (N, C) by task name, NaN where they are unknown.

    Args:
        rows: N rows, as `MultiTaskBuilder` returns them, whose votes may be known.
        soft: The soft labels of tasks that have them, (N, C) by task name.
        tasks: The tasks.
    """
    shares = dict(soft)
    for task in tasks:
        if (name := votes_column(task.name)) in rows.column_names:
            given = numbers_by_label(rows, name, task.labels or [])
            shares[task.name] = np.where(np.isnan(given), soft.get(task.name, np.nan), given)
    return shares


def row_texts(rows: Dataset) -> list[Text]:
    """Return the text, or the pair of texts, of each row."""
    if TEXT_PAIR in rows.column_names:
        return list(zip(rows[TEXT], rows[TEXT_PAIR], strict=True))
    return list(rows[TEXT])
