"""The progress output of training: a bar, and one line per evaluation."""

from typing import Any

from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback


class EvaluationLines(ProgressCallback):
    """The Trainer's progress bar, with one readable line instead of the logged dicts."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        line = describe_evaluation(logs or {}, state)
        if state.is_world_process_zero and line and self.training_bar is not None:
            self.training_bar.write(line)


class EpochsLine(TrainerCallback):
    """A line with the number of epochs, if the number of training rows has determined it.

    Args:
        labelled: The number of training rows with a label.
        only_taught: The number of other training rows, which a teacher has answered.
    """

    def __init__(self, labelled: int, only_taught: int = 0) -> None:
        self.labelled, self.only_taught = labelled, only_taught

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and not args.disable_tqdm:
            tqdm.write(describe_epochs(args.num_train_epochs, state.max_steps, self.labelled, self.only_taught))


def describe_epochs(epochs: float, steps: int, labelled: int, only_taught: int = 0) -> str:
    """Return `training for 23 epochs (345 steps): 240 rows have labels`, and how many others a teacher has answered."""
    others = f", and {only_taught:,} others have the answer of a teacher" if only_taught else ""
    return f"training for {epochs:g} epochs ({steps:,} steps): {labelled:,} rows have labels{others}"


def describe_evaluation(logs: dict[str, Any], state: TrainerState) -> str | None:
    """Return `epoch 1: loss 0.42 | domain accuracy 0.91 macro_f1 0.90 | ... | score 0.91`; `None` for other logs."""
    if "eval_score" not in logs:
        return None
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    parts = [f"epoch {state.epoch or 0:.4g}: loss {losses[-1]:.4f}" if losses else f"epoch {state.epoch or 0:.4g}"]
    tasks = [key.removeprefix("eval_").removesuffix("_rows") for key in logs if key.endswith("_rows")]
    for task in tasks:
        names = ("accuracy", "macro_f1", "mae", "spearman", "kappa")
        found = [f"{name} {logs[f'eval_{task}_{name}']:.3f}" for name in names if f"eval_{task}_{name}" in logs]
        parts.append(f"{task} {' '.join(found)}" if found else f"{task} has no labelled rows")
    return " | ".join([*parts, f"score {logs['eval_score']:.3f}"])


def show_one_line_per_evaluation(trainer: Trainer) -> None:
    """Replace the output of the Trainer. With `disable_tqdm`, nothing is printed."""
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(EvaluationLines())
