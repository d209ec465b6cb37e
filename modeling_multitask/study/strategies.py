"""The training strategies that a study compares."""

from dataclasses import dataclass
from typing import Any, NamedTuple

EVERYTHING = "everything"
# The names that `--only` accepts. K is a number and TASK is the name of a task.
STRATEGIES = (
    *("everything_frozen", "backbone_frozen", "last_K_layers", EVERYTHING, "layer_wise_rates", "gradual_unfreezing"),
    *("lora", "TASK_head_frozen_loss_kept", "TASK_head_frozen_loss_ignored", "TASK_alone"),
)
# LoRA needs about ten times the learning rate of full fine-tuning (Schulman et al. 2025, "LoRA Without Regret").
LORA_RATE = 10
_STAGES = 4  # of gradual unfreezing: the heads, a third of the layers, two thirds, everything


class StudyRates(NamedTuple):
    """The learning rates of all strategies. Only `layer_wise_rates` uses `layer_decay`."""

    heads: float = 1e-3
    backbone: float = 5e-5
    layer_decay: float = 0.8


@dataclass(frozen=True)
class Strategy:
    """A training strategy.

    Args:
        name: The name in folders and commands.
        title: The name in texts and pictures.
        overrides: The words of the recipe that the strategy overrides.
        tasks: The tasks that it trains or evaluates.
        candidate: Whether it may be recommended. The others are for comparison only.
    """

    name: str
    title: str
    overrides: dict[str, Any]
    tasks: tuple[str, ...]
    candidate: bool = True


def kept(task: str) -> str:
    """Return the name of the strategy that freezes the head of a task and keeps its loss."""
    return f"{task}_head_frozen_loss_kept"


def ignored(task: str) -> str:
    """Return the name of the strategy that freezes the head of a task and ignores its loss."""
    return f"{task}_head_frozen_loss_ignored"


def alone(task: str) -> str:
    """Return the name of the strategy that trains a single task."""
    return f"{task}_alone"


def strategies(metrics: dict[str, str], layers: int, rates: StudyRates, steps: int) -> list[Strategy]:
    """Return all strategies for a model.

    Args:
        metrics: The main metric of each task.
        layers: The number of layers of the encoder.
        rates: The shared learning rates.
        steps: The optimizer steps of a run. Gradual unfreezing spreads its stages over them.
    """
    tasks = tuple(metrics)
    one_rate = {"heads": rates.heads, "backbone": rates.backbone}

    def strategy(name: str, title: str, overrides: dict[str, Any], candidate: bool = True) -> Strategy:
        plain = {"freeze": "none", "phases": None, "lora": None, "learning_rates": one_rate}
        return Strategy(name, title, plain | overrides, tasks, candidate)

    lora = {"lora": {"r": 8, "lora_alpha": 16}, "learning_rates": {**one_rate, "backbone": rates.backbone * LORA_RATE}}
    whole = [
        strategy("everything_frozen", "everything frozen", {"freeze": "everything", "average": None}),
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
    """Return the numbers of last layers to train: two, and about two thirds of all."""
    return sorted({k for k in (2, round(layers * 2 / 3)) if 0 < k < layers})


def _top(k: int, layers: int) -> list[str]:
    """Return the parts for the heads and the last k layers."""
    return ["heads", f"layers.{layers - k}-{layers - 1}"]


def _gradual(layers: int, steps: int) -> list[dict[str, Any]]:
    """Return the phases from the heads down to everything, in stages of equal length (Howard and Ruder 2018)."""
    thirds = sorted({k for k in (round(layers / 3), round(layers * 2 / 3)) if 0 < k < layers})
    parts = [["heads"], *(_top(k, layers) for k in thirds), ["everything"]][-max(min(_STAGES, steps), 1) :]
    ends: list[dict[str, Any]] = [{"until": f"step {round(steps * i / len(parts))}"} for i in range(1, len(parts))]
    return [{"train": train, **end} for train, end in zip(parts, [*ends, {}], strict=True)]


def _without(tasks: set[str], *, keep: bool = False) -> dict[str, Any]:
    """Return overrides that freeze the heads of some tasks. Their losses are kept, or have weight 0."""
    phase = {"train": ["everything"], "freeze": [f"heads.{task}" for task in sorted(tasks)]}
    return {"phases": [phase if keep else {**phase, "weights": dict.fromkeys(sorted(tasks), 0.0)}]}


def _ignoring(tasks: set[str], metrics: dict[str, str]) -> dict[str, Any]:
    """Return overrides that ignore some tasks: their heads are frozen and their losses have weight 0.

    If one task remains, its metric selects the checkpoint. The balancing is `sum`, because zero gradients would stop
    other methods such as MGDA. Conditions between tasks are dropped, because an untrained head may decide them.
    """
    overrides = {**_without(tasks), "balancing": "sum", **{f"tasks.{i}.given": None for i in range(len(metrics))}}
    left = [task for task in metrics if task not in tasks]
    metric = {"training.metric_for_best_model": f"{left[0]}_{metrics[left[0]]}"} if len(left) == 1 else {}
    return overrides | metric
