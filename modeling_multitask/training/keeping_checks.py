"""Checks for `keep_embedding`, which needs an encoder that trains and the text of each training row."""

from typing import Any

from ..modeling_multitask import MultiTaskModel
from .arguments import MultiTaskTrainingArguments
from .collator import MultiTaskCollator
from .freezing import trains_encoder
from .keeping_mixin import KEPT
from .start_embeddings import START
from .text_rows import check_text_rows


def check_keeping(
    args: MultiTaskTrainingArguments, model: MultiTaskModel, trainable: set[str], *, collator: Any, rows: Any
) -> None:
    """Raise a `ValueError` if `keep_embedding` is set, and would have no effect or is not possible.

    Args:
        args: The arguments of the run.
        model: The model, with or without adapters of peft.
        trainable: The names of the parameters that may train.
        collator: The data collator.
        rows: The training rows, or `None`.
    """
    if args.keeping() is None:
        return
    if taken := sorted({KEPT, START} & {task.name for task in model.config.tasks}):
        raise ValueError(f"keep_embedding: a task cannot be called {taken[0]!r} with this word; rename the task")
    if not trains_encoder(model, args.schedule, trainable):
        raise ValueError(
            "keep_embedding: no phase trains the encoder, so the embedding does not change; leave keep_embedding out, "
            "or freeze fewer parts"
        )
    if not isinstance(collator, MultiTaskCollator):
        raise ValueError(
            f"keep_embedding: data_collator is a {type(collator).__name__}, which does not put the embeddings of the "
            "rows into the batches; use a MultiTaskCollator, or leave keep_embedding out"
        )
    if rows is not None:
        check_text_rows(rows, "keep_embedding", column=START)
