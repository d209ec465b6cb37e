"""Checks of arguments that would end a run at its first evaluation, or at the first step of the scheduler."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from transformers import SchedulerType, get_scheduler
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION

from ..tasks_multitask import TaskConfig
from ..words_multitask import nearest_hint
from .arguments import MultiTaskTrainingArguments
from .metric_names import evaluated_metrics

_GIVEN_BY_THE_TRAINER = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}

_BY_A_METRIC = (SchedulerType.REDUCE_ON_PLATEAU, SchedulerType.GREEDY)
# The schedulers of torch whose arguments transformers passes on.
_OF_TORCH = {SchedulerType.REDUCE_ON_PLATEAU: torch.optim.lr_scheduler.ReduceLROnPlateau}


def choose_default_metric(args: MultiTaskTrainingArguments, compute_metrics: Callable | None, rows: Any) -> None:
    """Set `metric_for_best_model` if the user has not: there is no `score` with own metrics or several tables.

    Args:
        args: The arguments, which are changed.
        compute_metrics: The user's own metrics. The best model then has the lowest loss, as in transformers.
        rows: The evaluation rows. Of several tables, the first one decides.
    """
    if not args.has_default_metric:
        return
    if compute_metrics is not None:
        args.metric_for_best_model, args.greater_is_better = "loss", False
    if isinstance(rows, dict) and rows:
        args.metric_for_best_model = f"{next(iter(rows))}_{args.metric_for_best_model}"


def check_evaluation(
    args: MultiTaskTrainingArguments, tasks: list[TaskConfig], compute_metrics: Callable | None, rows: Any
) -> None:
    """Raise a `ValueError` for arguments with which an evaluation or the scheduler fails.

    Args:
        args: The arguments.
        tasks: The tasks of the model.
        compute_metrics: The user's own metrics.
        rows: The evaluation rows, a table or a dict of tables.
    """
    if args.label_names not in (None, ["labels"]):
        raise ValueError(
            f"label_names is {args.label_names}; leave it out, because the labels are columns of the tasks"
        )
    if not args.eval_do_concat_batches:
        raise ValueError("eval_do_concat_batches is False; leave it out, because metrics need all rows at once")
    if args.prediction_loss_only and args.eval_strategy != "no":
        raise ValueError("prediction_loss_only is True, but metrics need the predictions; leave it out")
    if args.accelerator_config.dispatch_batches:
        raise ValueError(
            "accelerator_config.dispatch_batches is True, but it needs batches of equal length; leave it out"
        )
    is_used = args.load_best_model_at_end or args.save_strategy == "best"
    if args.metric_for_best_model is None or not is_used or compute_metrics is not None:
        return
    names = evaluated_metrics((task.name, task.problem_type) for task in tasks)
    if isinstance(rows, dict):
        names = [f"{table}_{name}" for table in rows for name in names]
    given = args.metric_for_best_model.removeprefix("eval_")
    if given not in names:
        raise ValueError(
            f"metric_for_best_model is {given!r}; it must be one of {', '.join(names)}{nearest_hint(given, names)}"
        )


def check_scheduler(args: MultiTaskTrainingArguments, rate: float) -> None:
    """Raise a `ValueError` if the scheduler refuses its arguments.

    Args:
        args: The arguments.
        rate: The highest learning rate, of which a minimum such as `min_lr` is a part.
    """
    kind, given = SchedulerType(args.lr_scheduler_type), dict(args.lr_scheduler_kwargs or {})
    words = inspect.signature(_OF_TORCH.get(kind, TYPE_TO_SCHEDULER_FUNCTION[kind])).parameters
    allowed = [name for name in words if name not in _GIVEN_BY_THE_TRAINER]
    takes = f"{kind.value!r} takes {', '.join(allowed) or 'no arguments'}"
    if "kwargs" not in words and (unknown := [name for name in given if name not in allowed]):
        raise ValueError(f"lr_scheduler_kwargs has {unknown[0]!r}, but {takes}{nearest_hint(unknown[0], allowed)}")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    try:
        every = {"num_warmup_steps": 1, "num_training_steps": 10, "scheduler_specific_kwargs": given}
        scheduler = get_scheduler(kind, optimizer, **every)
        if kind not in _BY_A_METRIC:
            _take_steps(optimizer, scheduler)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"lr_scheduler_kwargs is {given}, which is refused: {error}; {takes}") from None
    least = given.get("min_lr") or 0.0
    if "min_lr_rate" in words and least >= rate:
        raise ValueError(f"lr_scheduler_kwargs.min_lr is {least}; it must be below the highest learning rate, {rate}")


def _take_steps(optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    """Take steps of a scheduler, because a wrong value fails only at its step."""
    for _ in range(10):
        optimizer.step()
        scheduler.step()
