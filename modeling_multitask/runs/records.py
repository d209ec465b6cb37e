"""What a training took: time, energy, rows and parameters, and on what it ran; what `training.json` holds."""

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

# What Green Algorithms takes for processors that it does not know (Lannelongue et al. 2021,
# https://doi.org/10.1002/advs.202100707), in watts.
CORE_POWER = 12.0
ACCELERATOR_POWER = 200.0
PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "huggingface_hub")

_JOULES_PER_KWH = 3.6e6


class TrainingClock(ResumingCallback):
    """How long a training has taken, over all the stretches it was resumed in.

    What was done after the last checkpoint of a run that was killed is done anew, and counts once.
    """

    def __init__(self) -> None:
        self.resumed = 0
        self._before = (0.0, 0.0)
        self._began: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """By the wall."""
        return self._before[0] + (time.perf_counter() - self._began[0] if self._began else 0.0)

    @property
    def cpu_seconds(self) -> float:
        """Of all cores together, in this process."""
        return self._before[1] + (time.process_time() - self._began[1] if self._began else 0.0)

    def stop(self) -> None:
        """Ends the present stretch."""
        self._before, self._began = (self.seconds, self.cpu_seconds), None

    def attributes(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "resumed": self.resumed}

    def restore(self, attributes: dict[str, Any]) -> None:
        """Takes up what a checkpoint kept, and begins a stretch."""
        self._before = (attributes.get("seconds", 0.0), attributes.get("cpu_seconds", 0.0))
        self._began = (time.perf_counter(), time.process_time())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begins a stretch; where it is not the first, goes on from what the checkpoint kept."""
        super().on_train_begin(args, state, control, **kwargs)
        if state.global_step:
            before = state.stateful_callbacks.get(type(self).__name__, {}).get("attributes", {})
            self.resumed = before.get("resumed", 0) + 1
        # A checkpoint of before there was a clock has no place for it, and the Trainer asks for one.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())


def training_record(
    trainer: MultiTaskTrainer, clock: TrainingClock, rows: RowsBySplit, labelled: dict[str, int | None]
) -> dict[str, Any]:
    """What a training took, in plain JSON.

    Args:
        trainer: Which has trained.
        clock: Which has run along.
        rows: By split.
        labelled: By task, the training rows that have a label for it.

    Returns:
        Seconds, steps, rows, hardware, versions, and an estimate of the energy with what it assumes. Counts of rows
        that were streamed are null. Nothing in it names the machine, or a folder of it.
    """
    hardware = hardware_of(trainer.args)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(clock.seconds, 1),
        "cpu_seconds": round(clock.cpu_seconds, 1),
        "resumed": clock.resumed,
        "steps": trainer.state.global_step,
        "epochs": round(trainer.state.epoch or 0.0, 3),
        "rows": {name: len(each) if isinstance(each, Dataset) else None for name, each in rows.items()},
        "labelled_rows": labelled,
        "hardware": hardware,
        "versions": {"python": platform.python_version(), "modeling-multitask": __version__, **_versions()},
        "energy": estimate_energy(clock.seconds, clock.cpu_seconds, hardware),
    }


def count_parameters(trainer: MultiTaskTrainer) -> dict[str, int]:
    """How many numbers the model holds, how many of them train in some phase, and in the phase that trains most.

    To be asked before training, which may share the model out over processes.
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
    """The processor, its cores, the accelerators that train, and the bytes of memory."""
    return {
        "processor": processor_name(),
        "cores": cores(),
        "memory": memory_bytes(),
        "accelerators": _accelerators(arguments),
        "processes": arguments.world_size,
    }


def estimate_energy(seconds: float, cpu_seconds: float, hardware: dict[str, Any]) -> dict[str, Any]:
    """About how much energy a training took, and what that assumes; nothing was metered."""
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
        except PackageNotFoundError:  # found by its path, and not installed
            continue
    return found


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """Its name; on Linux Python itself knows only the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", maxsplit=1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def memory_bytes() -> int | None:
    """Bytes; `None` where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _accelerators(arguments: TrainingArguments) -> list[str]:
    """One name for each that trains, on all machines; others that are there do not count."""
    kind = arguments.device.type
    if kind == "cpu":
        return []
    name = torch.cuda.get_device_name(arguments.device) if kind == "cuda" else kind
    return [name] * (arguments.world_size * max(arguments.n_gpu, 1))
