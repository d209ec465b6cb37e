"""The parts that the scripts of several processes share: texts, tasks, a model, a trainer and the end of a script."""

from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

WORDS = ["the", "a", "good", "bad", "film", "phone", "food", "was", "is", "very", "not", "plot", "screen", "soup"]
TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["x", "y", "z"]}
SENTIMENT = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["no", "yes"]}
NO_DROPOUT = {
    "head": {"hidden_sizes": [16], "dropout": 0.0},
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def texts_of_three_words(count: int) -> list[str]:
    """Return texts, most of which differ."""
    return [" ".join(WORDS[(i * k) % len(WORDS)] for k in (1, 3, 5)) for i in range(count)]


def build_model(backbone: str, tasks: list[dict[str, Any]], **words: Any) -> MultiTaskModel:
    """Return a model whose new heads are the same in each process, with these words of `from_backbone`."""
    torch.manual_seed(0)
    return MultiTaskModel.from_backbone(backbone, tasks, **words)


def build_trainer(
    model: Any, backbone: str, output: str, rows: Dataset, *, trainer: dict[str, Any] | None = None, **settings: Any
) -> MultiTaskTrainer:
    """Return a trainer on the CPU.

    Args:
        model: The model.
        backbone: The folder of its tokenizer.
        output: The folder of the run.
        rows: The training rows.
        trainer: More arguments of the trainer.
        settings: The arguments of training.
    """
    given = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False}
    given["ddp_timeout"] = 60  # a process that waits for one that has ended, ends soon
    return MultiTaskTrainer(
        model=model,
        args=MultiTaskTrainingArguments(output, **{**given, **settings}),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(backbone),
        **(trainer or {}),
    )


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    """Return a copy of the weights of a model."""
    return {name: each.detach().clone() for name, each in model.named_parameters()}


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return the largest difference between two sets of weights.

    The bias of a key is left out. It does not change the softmax, so its gradient is only rounding, and Adam makes
    steps of that.
    """
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one if "key.bias" not in name)


def end(results: dict[str, Any], output: str) -> None:
    """Save the results of this process for `results_of`, and end it together with the others."""
    state = PartialState()
    torch.save(results, Path(output) / f"{state.process_index}.pt")
    state.wait_for_everyone()
    state.destroy_process_group()
