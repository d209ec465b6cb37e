"""Full fine-tuning beside transformers' own Trainer: seconds for an epoch, and accuracy.

    python -m benchmarks.training_speed [--seeds 0 1 2] [--epochs 3]

The same model, rows, batch size, epochs and learning rate; the Trainer with its other defaults, ours with batches of
similar length, and bf16 where the processor has units for it. The two take turns, seed by seed.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import Trainer, TrainingArguments, set_seed

from configuration import Recipe, load_recipe
from configuration.rows import build_dataset, tokenize
from configuration.run import build_model, build_trainer, evaluate, load_start
from modeling_multitask import MultiTaskCollator, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "quickstart.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "training_speed.json"
BATCH_SIZE, RATE = 32, 5e-5  # the Trainer's own rate


def main(argv: list[str] | None = None) -> None:
    """Runs both in turns and writes the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.training_speed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args(argv)
    runs = []
    for seed in arguments.seeds:
        for train in (theirs, ours):
            run = {"seed": seed, "trainer": train.__name__, **measure(train, seed, arguments.epochs)}
            print(json.dumps(run), flush=True)
            runs.append(run)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(summary(runs), indent=2) + "\n")
    print(json.dumps(summary(runs)["ratio"]))


def measure(train: Any, seed: int, epochs: int) -> dict[str, Any]:
    """Seconds for an epoch, and test accuracy, of one run."""
    recipe = load_recipe(RECIPE, [f"seed={seed}", "data.hide_labels=null"])
    _, tokenizer = load_start(recipe)
    dataset, tasks = build_dataset(recipe)
    model = build_model(recipe, tasks)
    rows = tokenize(dataset, tokenizer, model.config.max_length)
    set_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = train(recipe, model, tokenizer, rows, epochs, folder)
        started = time.perf_counter()
        trainer.train()
        seconds = (time.perf_counter() - started) / epochs
        results = evaluate(build_trainer(model, tokenizer, rows, MultiTaskTrainingArguments(folder)), rows["test"])
    return {"seconds": seconds, **{task.name: results[task.name]["accuracy"] for task in tasks}}


def theirs(
    recipe: Recipe, model: MultiTaskModel, tokenizer: Any, rows: DatasetDict, epochs: int, folder: str
) -> Trainer:
    """The Trainer of transformers with its defaults; only what it needs to see our labels is said."""
    return Trainer(
        model=model,
        args=TrainingArguments(
            folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=RATE,
            seed=recipe.seed,
            remove_unused_columns=False,
            report_to="none",
            save_strategy="no",
        ),
        train_dataset=rows["train"],
        data_collator=MultiTaskCollator(tokenizer, model.config),
    )


def ours(
    recipe: Recipe, model: MultiTaskModel, tokenizer: Any, rows: DatasetDict, epochs: int, folder: str
) -> MultiTaskTrainer:
    """Ours, as a recipe sets it up."""
    return build_trainer(
        model,
        tokenizer,
        rows,
        MultiTaskTrainingArguments(
            folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=RATE,
            seed=recipe.seed,
            train_sampling_strategy="group_by_length",
            bf16=has_bf16_units(),
            use_cpu=not torch.accelerator.is_available(),
            report_to="none",
            save_strategy="no",
        ),
    )


def has_bf16_units() -> bool:
    """Whether this machine multiplies bf16 in hardware; elsewhere it is emulated, and slow."""
    if torch.accelerator.is_available():
        return True
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The runs, and the ratio of seconds for an epoch: theirs over ours."""
    seconds = {name: [run["seconds"] for run in runs if run["trainer"] == name] for name in ("theirs", "ours")}
    ratios = [theirs / ours for theirs, ours in zip(seconds["theirs"], seconds["ours"], strict=True)]
    machine = {
        "processor": platform.processor() or platform.machine(),
        "bf16": has_bf16_units(),
        "torch": torch.__version__,
    }
    return {
        "machine": machine,
        "runs": runs,
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
    }


if __name__ == "__main__":
    main()
