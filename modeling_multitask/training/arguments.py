"""The arguments of a training run: those of transformers, with learning rates, phases, balancing and sampling."""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from transformers import TrainingArguments
from transformers.training_args import OptimizerNames

from ..words_multitask import check_bounds, from_words, nearest_hint, word_of
from .averaging import Averaging
from .balancing_methods import BALANCING, GRADIENT_BALANCING
from .choices import TrainingChoices
from .defaults import RATES
from .keep_embedding import KeepEmbedding
from .metric_names import LESS_IS_BETTER
from .phases import Phase, parse_phase
from .prefix.caching import PrefixCaching
from .rates import LearningRates
from .sampling import Sampling


@dataclass
class MultiTaskTrainingArguments(TrainingArguments):
    """`TrainingArguments` with learning rates by depth, frozen parts, phases, balancing of the tasks and sampling.

    `metric_for_best_model` is `score` by default. `logging_nan_inf_filter` is false by default, because its
    check for NaN makes the host wait for the device at every step. A NaN loss ends the run, also with the filter.

    Args:
        learning_rate: One rate for all layers and heads. It cannot be combined with `learning_rates`.
        learning_rates: A [`LearningRates`] or a dict of its fields. Without it and `learning_rate`, the default is
            `heads` 1e-3 and `backbone` 5e-5 with a `layer_decay` of 0.9.
        freeze: The frozen parts: `none`, `everything`, one part such as `backbone`, or a list of parts such as
            `["embeddings", "layers.0-3", "heads.sentiment"]`.
        phases: [`Phase`]s or dicts of their fields, in order. They replace `freeze`.
        balancing: How the losses of the tasks (`sum`, `uncertainty`, `dwa`) or their gradients on the encoder (the
            other methods) are combined.
        conflict: `log` records the cosine between the gradients of the tasks on the encoder.
        conflict_steps: Optimizer steps between two of these records. By default, a fiftieth of the run.
        sampling: A [`Sampling`] or a dict of its fields: how often the rows of each source are drawn.
        average: An [`Averaging`] or a dict of its fields: the average of weights that is evaluated and saved.
        keep_embedding: A [`KeepEmbedding`] or a dict of its fields: a term of the loss that keeps the embedding near
            that of the model before training.
        tokens_per_batch: The maximum number of tokens of a batch, with padding. Batches then have rows of similar
            length, and `per_device_train_batch_size` is not used.
        early_stopping_patience: Training stops after this number of evaluations without a better
            `metric_for_best_model`.
        prefix_cache: Whether the output of frozen layers is cached on disk and reused: true, false, a
            [`PrefixCaching`] or a dict of its fields.

    Raises:
        ValueError: If a value is not allowed, or two arguments do not work together.

    Example:
        >>> from modeling_multitask import MultiTaskTrainingArguments

        >>> args = MultiTaskTrainingArguments(
        ...     "runs/reviews",
        ...     learning_rates={"heads": 1e-3, "backbone": 5e-5, "layer_decay": 0.9},
        ...     freeze=["embeddings", "layers.0-3"],
        ...     balancing="uncertainty",
        ... )
        >>> args.rates().layer_decay
        0.9
    """

    learning_rate: float | None = field(
        default=None, metadata={"help": "One rate for all layers and heads, instead of `learning_rates`."}
    )
    learning_rates: Any = word_of(TrainingChoices, "learning_rates")
    freeze: Any = word_of(TrainingChoices, "freeze", default="none")
    phases: Any = word_of(TrainingChoices, "phases")
    balancing: str = word_of(TrainingChoices, "balancing")
    conflict: str | None = word_of(TrainingChoices, "conflict")
    conflict_steps: int | None = word_of(TrainingChoices, "conflict_steps")
    sampling: Any = word_of(TrainingChoices, "sampling", default=None)
    average: Any = word_of(TrainingChoices, "average")
    keep_embedding: Any = word_of(TrainingChoices, "keep_embedding")
    tokens_per_batch: int | None = word_of(TrainingChoices, "tokens_per_batch")
    early_stopping_patience: int | None = word_of(TrainingChoices, "early_stopping_patience")
    prefix_cache: Any = word_of(TrainingChoices, "prefix_cache")
    metric_for_best_model: str | None = field(default=None, metadata={"help": "By default `score`."})
    greater_is_better: bool | None = field(default=None, metadata={"help": "False by default for a loss or an error."})
    logging_nan_inf_filter: bool = field(default=False, metadata={"help": "True: a NaN loss is not logged."})
    dataloader_pin_memory: bool | None = field(default=None, metadata={"help": "By default true, but not on a CPU."})
    lr_scheduler_kwargs: Any = field(default=None, metadata={"help": "Arguments of the scheduler."})
    ddp_find_unused_parameters: bool | None = field(default=None, metadata={"help": "True if parts are frozen."})

    def __post_init__(self) -> None:
        self._check_choices()
        self._make_plain()
        if self.freeze != "none" or self.phases:
            if self.ddp_find_unused_parameters is False:
                raise ValueError(
                    "ddp_find_unused_parameters is False; it must be True or left out if parts of the model are frozen"
                )
            self.ddp_find_unused_parameters = True  # parts are frozen after DDP is set up
        wants_best = self.load_best_model_at_end or self.save_strategy == "best"
        # Not a field. Only the Trainer knows the metrics that it can choose from.
        self.has_default_metric = self.metric_for_best_model is None and wants_best
        if self.metric_for_best_model is None and (wants_best or self.early_stopping_patience):
            self.metric_for_best_model = "score"
        if self.greater_is_better is None and self.metric_for_best_model is not None:
            self.greater_is_better = not self.metric_for_best_model.endswith(LESS_IS_BETTER)  # also of `mae`
        super().__post_init__()
        if self.dataloader_pin_memory is None:
            self.dataloader_pin_memory = self.device.type not in ("cpu", "mps")  # torch warns of memory it cannot pin
        if self.greater_is_better and self.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):
            # The default of torch is "min": the rate would fall while the metric improves.
            self.lr_scheduler_kwargs = {"mode": "max", **(self.lr_scheduler_kwargs or {})}
        # Checked here, because `accelerate launch --mixed_precision fp16` also sets it.
        if self.mixed_precision == "fp16" and self.balancing in GRADIENT_BALANCING:
            raise ValueError(f"balancing: {self.balancing} does not work with fp16, which scales the loss; use bf16")
        _ = self.schedule  # raises now if it is wrong
        self.rates()
        self.prefix_caching()
        self._check_average()
        self.keeping()

    def set_training(self, learning_rate: float | None = None, *args: Any, **kwargs: Any) -> Self:
        """Set the arguments of training as in transformers. Without a `learning_rate`, the rates are kept."""
        before = self.learning_rate
        super().set_training(0.0, *args, **kwargs)
        self.learning_rate = before if learning_rate is None else learning_rate
        return self

    def set_optimizer(
        self, name: str = "adamw_torch", learning_rate: float | None = None, *args: Any, **kwargs: Any
    ) -> Self:
        """Set the arguments of the optimizer as in transformers. Without a `learning_rate`, the rates are kept."""
        before = self.learning_rate
        super().set_optimizer(name, 0.0, *args, **kwargs)
        self.learning_rate = before if learning_rate is None else learning_rate
        return self

    def rates(self) -> LearningRates:
        """Return `learning_rates`, checked. Without them, `learning_rate` applies to all parameters.

        Without both, the default rates are returned. A hyperparameter search sets the fields after they were checked,
        so they are checked again here.

        Raises:
            ValueError: If both are given, or a field is unknown, missing or out of range.
        """
        if self.learning_rates is None:
            rate = self.learning_rate
            return RATES if rate is None else LearningRates(heads=rate, backbone=rate, cut_points=rate)
        if self.learning_rate is not None:
            raise ValueError(
                f"learning_rate is {self.learning_rate}, but learning_rates sets the rates of all layers; "
                "leave one of them out, also of a hyperparameter search"
            )
        return from_words(LearningRates, self.learning_rates, "learning_rates.")

    @cached_property
    def schedule(self) -> list[Phase]:
        """The phases of training. Without `phases`, one phase until the end.

        Raises:
            ValueError: If a field of a phase is unknown or not allowed.
        """
        parts = [self.freeze] if isinstance(self.freeze, str) else self.freeze
        frozen = tuple(part for part in parts if part != "none")
        phases = [parse_phase(each, f"phases[{i}].") for i, each in enumerate(self.phases or [{"freeze": frozen}])]
        if self.early_stopping_patience:
            if phases[-1].until is not None:
                raise ValueError(
                    f"early_stopping_patience is {self.early_stopping_patience}, but the last phase has its own "
                    f"until, {phases[-1].until!r}; leave one of them out"
                )
            metric = (self.metric_for_best_model or "score").removeprefix("eval_")
            stalled = f"no improvement of {metric} for {self.early_stopping_patience} evaluations"
            phases[-1] = replace(phases[-1], until=stalled)
        return phases

    @property
    def fits_heads(self) -> bool:
        """Whether a phase begins by fitting the heads."""
        return any(phase.fit_heads for phase in self.schedule)

    def phase_rates(self) -> list[LearningRates]:
        """Return the learning rates of each phase."""
        return [phase.learning_rates or self.rates() for phase in self.schedule]

    def sampler(self) -> Sampling:
        """Return `sampling`, checked.

        Raises:
            ValueError: If a field is unknown or not allowed.
        """
        return from_words(Sampling, self.sampling or {}, "sampling.")

    def averaging(self) -> Averaging | None:
        """Return `average`, checked; `None` if the weights are not averaged.

        Raises:
            ValueError: If a field is unknown or not allowed.
        """
        return None if self.average is None else from_words(Averaging, self.average, "average.")

    def keeping(self) -> KeepEmbedding | None:
        """Return `keep_embedding`, checked; `None` if the embedding may change freely.

        Raises:
            ValueError: If a field is unknown or not allowed.
        """
        given = self.keep_embedding
        return None if given is None else from_words(KeepEmbedding, given, "keep_embedding.")

    def prefix_caching(self) -> PrefixCaching | None:
        """Return `prefix_cache`, checked; `None` if nothing is cached.

        Raises:
            ValueError: If a field is unknown or not allowed.
        """
        if isinstance(self.prefix_cache, bool):
            return PrefixCaching() if self.prefix_cache else None
        if not isinstance(self.prefix_cache, dict | PrefixCaching):
            raise ValueError(f"prefix_cache is {self.prefix_cache!r}; it must be true, false, or a dict")
        return from_words(PrefixCaching, self.prefix_cache, "prefix_cache.")

    def _check_choices(self) -> None:
        check_bounds(self)
        if self.balancing not in BALANCING:
            hint = nearest_hint(self.balancing, BALANCING)
            raise ValueError(f"balancing is {self.balancing!r}; it must be one of {', '.join(BALANCING)}{hint}")
        if self.conflict not in (None, "log"):
            raise ValueError(f"conflict is {self.conflict!r}; it must be log, or left out")
        # transformers sets torch_compile later if only one of the other two is given.
        compiles = self.torch_compile or self.torch_compile_backend or self.torch_compile_mode
        if compiles and (self.conflict or self.balancing in GRADIENT_BALANCING):
            # A compiled backward pass frees its buffers and runs only once.
            what = "conflict: log" if self.conflict else f"balancing: {self.balancing}"
            raise ValueError(
                f"{what} needs the gradient of each task, which torch_compile does not support; leave one of them out"
            )
        if self.phases and self.freeze != "none":
            raise ValueError("freeze and phases are both given; use the freeze of each phase instead")

    def _check_average(self) -> None:
        averaging = self.averaging()
        if averaging is None:
            return
        if self.freeze in ("everything", ["everything"]):
            raise ValueError("average is set, but nothing trains with freeze 'everything'; leave one of them out")
        if (optim := OptimizerNames(self.optim).value).startswith("schedule_free"):
            raise ValueError(f"average is set, but optim {optim!r} averages the weights itself; leave one of them out")
        if averaging.last is not None and self.eval_strategy == "no" and self.save_strategy == "no":
            raise ValueError(
                f"average.last is {averaging.last}, but there are no evaluations and checkpoints to average; set "
                "eval_strategy or save_strategy, or use average.ema"
            )

    def _make_plain(self) -> None:
        """Turn objects into plain JSON, which experiment trackers need."""
        if isinstance(self.learning_rates, LearningRates):
            self.learning_rates = asdict(self.learning_rates)
        if isinstance(self.sampling, Sampling):
            self.sampling = asdict(self.sampling)
        if isinstance(self.average, Averaging):
            self.average = asdict(self.average)
        if isinstance(self.prefix_cache, PrefixCaching):
            self.prefix_cache = asdict(self.prefix_cache)
        if isinstance(self.keep_embedding, KeepEmbedding):
            self.keep_embedding = asdict(self.keep_embedding)
        if self.phases:
            self.phases = [asdict(phase) if isinstance(phase, Phase) else phase for phase in self.phases]
