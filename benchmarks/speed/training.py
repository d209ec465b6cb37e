"""Training compared with transformers' Trainer: heads on a frozen encoder, upper layers only, and full fine-tuning.

Both use the same model, rows and batch size of 32. The Trainer keeps its other defaults. Ours uses the settings of a
recipe: batches of similar length, and bf16 if the CPU supports it natively. Both train the two heads of S0 on the
review sentences, or on 1,024 of them for ten epochs. Each of our runs starts with an empty cache of frozen outputs.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from datasets import DatasetDict
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from benchmarks.speed.measuring import ROOT, SPEED_UP, Row, compared, has_bf16, quiet, rated
from modeling_multitask import MultiTaskCollator, MultiTaskModel, MultiTaskTrainingArguments
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.prepare import build_trainer
from modeling_multitask.runs.rows import build_dataset, tokenize_rows
from modeling_multitask.runs.run import evaluate
from modeling_multitask.runs.start import build_model, load_start
from modeling_multitask.training.freezing import train_only, trained_parameters

RECIPE = ROOT / "configuration" / "recipes" / "quickstart.yaml"
BATCH_SIZE, RATE = 32, 5e-5  # the Trainer's default learning rate
ROWS = 1_024  # rows for trainings of several epochs
AGAINST = "Trainer with requires_grad=False, its other defaults"
WORKS = {
    "frozen_heads": ("ten epochs of two heads on a frozen encoder", ["backbone"], 10),
    "frozen_layers": ("ten epochs with 4 of 6 layers frozen", ["embeddings", "layers.0-3"], 10),
    "fine_tuning": ("full fine-tuning, one epoch", [], 1),
}


class _EpochSeconds(TrainerCallback):
    """Record the end of each epoch."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_epoch_end(self, *_given: Any, **_more: Any) -> None:
        """Record the time."""
        self.ends.append(time.perf_counter())

    def later(self) -> float:
        """Return the median seconds of the epochs after the first."""
        return statistics.median(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))


def measure(name: str, pairs: int) -> list[Row]:
    """Measure one of `WORKS`."""
    what, frozen, epochs = WORKS[name]
    kind = "bfloat16" if has_bf16() else "float32"
    runs: dict[str, list[dict[str, Any]]] = {"theirs": [], "ours": []}
    for seed in range(pairs):
        for side, make in (("theirs", theirs), ("ours", ours)):
            with quiet():
                runs[side].append(run(make, seed, frozen, epochs))
    seconds = {side: [run["seconds"] for run in each] for side, each in runs.items()}
    same = {
        f"{task} accuracy, {side}": statistics.mean(run["results"][task]["accuracy"] for run in each)
        for side, each in runs.items()
        for task in ("domain", "sentiment")
    }
    against = AGAINST if frozen else "Trainer, its other defaults"
    rows = [compared(f"{what}, {kind}", against, seconds["theirs"], seconds["ours"], same=same)]
    if name == "frozen_heads":
        later = [a["later"] / b["later"] for a, b in zip(runs["theirs"], runs["ours"], strict=True)]
        notes = {side: [run["later"] for run in each] for side, each in runs.items()}
        rows.append(rated(f"each epoch after the first, {kind}", against, later, SPEED_UP, notes=notes))
    return rows


@dataclass(frozen=True)
class Setting:
    """The settings of both trainers.

    Args:
        frozen: The frozen parts.
        epochs: The number of epochs.
        folder: The output folder.
        bf16: Whether the baseline uses bfloat16 too.
    """

    frozen: list[str]
    epochs: int
    folder: str
    bf16: bool = False


def run(
    make: Callable[..., Trainer], seed: int, frozen: list[str], epochs: int, *, bf16: bool = False
) -> dict[str, Any]:
    """Return the seconds of training and of an epoch after the first, and the figures of the test rows."""
    recipe = load_recipe(RECIPE, [f"seed={seed}", "data.hide_labels=null"])
    _, tokenizer = load_start(recipe)
    dataset, tasks = build_dataset(recipe)
    model = build_model(recipe, tasks, tokenizer)
    rows = tokenize_rows(dataset, tokenizer, model.config)
    if epochs > 1:
        rows["train"] = rows["train"].select(range(ROWS))
    set_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer, clock = make(model, tokenizer, rows, Setting(frozen, epochs, folder, bf16)), _EpochSeconds()
        trainer.add_callback(clock)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        results = evaluate(build_trainer(model, tokenizer, rows, MultiTaskTrainingArguments(folder)), rows["test"])
    return {"seconds": seconds, "later": clock.later() if epochs > 1 else None, "results": results}


def theirs(model: MultiTaskModel, tokenizer: Any, rows: DatasetDict, setting: Setting) -> Trainer:
    """Return transformers' Trainer with its defaults, except for the settings that it needs to read our labels."""
    train_only(model, trained_parameters(model, ("everything",), tuple(setting.frozen)))
    arguments = TrainingArguments(
        setting.folder,
        num_train_epochs=setting.epochs,
        per_device_train_batch_size=BATCH_SIZE,
        learning_rate=RATE,
        remove_unused_columns=False,
        report_to="none",
        save_strategy="no",
        bf16=setting.bf16,
        use_cpu=not torch.accelerator.is_available(),
    )
    collate = MultiTaskCollator(tokenizer, model.config)
    return Trainer(model=model, args=arguments, train_dataset=rows["train"], data_collator=collate)


def ours(model: MultiTaskModel, tokenizer: Any, rows: DatasetDict, setting: Setting) -> Trainer:
    """Return our trainer with the settings of a recipe."""
    arguments = MultiTaskTrainingArguments(
        setting.folder,
        num_train_epochs=setting.epochs,
        per_device_train_batch_size=BATCH_SIZE,
        learning_rate=RATE,
        train_sampling_strategy="group_by_length",
        freeze=setting.frozen or "none",
        prefix_cache={"folder": f"{setting.folder}/cache"},
        bf16=has_bf16() or torch.accelerator.is_available(),
        use_cpu=not torch.accelerator.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        save_strategy="no",
    )
    return build_trainer(model, tokenizer, rows, arguments)
