"""Which checkpoints a killed run has left whole."""

import json
import re
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.trainer import SCHEDULER_NAME, TRAINER_STATE_NAME

# By one process, and by several that share the model out; DeepSpeed keeps all but the weights in `global_stepN`.
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors", "pytorch_model_fsdp_0")
_OPTIMIZER = ("optimizer.pt", "optimizer.bin", "optimizer_0")


def last_whole_checkpoint(folder: Path) -> tuple[Path | None, dict[Path, str]]:
    """The checkpoint with the most steps that a run can go on from, and those that are damaged, each with the reason.

    Args:
        folder: Where the run keeps its `checkpoint-N`.
    """
    damaged: dict[Path, str] = {}
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_steps, reverse=True):
        reason = damage(checkpoint)
        if reason is None:
            return checkpoint, damaged
        damaged[checkpoint] = reason
    return None, damaged


def damage(checkpoint: Path) -> str | None:
    """Why a run cannot go on from this checkpoint; `None` if it can.

    The Trainer writes its state last, so that what lacks it is half written; the other files are looked into all
    the same, since a full disk or a lost machine cuts off any of them.
    """
    return _state_damage(checkpoint) or _missing(checkpoint) or _cut_off(checkpoint)


def _state_damage(checkpoint: Path) -> str | None:
    try:
        state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{TRAINER_STATE_NAME} is missing"
    except ValueError:
        return f"{TRAINER_STATE_NAME} is cut off"
    step = state.get("global_step")
    return None if step == _steps(checkpoint) else f"{TRAINER_STATE_NAME} is of step {step}"


def _missing(checkpoint: Path) -> str | None:
    if not any((checkpoint / name).exists() for name in _WEIGHTS):
        return "the weights are missing"
    if not any(checkpoint.glob("global_step*")):
        if not any((checkpoint / name).exists() for name in _OPTIMIZER):
            return "the optimizer's state is missing (was save_only_model set?)"
        if not (checkpoint / SCHEDULER_NAME).exists():
            return f"{SCHEDULER_NAME} is missing"  # without it the Trainer does not load the optimizer's state either
    return None


def _cut_off(checkpoint: Path) -> str | None:
    cut_off = [path.name for path in sorted(checkpoint.iterdir()) if not _is_whole(path)]
    return f"{cut_off[0]} is cut off" if cut_off else None


def _steps(checkpoint: Path) -> int:
    number = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
    return int(number[1]) if number else -1


def _is_whole(path: Path) -> bool:
    """Whether a file can be read to its end, as far as its kind shows that."""
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
