"""The words of a recipe's `training`: the fields of transformers' `TrainingArguments`.

They are read from its source. Importing the class imports torch and takes seconds, and neither checking a recipe nor
printing its schema needs more than names and types.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

# Fields of TrainingArguments for which a recipe has words of its own.
SAID_ELSEWHERE = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "learning_rate": "learning_rates",
    "label_smoothing_factor": "label_smoothing of each task",
    "resume_from_checkpoint": "resume",
}
# Fields of MultiTaskTrainingArguments that a recipe has among those of TrainingArguments.
OWN_WORDS = {
    "early_stopping_patience": "The evaluations without a better metric after which training stops.",
    "conflict_steps": "The steps between two records of how far the gradients of the tasks agree.",
}
# Numbers that transformers takes and that fail later, or mean nothing.
BOUNDS: dict[str, dict[str, float]] = {
    "per_device_train_batch_size": {"ge": 1},
    "per_device_eval_batch_size": {"ge": 1},
    "gradient_accumulation_steps": {"ge": 1},
    "num_train_epochs": {"gt": 0, "le": 1_000_000},
    "dataloader_num_workers": {"ge": 0},
    "early_stopping_patience": {"ge": 1},
    "conflict_steps": {"ge": 1},
}
_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}
_PLAIN_TYPES: dict[str, Any] = {
    **_PLAIN,
    **{f"{name} | None": kind | None for name, kind in _PLAIN.items()},
}


class TrainingWords(dict[str, Any]):
    """The words of `training` that a recipe gives."""


@cache
def training_words() -> dict[str, Any]:
    """The type of each field by name; `Any` where it is not a plain one, which transformers itself then checks."""
    spec = importlib.util.find_spec("transformers")
    assert spec is not None  # a dependency
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "training_args.py").read_text(encoding="utf-8")
    body = next(
        node.body
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments"
    )
    return {
        node.target.id: _PLAIN_TYPES.get(ast.unparse(node.annotation), Any)
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_")
    }
