"""The part of the Trainer that writes checkpoints: complete ones or none, and without pickled arguments."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import Trainer, trainer
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from .checkpoints import damage, has_later_checkpoint, last_whole_checkpoint
from .evaluation_mixin import changed

# The errors of the operating system, of safetensors and of torch on a full disk.
_FULL = ("No space left", "quota exceeded", "File too large", "file write failed")


class SavingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that writes checkpoints."""

    def _save(self, *args: Any, **kwargs: Any) -> None:
        with no_pickled_arguments():
            super()._save(*args, **kwargs)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        with no_pickled_arguments():
            super()._push_from_checkpoint(checkpoint_folder)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint. An interrupted or failed one is removed.

        Raises:
            OSError: If the disk is full.
        """
        folder = Path(str(self.args.output_dir))
        checkpoint = folder / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        try:
            with changed(trainer, rotate_checkpoints=partial(_rotate, step=self.state.global_step)):
                super()._save_checkpoint(*args, **kwargs)
        except BaseException as error:
            if self.is_world_process_zero() and checkpoint.is_dir() and damage(checkpoint):
                shutil.rmtree(checkpoint, ignore_errors=True)
            if isinstance(error, OSError | RuntimeError | SafetensorError) and any(e in str(error) for e in _FULL):
                raise OSError(_full_disk(folder, checkpoint)) from error
            raise


@contextmanager
def no_pickled_arguments() -> Iterator[None]:
    """Let a `Trainer` write `training_args.bin` to the null device. It holds the token for the Hub, and is never read.

    The methods of a `Trainer` take the file's name from a constant of their module, which is another one for a moment.
    """
    name = trainer.TRAINING_ARGS_NAME
    trainer.TRAINING_ARGS_NAME = os.devnull  # os.path.join(folder, "/dev/null") is "/dev/null"
    try:
        yield
    finally:
        trainer.TRAINING_ARGS_NAME = name


def _rotate(output_dir: str, *, step: int, use_mtime: bool, **settings: Any) -> None:
    """Delete old checkpoints by their steps: transformers warns if two of them are less than a second apart."""
    by_time = use_mtime and has_later_checkpoint(Path(output_dir), step)
    rotate_checkpoints(output_dir, use_mtime=by_time, **settings)


def _full_disk(folder: Path, checkpoint: Path) -> str:
    last = last_whole_checkpoint(folder)[0]
    left = f"The last complete checkpoint is {last}" if last else "There is no complete checkpoint yet"
    return (
        f"{checkpoint} cannot be written: the disk is full ({shutil.disk_usage(folder).free / 1e6:,.0f} MB free, or a "
        f"quota is used up). {left}. Free some space, or keep fewer checkpoints with training.save_total_limit=1, and "
        "go on with resume=true"
    )
