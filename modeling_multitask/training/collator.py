"""A collator that makes padded batches of partially labelled rows.

Shapes: B rows, T tokens of the longest row, C classes of one task.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from datasets_builder.label_lists import ListForm

from ..configuration_multitask import MultiTaskConfig
from ..errors import RowError
from ..kinds_multitask import IGNORE_INDEX, MISSING_IDS
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from ..texts_multitask import TEXT, TEXT_PAIR, is_null, plain_rows, plain_value, tokenize
from ..words_multitask import nearest_hint
from .checks import check_training_columns
from .conditions import unasked_rows
from .multi_labels import forms_of, forms_of_columns, label_entries, shortened
from .soft_targets import soft_labels_of, weights_of
from .start_embeddings import start_embeddings_of
from .tokens import checked_texts, padded_rows


@dataclass
class MultiTaskCollator:
    """A data collator that makes a padded batch of partially labelled rows.

    A row has `input_ids`, or `text` and maybe `text_pair`, and a column for any task.

    A label is a class id or a class name. For a regression, it is a number. Null, NaN and an absent column mean a
    missing label. Except for a regression, -1 and -100 do too. Values of numpy and torch are read as those of Python.
    For a multi-label task, a label is one of:

    - a list of names, or a text with names that are separated by `;`, `,` or `|`
    - a dict of 0, 1 and null by name
    - a list of 0, 1 and null with an entry for each label. As floats, it is always read in this way.
    - a list of class ids. `[0, 1]` of two labels could also be zeros and ones. It is an error, unless another row of
      the column decides.

    A column `<task>_distribution` has soft labels: a dict of the probability of each label, or null. They are used
    instead of the column of the task. A column `weight` has the weight of each row, 1 if it is null. A row of weight 0
    has no labels.

    Args:
        tokenizer: The tokenizer, for padding and for rows with a text.
        config: The model's configuration, with the tasks and the maximum length of a text.
        list_forms: How lists of numbers are written, by task name: as `ids` or as `multi_hot`. By default each batch
            decides. A [`MultiTaskTrainer`] sets it from the whole column.

    Example:
        >>> from modeling_multitask import MultiTaskCollator, MultiTaskModel
        >>> from transformers import AutoTokenizer

        >>> name = "distilbert/distilbert-base-uncased"
        >>> topic = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
        >>> model = MultiTaskModel.from_backbone(name, tasks=[topic])
        >>> collate = MultiTaskCollator(AutoTokenizer.from_pretrained(name), model.config)
        >>> batch = collate([{"text": "A dull film.", "topic": "film"}, {"text": "Good soup.", "topic": None}])
        >>> batch["labels"]["topic"]
        tensor([   0, -100])
    """

    tokenizer: PreTrainedTokenizerBase
    config: MultiTaskConfig
    list_forms: Mapping[str, ListForm] = field(default_factory=dict)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch: the tensors of the tokenizer, (B, T), `labels` by task name, and weights if there are any.

        Rows of a training with `keep_embedding` also have their `start_embedding`, (B, D).

        Raises:
            RowError: If a text is not a string, or a label is not valid for its task. The message has the number of the
                row in the batch, the column, the value and the text.
        """
        return {**self._tokens(rows), **self.targets_of(rows), **start_embeddings_of(rows)}

    def targets_of(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the `labels` of the rows by task name, (B,) or (B, C), and the `sample_weight`, (B,), if there is one.

        Raises:
            RowError: If a label or a weight is not valid.
            ValueError: If lists of numbers may be ids or zeros and ones.
        """
        tasks = self.config.tasks
        labels = labels_of(rows, tasks, self.list_forms)
        return joined_targets(labels, soft_labels_of(rows, tasks), weights_of(rows), tasks)

    def _tokens(self, rows: list[dict[str, Any]]) -> Mapping[str, Tensor]:
        if "input_ids" not in rows[0]:
            pairs = _column(rows, TEXT_PAIR) if TEXT_PAIR in rows[0] else None
            texts = _column(rows, TEXT)
            return tokenize(self.tokenizer, self.config, texts, pairs, padding=True, return_tensors="pt")
        return padded_rows(self.tokenizer, rows)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return checked_texts([row.get(name) for row in rows], name)


def make_collator(given: Callable | None, model: MultiTaskModel, kwargs: dict[str, Any]) -> Any:
    """Return the collator of a Trainer. Whole columns tell it how lists of numbers are written: a batch may not tell.

    Args:
        given: The collator that the user gave, or `None`.
        model: The model.
        kwargs: The other arguments of the Trainer.

    Raises:
        ValueError: If there is no tokenizer, the training rows have no column for any task, or lists of numbers may be
            ids or zeros and ones.
    """
    tables = [kwargs.get("train_dataset"), *tables_of(kwargs.get("eval_dataset"))]
    if given is None:
        if kwargs.get("processing_class") is None:
            raise ValueError(
                "processing_class is missing; pass the tokenizer as processing_class, or pass a data_collator"
            )
        given = MultiTaskCollator(kwargs["processing_class"], model.config)
    if isinstance(given, MultiTaskCollator):
        check_training_columns(kwargs.get("train_dataset"), model.config.tasks)
    return with_list_forms(given, tables, model.config.tasks)


def plain_tables(given: Any) -> Any:
    """Return the rows of an `eval_dataset`, which may be a dict of several, without formats (see `plain_rows`)."""
    return {name: plain_rows(rows) for name, rows in given.items()} if isinstance(given, dict) else plain_rows(given)


def tables_of(given: Any) -> list[Any]:
    """Return the tables of an `eval_dataset`, which may be a dict of several."""
    return list(given.values()) if isinstance(given, dict) else [given]


def with_list_forms(given: Any, tables: list[Any], tasks: list[TaskConfig]) -> Any:
    """Return the collator, which then knows how the lists of numbers in these tables are written."""
    if not isinstance(given, MultiTaskCollator):
        return given
    forms = forms_of_columns(tables, tasks, given.list_forms)
    if forms == given.list_forms:
        return given
    collator = copy.copy(given)  # the caller may use it for other tables
    collator.list_forms = forms
    return collator


def known_list_forms(collator: Any) -> Mapping[str, ListForm]:
    """Return how lists of numbers are written, as far as a collator knows it, by task name."""
    return collator.list_forms if isinstance(collator, MultiTaskCollator) else {}


def labels_of(
    rows: Sequence[Mapping[str, Any]],
    tasks: list[TaskConfig],
    list_forms: Mapping[str, ListForm] | None = None,
    *,
    place: str = "rows",
) -> dict[str, Tensor]:
    """Return the labels of the rows by task name, (B,) or (B, C).

    Args:
        rows: Rows with a label name, a class id, a number or several labels in the column of each task.
        tasks: The model's tasks, in order.
        list_forms: How lists of numbers are written, by task name. By default the rows decide.
        place: The name of the rows, for messages.

    Raises:
        RowError: If a label is not valid for its task.
        ValueError: If lists of numbers may be ids or zeros and ones.
    """
    forms = forms_of(rows, tasks, list_forms or {})
    labels = {task.name: _labels(rows, task, forms.get(task.name), place) for task in tasks}
    return without_unasked(labels, tasks)


def without_unasked(labels: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Tensor]:
    """Return the labels, with missing labels in rows where a task is not asked (see `unasked_rows`).

    Args:
        labels: The labels by task name, (B,) or (B, C).
        tasks: The model's tasks, in order.
    """
    return masked(labels, unasked_rows(labels, tasks))


def joined_targets(
    labels: dict[str, Tensor], soft: dict[str, Tensor], weights: Tensor | None, tasks: list[TaskConfig]
) -> dict[str, Any]:
    """Return the targets of a batch: `labels` by task name, soft where they are given, and `sample_weight`, if given.

    Args:
        labels: The labels by task name, (B,) or (B, C), which are missing where a task is not asked.
        soft: The soft labels by task name, (B, C).
        weights: The weight of each row, (B,).
        tasks: The model's tasks, in order.
    """
    labels = labels | masked(soft, unasked_rows(labels, tasks))
    return {"labels": labels, **({} if weights is None else {"sample_weight": weights})}


def masked(labels: dict[str, Tensor], rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the labels, (B,) or (B, C) by task name, with missing labels in these rows, (B,) by task name."""
    return {
        name: own.masked_fill(
            rows[name].view(-1, *[1] * (own.ndim - 1)), math.nan if own.is_floating_point() else IGNORE_INDEX
        )
        for name, own in labels.items()
    }


def _labels(rows: Sequence[Mapping[str, Any]], task: TaskConfig, form: ListForm | None, place: str) -> Tensor:
    names = task.labels or []
    places = dict(zip(names, range(len(names)), strict=True))
    found = []
    for i, row in enumerate(rows):
        try:
            found.append(_label(plain_value(row.get(task.name)), task, places, form))
        except ValueError as error:
            where = f" (text: {row[TEXT][:60]!r})" if isinstance(row.get(TEXT), str) else ""
            raise RowError(f"task {task.name!r}: {error}{where}", f"{place}[{i}]") from None
    if task.kind.several_labels and found:
        return torch.from_numpy(np.stack(found))
    return torch.tensor(found, dtype=task.kind.label_dtype)


def _label(given: Any, task: TaskConfig, places: Mapping[str, int], form: ListForm | None) -> Any:
    if task.kind.is_number:
        return task.kind.missing if is_null(given) else _number(given, task)
    return _positions(given, places, form) if task.kind.several_labels else _class_id(given, places)


def _number(given: Any, task: TaskConfig) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise ValueError(f"{given!r} is not a number; a missing one is None or NaN") from None
    if math.isinf(number):
        raise ValueError(f"the number is {given!r}; it must be finite")
    if task.transform == "log1p" and number < 0:
        raise ValueError(f"{given!r} is not a number from 0, which transform: log1p needs")
    return number


def _class_id(given: Any, places: Mapping[str, int]) -> int:
    if isinstance(given, str):
        if given not in places:
            labels = list(places)
            raise ValueError(f"{given!r} is not one of its labels {shortened(labels)}{nearest_hint(given, labels)}")
        return places[given]
    if _is_missing(given):
        return IGNORE_INDEX
    if not isinstance(given, int | float) or given not in range(len(places)):
        missing = " or ".join(map(str, MISSING_IDS))
        raise ValueError(f"{given!r} is not one of its class ids 0 to {len(places) - 1}, nor {missing} for missing")
    return int(given)


def _positions(given: Any, places: Mapping[str, int], form: ListForm | None) -> np.ndarray:
    if not isinstance(given, Mapping | list | tuple | set | frozenset) and _is_missing(given):
        return np.full(len(places), IGNORE_INDEX)
    entries = label_entries(given, places, form)
    return entries if isinstance(entries, np.ndarray) else np.array([_class_id(each, _NO_OR_YES) for each in entries])


def _is_missing(given: Any) -> bool:
    return is_null(given) or given in MISSING_IDS


_NO_OR_YES = {"0": 0, "1": 1}
