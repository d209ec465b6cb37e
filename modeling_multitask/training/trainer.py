"""A Trainer for multi-task models whose losses are exact with missing labels."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import Trainer
from transformers.trainer_utils import TrainOutput

from datasets_builder.columns import SOURCE, WEIGHT, distribution_column

from ..modeling_multitask import MultiTaskModel
from ..texts_multitask import TEXT, TEXT_PAIR, plain_rows
from .arguments import MultiTaskTrainingArguments
from .averaging_mixin import AveragingMixin
from .balancing import make_balancing
from .balancing_methods import GRADIENT_BALANCING
from .batches import SamplingMixin
from .card_mixin import CardMixin, check_pushed_card
from .checks import (
    check_arguments,
    check_kind,
    check_model,
    check_phases,
    check_processes,
    check_rows,
    check_trial,
    fixed_arguments,
)
from .collator import known_list_forms, make_collator, plain_tables
from .contrastive import ContrastiveMixin
from .divergence import Divergence
from .divergence_mixin import DivergenceMixin
from .evaluation_checks import check_evaluation, check_scheduler, choose_default_metric
from .evaluation_mixin import EvaluationMixin
from .fitting_checks import check_fitting
from .fitting_mixin import HeadFittingMixin
from .freezing import train_only, trains_encoder
from .gradients import GradientBalancing, TaskGradients, gradient_cosines, set_gradient
from .keeping_checks import check_keeping
from .keeping_mixin import KEPT, KeepEmbeddingMixin
from .label_counts import count_labels, label_parts
from .label_statistics import start_heads
from .loss_log import TaskLossLog
from .metrics import flat_metrics
from .named_rows import naming_rows
from .parameter_groups import highest_rate, parameter_groups
from .phase_callback import EpochEndCallback, PhaseCallback
from .phase_fitting import HeadFittingCallback
from .prefix.mixin import PrefixCacheMixin
from .samplers import row_groups
from .saving_mixin import SavingMixin
from .start_embeddings import START
from .tokens import align_tokens


class MultiTaskTrainer(
    DivergenceMixin,
    AveragingMixin,
    KeepEmbeddingMixin,
    HeadFittingMixin,
    ContrastiveMixin,
    PrefixCacheMixin,
    EvaluationMixin,
    SamplingMixin,
    CardMixin,
    SavingMixin,
    Trainer,
):
    """A `Trainer` for a [`MultiTaskModel`] and partially labelled rows.

    A row has `text` or `input_ids`, and a column for any of the tasks. The format of `with_format` does not matter. A
    missing label adds nothing to any loss. The loss of a task is the mean over the labelled entries of the whole
    optimizer step. The gradients therefore do not depend on the number of micro-batches or processes. The log has
    `loss` and `<task>_loss`, and with `keep_embedding` the distance to the embedding before training as
    `keep_embedding_loss`. An evaluation adds `eval_<task>_accuracy`, `eval_<task>_macro_f1`, ... and `eval_score`.

    Args:
        model: The model, with or without the adapters of `add_lora`.
        args: The arguments of the run.
        data_collator: By default, a [`MultiTaskCollator`] with `processing_class`.
        compute_metrics: By default, the metrics above.
        create_card: Returns the card of this trainer's model, for `push_to_hub` and `create_model_card`:
            `modeling_multitask.publishing.trainer_card`. Without it, both are an error.
        kwargs: Passed to `Trainer`.

    Raises:
        ValueError: If the arguments do not fit the model or each other.

    Example:
        >>> from datasets import Dataset
        >>> from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
        >>> from transformers import AutoTokenizer

        >>> name = "distilbert/distilbert-base-uncased"
        >>> topic = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
        >>> trainer = MultiTaskTrainer(
        ...     model=MultiTaskModel.from_backbone(name, tasks=[topic]),
        ...     args=MultiTaskTrainingArguments("runs/topics", learning_rates={"heads": 1e-3, "backbone": 5e-5}),
        ...     train_dataset=Dataset.from_dict({"text": ["A dull film.", "Good soup."], "topic": [0, 1]}),
        ...     processing_class=AutoTokenizer.from_pretrained(name),
        ... )
        >>> trainer.train()
    """

    args: MultiTaskTrainingArguments
    data_collator: Any
    train_dataset: Any
    optimizer: torch.optim.Optimizer | None

    def __init__(
        self,
        model: MultiTaskModel,
        args: MultiTaskTrainingArguments,
        *,
        data_collator: Callable | None = None,
        compute_metrics: Callable | None = None,
        create_card: Callable[..., str] | None = None,
        **kwargs: Any,
    ) -> None:
        check_model(model)
        kwargs |= {name: plain_tables(kwargs.get(name)) for name in ("train_dataset", "eval_dataset")}
        check_kind(args)
        check_pushed_card(args, create_card)
        self.create_card = create_card
        trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        check_arguments(args, kwargs)
        choose_default_metric(args, compute_metrics, kwargs.get("eval_dataset"))
        check_evaluation(args, model.config.tasks, compute_metrics, kwargs.get("eval_dataset"))
        check_phases(args, model, trainable)
        check_scheduler(args, highest_rate(parameter_groups(model, args.phase_rates(), 0.0)))
        data_collator = make_collator(data_collator, model, kwargs)
        check_keeping(args, model, trainable, collator=data_collator, rows=kwargs.get("train_dataset"))
        check_fitting(args, model, trainable, collator=data_collator, rows=kwargs.get("train_dataset"))
        align_tokens(model.config, kwargs.get("processing_class"))
        self.list_forms = known_list_forms(data_collator)
        start_heads(model, kwargs.get("train_dataset"), self.list_forms)
        model_init = kwargs.pop("model_init", None)  # transformers refuses it together with a model
        super().__init__(
            model=model,
            args=args,
            data_collator=data_collator,
            compute_metrics=compute_metrics or partial(flat_metrics, tasks=model.config.tasks),
            **kwargs,
        )
        self.model_init = model_init
        self.built_with = fixed_arguments(args)
        self.trains_encoder = trains_encoder(model, args.schedule, trainable)  # merged adapters lose their names
        tasks = model.config.tasks
        self.task_losses = TaskLossLog()
        self.phases = PhaseCallback(args.schedule, trainable)
        self.balancing = make_balancing(args.balancing, tasks, self.accelerator)
        # A balancing learns from the losses of labels, which have another size than those of pairs.
        self.pair_balancing = make_balancing("sum", tasks, self.accelerator)
        self.task_gradients = TaskGradients([task.name for task in tasks], self.accelerator)
        self.kept_gradients = TaskGradients([KEPT], self.accelerator)
        self.divergence = Divergence([task.name for task in tasks], self.accelerator)
        self.gradient_balancing: GradientBalancing | None = None
        check_processes(args, model, sharded=self.is_fsdp_enabled or self.is_deepspeed_enabled)
        check_rows(self.train_dataset, args)
        if isinstance(self.train_dataset, Dataset):
            row_groups(self.train_dataset, args.sampler())  # raises now if the rows do not fit the sampling
        if args.balancing in GRADIENT_BALANCING:
            self.gradient_balancing = GradientBalancing(args.balancing, self.accelerator)
        fitting = HeadFittingCallback(self.phases, self.fit_heads) if args.fits_heads else None
        own = (EpochEndCallback(), self.phases, fitting, self.balancing, self.gradient_balancing)
        for callback in filter(None, own):
            self.add_callback(callback)

    def call_model_init(self, *args: Any, **kwargs: Any) -> MultiTaskModel:
        """Return the model of a trial of a hyperparameter search, whose new heads start from the training labels."""
        model = super().call_model_init(*args, **kwargs)
        start_heads(model, self.train_dataset, self.list_forms)
        return model

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train as `Trainer.train` does, and unfreeze the model at the end, also after an error.

        Raises:
            DivergedError: If a loss, the gradient or a weight becomes NaN, infinite or too large.
            ValueError: If a row has an invalid text or label. The message has its number, counted from 0.
        """
        self.train_dataset = plain_rows(self.train_dataset)
        try:
            with naming_rows(self.data_collator, {"train_dataset": self.train_dataset}):
                return super().train(*args, **kwargs)
        finally:
            train_only(self.model, self.phases.trainable)

    def _hp_search_setup(self, trial: Any) -> None:
        # `train` always calls this method. From here on, the arguments and the model are those of the run or trial.
        super()._hp_search_setup(trial)
        check_trial(self.args, self.built_with)
        self.set_average()
        self.embed_rows()
        self.set_cache()

    def create_optimizer(self, model: MultiTaskModel | None = None) -> torch.optim.Optimizer:
        """Create an optimizer for the groups of `parameter_groups` and the parameters of the balancing."""
        if self.optimizer is None:
            model = self.model if model is None else model
            cls, kwargs = self.optimizer_cls_and_kwargs or self.get_optimizer_cls_and_kwargs(self.args, model)
            if own := {"params", "model", "optimizer_dict"} & set(kwargs):
                raise ValueError(
                    f"optim is {self.args.optim!r}: it sets {own} itself, so learning rates by layer are not possible; "
                    "choose another optim"
                )
            groups = parameter_groups(model, self.args.phase_rates(), self.args.weight_decay)
            if learned := self.balancing.parameters():
                named = [(f"balancing.{i}", parameter) for i, parameter in enumerate(learned)]
                # The highest rate of any group: the rate of the first group, the heads, is 0 if they are frozen.
                rates = tuple(map(max, zip(*(group["rates"] for group in groups), strict=True)))
                own_group = {"params": named, "lr": rates[0], "weight_decay": 0.0, "name": "balancing", "rates": rates}
                groups.append(own_group)
            if kwargs.get("lr", 0.0) is None:  # no `learning_rate`; schedules such as cosine_with_min_lr read this rate
                kwargs = {**kwargs, "lr": highest_rate(groups)}
            self.optimizer = cls(groups, **kwargs)
            self.optimizer.register_load_state_dict_pre_hook(_check_groups)
        return self.optimizer

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[Any], dict[str, Tensor] | None]:
        """Return the micro-batches of one optimizer step, and the divisor of each task over all processes."""
        if self.control.should_training_stop:  # a finished run was resumed: the Trainer would take one more step
            return [], None
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.task_losses.begin_step()
        # DataParallel splits tensors by row, and a count has no rows: each batch then uses its own mean.
        if self.args.n_gpu > 1 or not batches:
            return batches, None
        tasks = self.model.config.tasks
        counts = torch.stack([count_labels(batches, task).to(device) for task in tasks])
        counts = self.accelerator.reduce(counts, reduction="sum")
        return batches, {task.name: count for task, count in zip(tasks, counts, strict=True)}

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Run one micro-batch. At the end of an optimizer step, compare or combine the gradients of the tasks."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.task_gradients and self.accelerator.sync_gradients:
            matrix = self.task_gradients.take()
            if self._records_conflict() and (found := gradient_cosines(matrix, self.task_gradients.tasks)):
                self.log(found)
            if self.gradient_balancing is not None:
                self.divergence.add_gradient(matrix, self.state.global_step + 1)
                self.check_divergence()  # before the solvers, which fail on NaN, on the first process only
                set_gradient(self._shared(), self.gradient_balancing.combine(matrix) + self.take_kept_gradient())
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: dict[str, Tensor] | None = None,
    ) -> Any:
        """Return the task losses combined by the balancing. Frozen parts run in eval mode."""
        if not model.training:  # figures are not weighted
            unweighted = {name: each for name, each in inputs.items() if name != "sample_weight"}
            return super().compute_loss(model, unweighted, return_outputs, None)
        encoder = () if "embeddings" in inputs else self.phases.frozen_encoder
        for module in (*encoder, *self.phases.frozen_heads):
            module.training = False
        start = inputs.pop(START, None)
        outputs = model(**inputs, num_items_in_batch=num_items_in_batch)
        tasks = self.model.config.tasks
        losses = self.losses_of(outputs, inputs, tasks, whole_step=num_items_in_batch is not None)
        self.task_losses.add(losses)
        weights = {task.name: self.phases.current.weights.get(task.name, task.weight) for task in tasks}
        balancing = self.pair_balancing if self.phases.current.is_contrastive else self.balancing
        parts = label_parts(inputs, num_items_in_batch, tasks) if balancing.needs_parts else {}
        loss = balancing.combine(losses, weights, parts)
        shared = self._shared() if self.gradient_balancing or self._records_conflict() else []
        if shared:
            self.task_gradients.add({name: weights[name] * each for name, each in losses.items()}, shared)
        loss = loss + self.kept_loss(outputs["embeddings"], start, shared if self.gradient_balancing else None)
        self.divergence.add_losses(losses, loss, self.state.global_step + 1)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # DDP takes the mean over processes
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log these values, with the loss of each task if they have a training loss."""
        if "loss" in logs:
            logs = {**logs, **self.task_losses.read(self.accelerator)}
        super().log(logs, start_time)

    def _records_conflict(self) -> bool:
        every = self.args.conflict_steps or math.ceil(self.state.max_steps / 50) or 1
        return self.args.conflict is not None and self.state.global_step % every == 0

    def _shared(self) -> list[nn.Parameter]:
        """The trainable parameters that all tasks share."""
        shared = (*self.model.backbone.parameters(), *self.model.dense.parameters())
        return [parameter for parameter in shared if parameter.requires_grad]

    def _set_signature_columns_if_needed(self) -> None:
        if self._signature_columns:
            return
        super()._set_signature_columns_if_needed()
        # `remove_unused_columns` would drop the labels otherwise: they are not arguments of `forward`.
        tasks = [task.name for task in self.model.config.tasks]
        labels = [*tasks, *map(distribution_column, tasks), WEIGHT]
        self._signature_columns = [*(self._signature_columns or ()), START, TEXT, TEXT_PAIR, SOURCE, *labels]


def _check_groups(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Raise a `ValueError` if a checkpoint has other groups of parameters, as those of version 0.1."""
    groups = [[group.get("name") for group in groups] for groups in (optimizer.param_groups, saved["param_groups"])]
    if groups[0] != groups[1]:
        own, there = (", ".join(map(str, names)) for names in groups)
        raise ValueError(
            f"the checkpoint cannot be resumed: its optimizer has the groups {there}, but this run has {own}; "
            "it was written by another version; start the run again"
        )
