"""The arguments of a training run: transformers' own, and what trains at which rate and with which losses."""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from transformers import TrainingArguments

from ..words_multitask import from_words, nearest_hint
from .balancing_methods import BALANCING, GRADIENT_BALANCING
from .metric_names import LESS_IS_BETTER
from .phases import Phase, parse_phase
from .prefix.caching import PrefixCaching
from .rates import LearningRates
from .sampling import Sampling


@dataclass
class MultiTaskTrainingArguments(TrainingArguments):
    """`TrainingArguments` with learning rates by depth, frozen parts, phases, balancing of the tasks and sampling.

    Where the best checkpoint is wanted and no metric is named, it is `score`, which exists at every evaluation. A loss
    that is NaN is logged as that, `logging_nan_inf_filter` being false: looking for it would make the host wait for the
    device at every step.

    Args:
        learning_rates: A [`LearningRates`] or a dict of its fields; left out, `learning_rate` is everyone's.
        freeze: What keeps its weights: `none`, `everything`, one part such as `backbone`, or a list of parts such as
            `[embeddings, layers.0-3, heads.sentiment]`.
        phases: [`Phase`]s or dicts of their fields, in order, instead of `freeze`.
        balancing: How the tasks' losses (`sum`, `uncertainty`, `dwa`) or their gradients on the encoder (the others)
            are combined.
        conflict: `log` records the cosine between the tasks' gradients on the encoder.
        conflict_steps: Optimizer steps between two of these records; by default a fiftieth of the run.
        sampling: A [`Sampling`] or a dict of its fields: how often rows of which source are drawn.
        tokens_per_batch: Makes batches of similar length with at most so many tokens, padding included, instead
            of `per_device_train_batch_size` rows.
        early_stopping_patience: Evaluations without a better `metric_for_best_model` after which training stops.
        prefix_cache: Whether what leaves frozen layers is computed once for each text and kept on disk: true, false, or
            a [`PrefixCaching`] or a dict of its fields.
    """

    learning_rates: Any = field(default=None, metadata={"help": "Rates by depth, in bands, or by pattern."})
    freeze: Any = field(default="none", metadata={"help": "none, everything, backbone, or a list of parts."})
    phases: Any = field(default=None, metadata={"help": "Phases with parts, rates and weights of their own."})
    balancing: str = field(default="sum", metadata={"help": "How tasks are combined."})
    conflict: str | None = field(default=None, metadata={"help": "log, to record the cosine between gradients."})
    conflict_steps: int | None = field(default=None, metadata={"help": "Steps between two such records."})
    sampling: Any = field(default=None, metadata={"help": "strategy, temperature and task."})
    tokens_per_batch: int | None = field(default=None, metadata={"help": "Token budget of a batch."})
    early_stopping_patience: int | None = field(default=None, metadata={"help": "Evaluations without a better one."})
    prefix_cache: Any = field(default=True, metadata={"help": "true, false, or folder and gigabytes."})
    metric_for_best_model: str | None = field(default=None, metadata={"help": "By default `score`."})
    greater_is_better: bool | None = field(default=None, metadata={"help": "By default false of a loss or an error."})
    logging_nan_inf_filter: bool = field(default=False, metadata={"help": "True: a loss that is NaN is not logged."})
    lr_scheduler_kwargs: Any = field(default=None, metadata={"help": "The scheduler's own."})
    ddp_find_unused_parameters: bool | None = field(default=None, metadata={"help": "True if parts are frozen."})

    def __post_init__(self) -> None:
        self._check_choices()
        self._make_plain()
        if self.freeze != "none" or self.phases:
            if self.ddp_find_unused_parameters is False:
                raise ValueError("parts of the model are frozen, so ddp_find_unused_parameters cannot be false")
            self.ddp_find_unused_parameters = True  # DDP counts on what is frozen after it was set up
        wants_best = self.load_best_model_at_end or self.save_strategy == "best"
        if self.metric_for_best_model is None and (wants_best or self.early_stopping_patience):
            self.metric_for_best_model = "score"
        if self.greater_is_better is None and self.metric_for_best_model is not None:
            self.greater_is_better = not self.metric_for_best_model.endswith(LESS_IS_BETTER)  # also of `mae`
        super().__post_init__()
        if self.greater_is_better and self.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):
            # Else torch's own: the rate would fall as the metric rises.
            self.lr_scheduler_kwargs = {"mode": "max", **(self.lr_scheduler_kwargs or {})}
        # Here, since `accelerate launch --mixed_precision fp16` sets it as well.
        if self.mixed_precision == "fp16" and self.balancing in GRADIENT_BALANCING:
            raise ValueError(f"balancing: {self.balancing} does not go with fp16, whose loss is scaled; use bf16")
        _ = self.schedule  # says now what is wrong with it
        self.prefix_caching()

    def rates(self) -> LearningRates:
        """`learning_rates`, checked; `learning_rate` for all where they are left out.

        Raises:
            ValueError: If a rate is unknown, missing or cannot be.
        """
        if self.learning_rates is None:
            return LearningRates(heads=self.learning_rate, backbone=self.learning_rate)
        return from_words(LearningRates, self.learning_rates, "learning_rates.")

    @cached_property
    def schedule(self) -> list[Phase]:
        """The phases of training; one, which lasts to the end, where none are given. Built once.

        Raises:
            ValueError: If a word of a phase is unknown or cannot be.
        """
        parts = [self.freeze] if isinstance(self.freeze, str) else self.freeze
        frozen = tuple(part for part in parts if part != "none")
        phases = [parse_phase(each, f"phases[{i}].") for i, each in enumerate(self.phases or [{"freeze": frozen}])]
        if self.early_stopping_patience:
            if phases[-1].until is not None:
                raise ValueError(
                    f"early_stopping_patience is {self.early_stopping_patience}, but the last phase ends by its own "
                    f"until, {phases[-1].until!r}; leave one out"
                )
            metric = (self.metric_for_best_model or "score").removeprefix("eval_")
            stalled = f"no improvement of {metric} for {self.early_stopping_patience} evaluations"
            phases[-1] = replace(phases[-1], until=stalled)
        return phases

    def phase_rates(self) -> list[LearningRates]:
        """The rates of each phase."""
        return [phase.learning_rates or self.rates() for phase in self.schedule]

    def sampler(self) -> Sampling:
        """`sampling`, checked.

        Raises:
            ValueError: If a word is unknown or cannot be.
        """
        return from_words(Sampling, self.sampling or {}, "sampling.")

    def prefix_caching(self) -> PrefixCaching | None:
        """`prefix_cache`, checked; `None` if nothing is to be kept.

        Raises:
            ValueError: If a word is unknown or cannot be.
        """
        if isinstance(self.prefix_cache, bool):
            return PrefixCaching() if self.prefix_cache else None
        if not isinstance(self.prefix_cache, dict | PrefixCaching):
            raise ValueError(f"prefix_cache is {self.prefix_cache!r}; it must be true, false, or a dict")
        return from_words(PrefixCaching, self.prefix_cache, "prefix_cache.")

    def _check_choices(self) -> None:
        if self.balancing not in BALANCING:
            hint = nearest_hint(self.balancing, BALANCING)
            raise ValueError(f"balancing is {self.balancing!r}; it must be one of {', '.join(BALANCING)}{hint}")
        if self.conflict not in (None, "log"):
            raise ValueError(f"conflict is {self.conflict!r}; it must be log, or left out")
        if self.conflict_steps is not None and self.conflict_steps < 1:
            raise ValueError(f"conflict_steps is {self.conflict_steps}; it must be at least 1")
        # By now transformers has not set torch_compile where only one of the others is given.
        compiles = self.torch_compile or self.torch_compile_backend or self.torch_compile_mode
        if compiles and (self.conflict or self.balancing in GRADIENT_BALANCING):
            # A compiled backward gives its buffers away, and runs only once.
            what = "conflict: log" if self.conflict else f"balancing: {self.balancing}"
            raise ValueError(f"{what} needs the gradient of each task, which torch_compile cannot give; leave one out")
        if self.phases and self.freeze != "none":
            raise ValueError("freeze and phases are both given; say what is frozen in the phases")
        if self.tokens_per_batch is not None and self.tokens_per_batch < 1:
            raise ValueError(f"tokens_per_batch is {self.tokens_per_batch}; it must be at least 1")

    def _make_plain(self) -> None:
        """Objects become plain JSON, as trackers want it."""
        if isinstance(self.learning_rates, LearningRates):
            self.learning_rates = asdict(self.learning_rates)
        if isinstance(self.sampling, Sampling):
            self.sampling = asdict(self.sampling)
        if isinstance(self.prefix_cache, PrefixCaching):
            self.prefix_cache = asdict(self.prefix_cache)
        if self.phases:
            self.phases = [asdict(phase) if isinstance(phase, Phase) else phase for phase in self.phases]
