"""The plan of a run without training: parameter groups, rates, phases, steps, rows and memory.

Shapes: B rows, T tokens, D width, L layers, A attention heads.
"""

import math
import tempfile
from dataclasses import dataclass, field, replace

import psutil
import torch
from datasets import Dataset
from transformers.utils import logging

from .. import MultiTaskTrainer
from ..recipes.recipe import Recipe
from ..training.freezing import trained_parameters
from ..training.parameter_groups import parameter_depths, parameter_groups
from ..training.phases import Phase
from ..training.tokens import row_lengths
from .fold_sizes import Fold, fold_sizes
from .prepare import Prepared, ask_teachers, prepare
from .probe import probe
from .rows import labelled_rows
from .start import load_start

logger = logging.get_logger(__name__)

FLOAT = 4  # bytes of a float32: the type of weights, gradients and optimizer states, also with bf16
ADAM_STATES = 2  # AdamW keeps two means for each parameter


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate and a weight decay.

    Args:
        name: `heads`, `layers.3` or `embeddings`.
        weight_decay: The weight decay.
        parameters: The number of parameters.
        rates: The rate in each phase, or `None` if the whole group is frozen.
        trained: The number of trained parameters in each phase.
    """

    name: str
    weight_decay: float
    parameters: int
    rates: list[float | None]
    trained: list[int]


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Args:
        groups: The parameter groups of the optimizer, from the heads down.
        phases: The phases in order.
        trained: The number of trained parameters in each phase.
        parameters: The number of all parameters.
        steps_per_epoch: Optimizer steps per epoch. 0 if rows are streamed, because their number is unknown.
        steps: The total number of optimizer steps. Phases that end early may reduce it.
        rows: The number of rows by split.
        epochs: The number of epochs; `None` if `max_steps` is set.
        labelled: The number of training rows with a label, by task. `None` if rows are streamed.
        labelled_rows: The number of training rows with a label, if it has determined the number of epochs.
        only_taught: The number of training rows with an answer of a teacher and no label, in the same case.
        memory: The estimated bytes of weights, gradients, optimizer and activations.
        folds: The folds of a cross-validation. The other fields are those of the final model.
    """

    groups: list[Group]
    phases: list[Phase]
    trained: list[int]
    parameters: int
    steps_per_epoch: int
    steps: int
    epochs: float | None
    rows: dict[str, int]
    labelled: dict[str, int | None]
    labelled_rows: int | None
    only_taught: int
    memory: dict[str, int]
    folds: list[Fold] = field(default_factory=list)


def plan(recipe: Recipe) -> Plan:
    """Return the plan of a recipe. Nothing is written to its `output_dir`.

    Raises:
        RecipeError: If a model or a training argument is invalid, or the probe fails.
        DataError: If a table is invalid.
    """
    with tempfile.TemporaryDirectory() as folder:  # the Trainer creates its output folder
        prepared = prepare(replace(recipe, output_dir=folder))
        if recipe.probe and prepared.trainer.is_world_process_zero():
            probe(recipe, prepared)
        prepared = ask_teachers(recipe, prepared)
        made = make_plan(prepared)
        warn_of_memory(prepared.trainer, made.memory)
    if not recipe.data.split.in_turn:
        return made
    return replace(made, folds=fold_sizes(recipe, load_start(recipe)[0]))


def make_plan(prepared: Prepared) -> Plan:
    """Return the plan of a prepared run."""
    trainer = prepared.trainer
    arguments, phases = trainer.args, trainer.args.schedule
    groups, trained = _trained_groups(trainer)
    streamed = not isinstance(prepared.rows["train"], Dataset)
    batches = 0 if streamed else len(trainer.get_train_dataloader())
    steps_per_epoch = math.ceil(batches / arguments.gradient_accumulation_steps)
    epochs = math.ceil(arguments.num_train_epochs * steps_per_epoch)
    return Plan(
        groups=groups,
        phases=phases,
        trained=[sum(group.trained[i] for group in groups) for i in range(len(phases))],
        parameters=sum(group.parameters for group in groups),
        steps_per_epoch=steps_per_epoch,
        steps=arguments.max_steps if arguments.max_steps > 0 else epochs,
        epochs=None if arguments.max_steps > 0 else arguments.num_train_epochs,
        rows={name: len(rows) for name, rows in prepared.rows.items() if isinstance(rows, Dataset)},
        labelled=labelled_rows(prepared.rows["train"], prepared.tasks),
        labelled_rows=prepared.labelled,
        only_taught=prepared.only_taught,
        memory=_memory(trainer, groups, trained),
    )


def estimated_memory(trainer: MultiTaskTrainer) -> dict[str, int]:
    """Return the estimated bytes of weights, gradients, optimizer and activations."""
    return _memory(trainer, *_trained_groups(trainer))


def warn_of_memory(trainer: MultiTaskTrainer, needed: dict[str, int]) -> None:
    """Warn if training will probably need more memory than is free, and suggest a smaller batch."""
    arguments, device = trainer.args, trainer.model.device
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    fixed, activations = needed["gradients"] + needed["optimizer"] + needed.get("average", 0), needed["activations"]
    if fixed + activations <= free:
        return
    size = arguments.per_device_train_batch_size
    fits = int(size * (free - fixed) / max(activations, 1))
    advice = "choose a smaller encoder, or train only adapters (lora) or the upper layers (freeze)"
    if fits >= 1:
        steps = math.ceil(size * arguments.gradient_accumulation_steps / fits)
        advice = (
            f"set training.per_device_train_batch_size={fits} and training.gradient_accumulation_steps={steps}, "
            "which trains alike"
        )
    logger.warning(
        f"Training needs about {(fixed + activations) / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
        f"{advice}"
    )


def _trained_groups(trainer: MultiTaskTrainer) -> tuple[list[Group], list[set[str]]]:
    """Return the parameter groups, and the names of the trained parameters in each phase."""
    arguments, model, trainable = trainer.args, trainer.model, trainer.phases.trainable
    trained = [trained_parameters(model, phase.train, phase.freeze) & trainable for phase in arguments.schedule]
    groups = parameter_groups(model, arguments.phase_rates(), arguments.weight_decay)
    return [_group(group, trained) for group in groups], trained


def _group(group: dict, trained: list[set[str]]) -> Group:
    sizes = {name: parameter.numel() for name, parameter in group["params"]}
    counts = [sum(size for name, size in sizes.items() if name in names) for names in trained]
    rates = [rate if count else None for rate, count in zip(group["rates"], counts, strict=True)]
    return Group(group["name"], group["weight_decay"], sum(sizes.values()), rates, counts)


def _memory(trainer: MultiTaskTrainer, groups: list[Group], trained: list[set[str]]) -> dict[str, int]:
    """Return the bytes at the peak of the phase with the most trained parameters."""
    most = max(sum(group.trained[i] for group in groups) for i in range(len(trained)))
    averaging = trainer.args.averaging()
    # An evaluation keeps a copy of the weights of the step. The window of `last` is in main memory.
    kept = averaging.copies if averaging and trainer.model.device.type == "cpu" else 1
    return {
        "weights": FLOAT * sum(group.parameters for group in groups),
        "gradients": FLOAT * most,
        "optimizer": FLOAT * ADAM_STATES * most,
        **({"average": FLOAT * (kept + 1) * most} if averaging else {}),
        "activations": _activations(trainer, trained),
    }


def _activations(trainer: MultiTaskTrainer, trained: list[set[str]]) -> int:
    """Return the bytes of activations that the layers from the lowest trained one up keep for the longest batch.

    B·T·D·(34 + 5·A·T / D) bytes a layer in half precision (Korthikanti et al. 2022, equation 2), twice that in float32.
    """
    arguments, config = trainer.args, trainer.model.config.encoder_config
    depths, top = parameter_depths(trainer.model)
    lowest = min((depths[name] for names in trained for name in names), default=top + 1)
    rows = trainer.train_dataset
    longest = int(row_lengths(rows).max()) if isinstance(rows, Dataset) else trainer.model.config.max_length
    tokens = arguments.tokens_per_batch or arguments.train_batch_size * longest  # B·T
    width, heads = config.hidden_size, getattr(config, "num_attention_heads", 1)
    layer = tokens * width * (34 + 5 * heads * longest / width)
    return int(layer * (top - max(lowest, 1) + 1) * (1 if arguments.bf16 or arguments.fp16 else 2))
