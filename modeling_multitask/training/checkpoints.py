"""The complete and the damaged checkpoints of an interrupted run."""

import json
import math
import re
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.trainer import SCHEDULER_NAME, TRAINER_STATE_NAME

# Of one process, and of a sharded model. DeepSpeed saves everything but the weights in `global_stepN`.
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors", "pytorch_model_fsdp_0")
_OPTIMIZER = ("optimizer.pt", "optimizer.bin", "optimizer_0")


def last_whole_checkpoint(folder: Path, *, before: float = math.inf) -> tuple[Path | None, dict[Path, str]]:
    """Return the last checkpoint that a run can resume from, and later ones that are damaged, each with the reason.

    Args:
        folder: The folder with the `checkpoint-N` of the run.
        before: A step. Checkpoints of this step and later are left out.
    """
    damaged: dict[Path, str] = {}
    there = [checkpoint for checkpoint in folder.glob("checkpoint-*") if _steps(checkpoint) < before]
    for checkpoint in sorted(there, key=_steps, reverse=True):
        reason = damage(checkpoint)
        if reason is None:
            return checkpoint, damaged
        damaged[checkpoint] = reason
    return None, damaged


def has_later_checkpoint(folder: Path, step: int) -> bool:
    """Return whether a folder contains a checkpoint of a later step, as that of another run."""
    return any(_steps(checkpoint) > step for checkpoint in folder.glob("checkpoint-*"))


def damage(checkpoint: Path) -> str | None:
    """Return why a run cannot resume from this checkpoint; `None` if it can.

    The Trainer writes its state last, so a checkpoint without it is incomplete. The other files are also checked,
    because a full disk or a crash can truncate any of them.
    """
    return _state_damage(checkpoint) or _missing(checkpoint) or _cut_off(checkpoint)


def _state_damage(checkpoint: Path) -> str | None:
    try:
        state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{TRAINER_STATE_NAME} is missing"
    except ValueError:
        return f"{TRAINER_STATE_NAME} is truncated"
    step = state.get("global_step")
    return None if step == _steps(checkpoint) else f"{TRAINER_STATE_NAME} is from step {step}"


def _missing(checkpoint: Path) -> str | None:
    if not any((checkpoint / name).exists() for name in _WEIGHTS):
        return "the weights are missing"
    if not any(checkpoint.glob("global_step*")):
        if not any((checkpoint / name).exists() for name in _OPTIMIZER):
            return "the optimizer's state is missing (was save_only_model set?)"
        if not (checkpoint / SCHEDULER_NAME).exists():
            return f"{SCHEDULER_NAME} is missing"  # without it, the Trainer does not load the state of the optimizer
    return None


def _cut_off(checkpoint: Path) -> str | None:
    cut_off = [path.name for path in sorted(checkpoint.iterdir()) if not _is_whole(path)]
    return f"{cut_off[0]} is truncated" if cut_off else None


def _steps(checkpoint: Path) -> int:
    number = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
    return int(number[1]) if number else -1


def _is_whole(path: Path) -> bool:
    """Return whether a file is complete, as far as its format shows it."""
    if path.suffix in (".pt", ".pth", ".bin"):
        return zipfile.is_zipfile(path)
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".safetensors":
            with safe_open(path, framework="pt"):
                pass
    except (SafetensorError, OSError, ValueError):
        return False
    return True
