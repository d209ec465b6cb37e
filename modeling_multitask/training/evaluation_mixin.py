"""The evaluations of a `MultiTaskTrainer`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput, PredictionOutput

from ..texts_multitask import plain_rows
from .arguments import MultiTaskTrainingArguments
from .collator import plain_tables, tables_of, with_list_forms
from .named_rows import naming_rows


class EvaluationMixin(Trainer):
    """The part of a `MultiTaskTrainer` that evaluates and predicts."""

    args: MultiTaskTrainingArguments
    data_collator: Any

    def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate as `Trainer.evaluate` does. A message about a row has its number."""
        eval_dataset = plain_tables(eval_dataset)
        self.data_collator = with_list_forms(self.data_collator, tables_of(eval_dataset), self.model.config.tasks)
        with naming_rows(self.data_collator, self._evaluated(eval_dataset)):
            return super().evaluate(eval_dataset, *args, **kwargs)

    def predict(self, test_dataset: Any, *args: Any, **kwargs: Any) -> PredictionOutput:
        """Predict as `Trainer.predict` does. A message about a row has its number."""
        test_dataset = plain_tables(test_dataset)
        self.data_collator = with_list_forms(self.data_collator, [test_dataset], self.model.config.tasks)
        with naming_rows(self.data_collator, {"test_dataset": test_dataset}):
            return super().predict(test_dataset, *args, **kwargs)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """Evaluate, and correct the loss: the Trainer's mean over batches gives rare labels too much weight.

        With `bf16_full_eval` or `fp16_full_eval`, the weights are rounded while they are used. transformers rounds the
        weights of the model itself, which would then be saved, or trained further.
        """
        arguments = self.args
        dtype = torch.bfloat16 if arguments.bf16_full_eval else torch.float16 if arguments.fp16_full_eval else None
        if dtype is not None and not self.is_in_train:
            self.model.to(arguments.device)  # transformers leaves this to the evaluation
        rounding = nullcontext() if dtype is None else torch.autocast(arguments.device.type, dtype)
        with changed(arguments, bf16_full_eval=False, fp16_full_eval=False), rounding:
            output = super().evaluation_loop(*args, **kwargs)
        prefix = kwargs.get("metric_key_prefix", "eval")
        metrics = output.metrics or {}
        if f"{prefix}_loss" in metrics and f"{prefix}_score" in metrics:
            metrics[f"{prefix}_loss"] = sum(
                task.weight * metrics.get(f"{prefix}_{task.name}_loss", 0.0) for task in self.model.config.tasks
            )
        return output

    def _evaluated(self, given: Any) -> dict[str, Any]:
        """Return the table of an evaluation by its name in messages; none if there are several tables."""
        given = self.eval_dataset if given is None else given
        if isinstance(given, str):
            return {f"eval_dataset[{given!r}]": self.eval_dataset[given]}
        return {} if isinstance(given, dict) else {"eval_dataset": given}

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        # A score of 0 means that nothing is right, or that no metric can be computed, as with one validation row. It
        # chooses no checkpoint, so the latest one is kept.
        if self.args.metric_for_best_model == "score" and self.state.best_metric == metrics.get("eval_score") == 0:
            self.state.best_metric = None
        return super()._determine_best_metric(metrics, trial)

    def _get_dataloader(self, dataset: Any, *args: Any, **kwargs: Any) -> DataLoader:
        dataset = plain_rows(dataset)  # also of a loader that is not for `train`, `evaluate` or `predict`
        if kwargs.get("is_training"):
            return super()._get_dataloader(dataset, *args, **kwargs)
        with changed(self.args, dataloader_drop_last=False):  # every row is evaluated
            return super()._get_dataloader(dataset, *args, **kwargs)


@contextmanager
def changed(owner: Any, **values: Any) -> Iterator[None]:
    """Change attributes of an object for the time of a `with` block."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
