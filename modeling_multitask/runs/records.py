"""The record of a training in `training.json`: time, energy, rows, parameters and hardware."""

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerControl, TrainerState, TrainingArguments

from .. import MultiTaskTrainer, __version__
from ..training.freezing import trained_parameters
from ..training.resuming import ResumingCallback
from .rows import RowsBySplit

# The watts that Green Algorithms assumes for unknown processors (Lannelongue et al. 2021,
# https://doi.org/10.1002/advs.202100707).
CORE_POWER = 12.0
ACCELERATOR_POWER = 200.0
PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "huggingface_hub")

_JOULES_PER_KWH = 3.6e6


class TrainingClock(ResumingCallback):
    """The time of a training, summed over all resumes.

    A run that was killed repeats the steps after its last checkpoint. These steps count once.
    """

    def __init__(self) -> None:
        self.resumed = 0
        self._before = (0.0, 0.0)
        self._began: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """The wall-clock time in seconds."""
        return self._before[0] + (time.perf_counter() - self._began[0] if self._began else 0.0)

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of this process in seconds, summed over all cores."""
        return self._before[1] + (time.process_time() - self._began[1] if self._began else 0.0)

    def stop(self) -> None:
        """Stop the clock."""
        self._before, self._began = (self.seconds, self.cpu_seconds), None

    def attributes(self) -> dict[str, Any]:
        """Return the state that a checkpoint saves."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "resumed": self.resumed}

    def restore(self, attributes: dict[str, Any]) -> None:
        """Restore the state of a checkpoint and start the clock."""
        self._before = (attributes.get("seconds", 0.0), attributes.get("cpu_seconds", 0.0))
        self._began = (time.perf_counter(), time.process_time())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock. A resumed run continues from the state of the checkpoint."""
        super().on_train_begin(args, state, control, **kwargs)
        if state.global_step:
            before = state.stateful_callbacks.get(type(self).__name__, {}).get("attributes", {})
            self.resumed = before.get("resumed", 0) + 1
        # Checkpoints of older versions have no state of the clock, but the Trainer requires one.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())


def training_record(
    trainer: MultiTaskTrainer, clock: TrainingClock, rows: RowsBySplit, labelled: dict[str, int | None]
) -> dict[str, Any]:
    """Return the record of a training as plain JSON.

    Args:
        trainer: The trainer after training.
        clock: The clock of the training.
        rows: The rows by split.
        labelled: The number of training rows with a label, by task.

    Returns:
        Seconds, steps, rows, hardware, versions, and an estimate of the energy with its assumptions. Counts of streamed
        rows are null. The record does not contain the name or any folder of the machine.
    """
    hardware, averaging = hardware_of(trainer.args), trainer.args.averaging()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(clock.seconds, 1),
        "cpu_seconds": round(clock.cpu_seconds, 1),
        "resumed": clock.resumed,
        "steps": trainer.state.global_step,
        "epochs": round(trainer.state.epoch or 0.0, 3),
        "average": averaging and averaging.given,
        "rows": {name: len(each) if isinstance(each, Dataset) else None for name, each in rows.items()},
        "labelled_rows": labelled,
        "hardware": hardware,
        "versions": {"python": platform.python_version(), "modeling-multitask": __version__, **_versions()},
        "energy": estimate_energy(clock.seconds, clock.cpu_seconds, hardware),
    }


def count_parameters(trainer: MultiTaskTrainer) -> dict[str, int]:
    """Return the number of parameters: all, trained in any phase, and trained in the phase that trains most.

    Call it before training, which may shard the model over processes.
    """
    sizes = {name: each.numel() for name, each in trainer.model.named_parameters()}
    trained = [
        trained_parameters(trainer.model, phase.train, phase.freeze) & trainer.phases.trainable
        for phase in trainer.args.schedule
    ]
    return {
        "parameters": sum(sizes.values()),
        "trained_parameters": sum(sizes[name] for name in set().union(*trained)),
        "trained_at_once": max(sum(sizes[name] for name in names) for names in trained),
    }


def hardware_of(arguments: TrainingArguments) -> dict[str, Any]:
    """Return the processor, its cores, the bytes of memory, the accelerators in use, and the number of processes."""
    return {
        "processor": processor_name(),
        "cores": cores(),
        "memory": memory_bytes(),
        "accelerators": _accelerators(arguments),
        "processes": arguments.world_size,
    }


def estimate_energy(seconds: float, cpu_seconds: float, hardware: dict[str, Any]) -> dict[str, Any]:
    """Return an estimate of the energy of a training, with its assumptions. Nothing is measured."""
    watts_seconds = CORE_POWER * cpu_seconds * hardware["processes"]
    assumed = f"{CORE_POWER:g} W for each busy core"
    if accelerators := len(hardware["accelerators"]):
        watts_seconds += ACCELERATOR_POWER * seconds * accelerators
        assumed += f" and {ACCELERATOR_POWER:g} W for each accelerator all the time"
    return {
        "kilowatt_hours": watts_seconds / _JOULES_PER_KWH,
        "assumption": f"{assumed} (Lannelongue et al. 2021); memory, cooling and the idle machine are left out",
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # imported from a path without being installed
            continue
    return found


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """Return the name of the processor. On Linux it is read from `/proc/cpuinfo`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", maxsplit=1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def memory_bytes() -> int | None:
    """Return the bytes of memory of this machine, or `None` if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _accelerators(arguments: TrainingArguments) -> list[str]:
    """Return the name of each accelerator in use, over all machines. Unused accelerators are left out."""
    kind = arguments.device.type
    if kind == "cpu":
        return []
    name = torch.cuda.get_device_name(arguments.device) if kind == "cuda" else kind
    return [name] * (arguments.world_size * max(arguments.n_gpu, 1))
