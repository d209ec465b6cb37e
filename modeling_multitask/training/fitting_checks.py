"""Checks for `fit_heads`, which needs heads that train and the text of each training row."""

from typing import Any

from ..modeling_multitask import MultiTaskModel
from .arguments import MultiTaskTrainingArguments
from .collator import MultiTaskCollator
from .freezing import trained_parameters
from .parameter_groups import plain_name
from .text_rows import check_text_rows


def check_fitting(
    args: MultiTaskTrainingArguments, model: MultiTaskModel, trainable: set[str], *, collator: Any, rows: Any
) -> None:
    """Raise a `ValueError` if a phase has `fit_heads`, and no head can be fitted.

    Args:
        args: The arguments of the run.
        model: The model, with or without adapters of peft.
        trainable: The names of the parameters that may train.
        collator: The data collator.
        rows: The training rows, or `None`.
    """
    if not args.fits_heads:
        return
    for i, phase in enumerate(args.schedule):
        trained = trained_parameters(model, phase.train, phase.freeze) & trainable
        if phase.fit_heads and not any(plain_name(name).startswith("heads.") for name in trained):
            raise ValueError(f"phases[{i}].fit_heads: this phase trains no head; leave it out, or train heads as well")
    if not isinstance(collator, MultiTaskCollator):
        raise ValueError(
            f"fit_heads: data_collator is a {type(collator).__name__}, whose tokenizer is not known; use a "
            "MultiTaskCollator, or leave fit_heads out"
        )
    if rows is not None:
        check_text_rows(rows, "fit_heads")
