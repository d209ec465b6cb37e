"""Ways of training several tasks, to be compared on one's own data."""

from dataclasses import dataclass
from typing import Any, NamedTuple

EVERYTHING = "everything"
# The names that `--only` takes; the capitals stand for a number and for the name of a task.
STRATEGIES = (
    *("everything_frozen", "backbone_frozen", "last_K_layers", EVERYTHING, "layer_wise_rates", "gradual_unfreezing"),
    *("lora", "TASK_head_frozen_loss_kept", "TASK_head_frozen_loss_ignored", "TASK_alone"),
)
# Adapters start at nothing and want about ten times the rate that whole weights do (Schulman et al. 2025, "LoRA
# Without Regret").
LORA_RATE = 10
_STAGES = 4  # of gradual unfreezing: the heads, a third of the layers, two thirds, everything


class StudyRates(NamedTuple):
    """The learning rates that all strategies share; `layer_decay` is for the one with a rate for each layer."""

    heads: float = 1e-3
    backbone: float = 5e-5
    layer_decay: float = 0.8


@dataclass(frozen=True)
class Strategy:
    """A way of training.

    Args:
        name: For folders and commands.
        title: For people.
        overrides: By the word of a recipe, what it says.
        tasks: The tasks that it says something of.
        candidate: Whether it may be recommended; the others are there to be compared.
    """

    name: str
    title: str
    overrides: dict[str, Any]
    tasks: tuple[str, ...]
    candidate: bool = True


def kept(task: str) -> str:
    """The name of the strategy that freezes the head of a task and keeps its loss."""
    return f"{task}_head_frozen_loss_kept"


def ignored(task: str) -> str:
    """The name of the strategy that freezes the head of a task and leaves its loss out."""
    return f"{task}_head_frozen_loss_ignored"


def alone(task: str) -> str:
    """The name of the strategy that trains one task only."""
    return f"{task}_alone"


def strategies(metrics: dict[str, str], layers: int, rates: StudyRates, steps: int) -> list[Strategy]:
    """All strategies for a model.

    Args:
        metrics: By task, its main metric.
        layers: How many layers the encoder has.
        rates: The rates they share.
        steps: Optimizer steps of a run; gradual unfreezing is spread over them.
    """
    tasks = tuple(metrics)
    one_rate = {"heads": rates.heads, "backbone": rates.backbone}

    def strategy(name: str, title: str, overrides: dict[str, Any], candidate: bool = True) -> Strategy:
        plain = {"freeze": "none", "phases": None, "lora": None, "learning_rates": one_rate}
        return Strategy(name, title, plain | overrides, tasks, candidate)

    lora = {"lora": {"r": 8, "lora_alpha": 16}, "learning_rates": {**one_rate, "backbone": rates.backbone * LORA_RATE}}
    whole = [
        strategy("everything_frozen", "everything frozen", {"freeze": "everything"}),
        strategy("backbone_frozen", "backbone frozen", {"freeze": "backbone"}),
        *(
            strategy(f"last_{k}_layers", f"last {k} of {layers} layers", {"phases": [{"train": _top(k, layers)}]})
            for k in _last(layers)
        ),
        strategy(EVERYTHING, "everything, one rate", {}),
        strategy(
            "layer_wise_rates",
            f"layer-wise rates, × {rates.layer_decay:g} a layer",
            {"learning_rates": {**one_rate, "layer_decay": rates.layer_decay}},
        ),
        strategy("gradual_unfreezing", "gradual unfreezing", {"phases": _gradual(layers, steps)}),
        strategy("lora", "LoRA", lora),
    ]
    if len(tasks) == 1:
        return whole
    heads = [
        each
        for task in tasks
        for each in (
            strategy(kept(task), f"head of {task} frozen, loss kept", _without({task}, keep=True), candidate=False),
            strategy(ignored(task), f"head of {task} frozen, loss ignored", _ignoring({task}, metrics), False),
        )
    ]
    singles = [
        Strategy(
            alone(task),
            f"{task} alone",
            strategy("", "", _ignoring({*tasks} - {task}, metrics)).overrides,
            (task,),
            False,
        )
        for task in tasks
    ]
    return [*whole, *heads, *singles]


def _last(layers: int) -> list[int]:
    """How many of the last layers to train: two, and about two thirds of all."""
    return sorted({k for k in (2, round(layers * 2 / 3)) if 0 < k < layers})


def _top(k: int, layers: int) -> list[str]:
    """The heads and the last k layers."""
    return ["heads", f"layers.{layers - k}-{layers - 1}"]


def _gradual(layers: int, steps: int) -> list[dict[str, Any]]:
    """From the heads down to everything, in stages of the same length (after Howard and Ruder 2018)."""
    thirds = sorted({k for k in (round(layers / 3), round(layers * 2 / 3)) if 0 < k < layers})
    parts = [["heads"], *(_top(k, layers) for k in thirds), ["everything"]][-max(min(_STAGES, steps), 1) :]
    ends: list[dict[str, Any]] = [{"until": f"step {round(steps * i / len(parts))}"} for i in range(1, len(parts))]
    return [{"train": train, **end} for train, end in zip(parts, [*ends, {}], strict=True)]


def _without(tasks: set[str], *, keep: bool = False) -> dict[str, Any]:
    """Everything trains but the heads of some tasks; their losses are kept, or weigh nothing."""
    phase = {"train": ["everything"], "freeze": [f"heads.{task}" for task in sorted(tasks)]}
    return {"phases": [phase if keep else {**phase, "weights": dict.fromkeys(sorted(tasks), 0.0)}]}


def _ignoring(tasks: set[str], metrics: dict[str, str]) -> dict[str, Any]:
    """The losses of some tasks weigh nothing, and where one is left, the checkpoint is chosen by its metric.

    The balancing is a plain sum: gradients that are nothing would leave some of the others (MGDA) no step at all. No
    task depends on another's answer, which may be that of a head that never learned.
    """
    overrides = {**_without(tasks), "balancing": "sum", **{f"tasks.{i}.given": None for i in range(len(metrics))}}
    left = [task for task in metrics if task not in tasks]
    metric = {"training.metric_for_best_model": f"{left[0]}_{metrics[left[0]]}"} if len(left) == 1 else {}
    return overrides | metric
