"""A Trainer whose losses are exact over missing labels, and which owns no rules of its own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from ..configuration_multitask import TaskConfig
from ..losses_multitask import loss_divisor
from ..modeling_multitask import MultiTaskModel
from .arguments import MultiTaskTrainingArguments
from .collator import MultiTaskCollator
from .freezing import FreezeCallback, put_frozen_in_eval_mode
from .loss_log import TaskLossLog
from .metrics import flat_metrics
from .parameter_groups import parameter_groups


class MultiTaskTrainer(Trainer):
    """Trains a [`MultiTaskModel`] on rows of which most lack some labels.

    A row has `text` or `input_ids`, and any of the tasks' columns; what is missing adds nothing to any loss.
    A task's loss is its mean over the labelled entries of the whole optimizer step, so gradients do not depend
    on how the step is cut into micro-batches or spread over processes. Logged are `<task>_loss` beside `loss`
    and, from evaluation, `eval_<task>_accuracy`, `eval_<task>_macro_f1`, ... and `eval_score`.

    Args:
        model: The model.
        args: What to train, at which rates, for how long.
        data_collator: A [`MultiTaskCollator`] with `processing_class` if left out.
        compute_metrics: The metrics named above if left out.
        kwargs: As for `Trainer`.

    Example:
        >>> trainer = MultiTaskTrainer(
        ...     model=model,
        ...     args=MultiTaskTrainingArguments("runs/reviews", learning_rates={"heads": 1e-3, "backbone": 5e-5}),
        ...     train_dataset=dataset["train"],
        ...     eval_dataset=dataset["validation"],
        ...     processing_class=tokenizer,
        ... )
        >>> trainer.train()
    """

    args: MultiTaskTrainingArguments
    optimizer: torch.optim.Optimizer | None
    _signature_columns: list[str] | None

    def __init__(
        self,
        model: MultiTaskModel,
        args: MultiTaskTrainingArguments,
        *,
        data_collator: Callable | None = None,
        compute_metrics: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        _check_arguments(args, kwargs)
        if data_collator is None:
            if kwargs.get("processing_class") is None:
                raise ValueError("give a processing_class (the tokenizer), or a data_collator")
            data_collator = MultiTaskCollator(kwargs["processing_class"], model.config)
        super().__init__(
            model=model,
            args=args,
            data_collator=data_collator,
            compute_metrics=compute_metrics or partial(flat_metrics, tasks=model.config.tasks),
            **kwargs,
        )
        self.task_losses = TaskLossLog()
        self.add_callback(FreezeCallback())

    def create_optimizer(self, model: MultiTaskModel | None = None) -> torch.optim.Optimizer:
        """An optimizer over the groups of `parameter_groups`."""
        if self.optimizer is None:
            model = self.model if model is None else model
            cls, kwargs = self.optimizer_cls_and_kwargs or self.get_optimizer_cls_and_kwargs(self.args, model)
            if own := {"params", "model", "optimizer_dict"} & set(kwargs):
                raise ValueError(f"optim={self.args.optim}: it makes its own {own}, so layers cannot have their rates")
            self.optimizer = cls(parameter_groups(model, self.args.rates(), self.args.weight_decay), **kwargs)
        return self.optimizer

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[Any], dict[str, Tensor] | None]:
        """The micro-batches of one optimizer step, and each task's divisor over all of them and all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.task_losses.begin_step()
        # DataParallel cuts tensors up by row, and a count has none; there each batch keeps its own mean.
        if self.args.n_gpu > 1 or not batches:
            return batches, None
        tasks = self.model.config.tasks
        counts = torch.stack([_count_labels(batches, task).to(device) for task in tasks])
        counts = self.accelerator.reduce(counts, reduction="sum")
        return batches, {task.name: count for task, count in zip(tasks, counts, strict=True)}

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: dict[str, Tensor] | None = None,
    ) -> Any:
        """The weighted sum of the task losses; frozen parts run in eval mode."""
        if model.training:
            put_frozen_in_eval_mode(model)
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if model.training:
            self.task_losses.add(outputs["task_losses"])
        return (loss, outputs) if return_outputs else loss

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """As the Trainer's, but with the exact loss: its mean over batches counts scarce labels too much."""
        output = super().evaluation_loop(*args, **kwargs)
        prefix = kwargs.get("metric_key_prefix", "eval")
        metrics = output.metrics or {}
        if f"{prefix}_loss" in metrics and f"{prefix}_score" in metrics:
            metrics[f"{prefix}_loss"] = sum(
                task.weight * metrics.get(f"{prefix}_{task.name}_loss", 0.0) for task in self.model.config.tasks
            )
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds each task's loss to the lines that report a training loss."""
        if "loss" in logs:
            logs = {**logs, **self.task_losses.read(self.accelerator)}
        super().log(logs, start_time)

    def _set_signature_columns_if_needed(self) -> None:
        if self._signature_columns:
            return
        super()._set_signature_columns_if_needed()
        # Else `remove_unused_columns` would take the labels, which are no arguments of `forward`.
        labels = [task.name for task in self.model.config.tasks]
        self._signature_columns = [*(self._signature_columns or ()), "text", *labels]


def _count_labels(batches: list[Any], task: TaskConfig) -> Tensor:
    """The divisor of a task's loss over several micro-batches, some of which may leave the task out; ()."""
    given = [batch["labels"][task.name] for batch in batches if task.name in batch["labels"]]
    return sum((loss_divisor(labels, task).float() for labels in given), start=torch.tensor(0.0))


def _check_arguments(args: MultiTaskTrainingArguments, kwargs: dict[str, Any]) -> None:
    """Refuses what would silently train something else."""
    if args.label_smoothing_factor:
        raise ValueError(
            f"label_smoothing_factor is {args.label_smoothing_factor}, but it knows only one task; "
            "give each task its own label_smoothing"
        )
    if not args.average_tokens_across_devices:
        raise ValueError("average_tokens_across_devices is false, but labels are always counted over all processes")
    if kwargs.get("compute_loss_func") is not None:
        raise ValueError("compute_loss_func is given, but the model computes the loss of each task itself")
