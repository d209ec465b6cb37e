"""The words of a recipe's `training`: the fields of transformers' `TrainingArguments`.

The fields are read from the source code, because importing the class imports torch and takes seconds. Checking a recipe
and printing its schema need names and types only.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from ..training.choices import TrainingChoices
from ..words_multitask import Word, declared_words

# Fields of TrainingArguments that other words of a recipe set.
SAID_ELSEWHERE = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "learning_rate": "learning_rates",
    "label_smoothing_factor": "label_smoothing of each task",
    "resume_from_checkpoint": "resume",
}
# Fields of MultiTaskTrainingArguments that belong to `training` too.
OWN_WORDS = {name: declared_words(TrainingChoices)[name] for name in ("early_stopping_patience", "conflict_steps")}
# Numbers that transformers takes and that fail later, or mean nothing.
BOUNDS = {
    "per_device_train_batch_size": Word(description="", ge=1),
    "per_device_eval_batch_size": Word(description="", ge=1),
    "gradient_accumulation_steps": Word(description="", ge=1),
    "num_train_epochs": Word(description="", gt=0, le=1_000_000),
    "dataloader_num_workers": Word(description="", ge=0),
}
_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}
_PLAIN_TYPES: dict[str, Any] = {
    **_PLAIN,
    **{f"{name} | None": kind | None for name, kind in _PLAIN.items()},
}


class TrainingWords(dict[str, Any]):
    """The words that a recipe sets in `training`."""


@cache
def training_words() -> dict[str, Any]:
    """Return the type of each field by name. It is `Any` for types that transformers checks itself."""
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


def bounded(name: str) -> Word:
    """Return the bounds of a field of `TrainingArguments`, as a word."""
    return BOUNDS.get(name, Word(description=""))
