"""The data of a recipe: a summary of it, and its repository on the Hub."""

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder import MultiTaskBuilder
from datasets_builder.columns import TEXT, TEXT_PAIR, WEIGHT, distribution_column
from datasets_builder.look import Look, describe, look_as_json, look_at

from ..errors import RecipeError
from ..files import strict_json, whole_file
from ..long_texts_multitask import PIECE
from ..paths_multitask import resolve_model_path
from ..publishing.dataset import write_repository
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..sentence_transformers_multitask import read_embedding_settings
from ..tasks_multitask import TaskConfig
from ..training.samplers import row_groups
from .fold_sizes import Fold, fold_sizes
from .rows import build_rows, label_warnings, open_sources, taught_tasks
from .start import load_start, load_tokenizer

logger = logging.get_logger(__name__)

CHUNK = 1_000  # texts per call of the tokenizer
LONG = 10_000  # characters; longer texts are tokenised one by one, because a tokenizer needs 60 bytes per character
FEW_TEST_ROWS = 100  # labelled rows; with fewer, cross-validation is suggested
OF_DATA = ("data", "tasks", "seed")  # the words of a recipe that define its data


@dataclass(frozen=True)
class Data:
    """The built tables of a recipe.

    Args:
        builder: The builder of the tables.
        dataset: The multi-task table of each split.
        look: The summary of the data.
        folds: The folds of a cross-validation.
        advice: A suggestion for the recipe as one line, or an empty string.
    """

    builder: MultiTaskBuilder
    dataset: dict[str, Dataset]
    look: Look
    folds: list[Fold] = field(default_factory=list)
    advice: str = ""

    def describe(self) -> str:
        """Return the summary, the folds and the suggestion as text, for a terminal or a file."""
        folds = [f"fold {number}: {fold.describe()}" for number, fold in enumerate(self.folds, start=1)]
        parts = (describe(self.look), "\n".join(folds), self.advice)
        return "\n\n".join(part for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        """Return the summary and the folds as plain values for JSON."""
        return {**look_as_json(self.look), "folds": [each._asdict() for each in self.folds]}


def build_data(recipe: Recipe) -> Data:
    """Build the recipe's tables as a training does, and summarise them. Text lengths need the encoder's tokenizer.

    Raises:
        RecipeError: If the tasks are invalid, the model of `start_from` cannot be loaded, or the training rows are
            streamed.
        DataError: If a table is invalid.
    """
    _check_not_streamed(recipe, "summarised")
    trained = None if recipe.start_from is None else load_start(recipe)[0]
    builder = open_sources(recipe, trained)
    dataset, tasks = build_rows(recipe, builder, trained)
    with as_recipe_error(recipe, "sampling"):
        row_groups(dataset["train"], recipe.sampling)
    notes = [*builder.notes, *label_warnings(dataset["train"], tasks, taught_tasks(recipe))]
    lengths, max_length = {}, recipe.max_length
    try:
        tokenizer, max_length, prompt = _tokenizer(recipe)
        lengths = {name: text_lengths(rows, tokenizer, prompt) for name, rows in dataset.items()}
    except RecipeError as error:
        logger.warning(error.problems[0])  # not in the notes: they are pushed, and the error contains local paths
        notes.append("text lengths are unknown: the tokenizer of the recipe's encoder is not available")
    look = look_at(dataset, tasks, notes=notes, lengths=lengths, max_length=max_length)
    return Data(builder, dataset, look, fold_sizes(recipe, trained), fold_advice(recipe, look))


def write_rows(recipe: Recipe, path: Path) -> int:
    """Write the recipe's rows as a training reads them, one JSON object each, and return their number.

    An object has `text` (and `text_pair`), `split`, and for each task the name of the label, a number, or for a
    multi-label task an object of 1, 0 and null by label. For a task with soft labels it is an object of numbers by
    label. A missing label is null. A row whose source has weights also has `weight`.

    Raises:
        RecipeError: If the tasks are invalid, the model of `start_from` cannot be loaded, or the training rows are
            streamed.
        DataError: If a table is invalid.
    """
    _check_not_streamed(recipe, "written")
    trained = None if recipe.start_from is None else load_start(recipe)[0]
    dataset, tasks = build_rows(recipe, open_sources(recipe, trained), trained)
    count = 0
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for split, rows in dataset.items():
            names = [name for name in (TEXT, TEXT_PAIR) if name in (rows.column_names or [])]
            for row in rows:
                labels = {task.name: _written_label(row, task) for task in tasks}
                written = {**{name: row[name] for name in names}, "split": split, **labels}
                if row.get(WEIGHT) is not None:
                    written[WEIGHT] = row[WEIGHT]
                file.write(strict_json(written, ensure_ascii=False) + "\n")
                count += 1
    return count


def _written_label(row: dict[str, Any], task: TaskConfig) -> Any:
    soft = distribution_column(task.name)
    label = row[soft if soft in row else task.name]
    if label is None:
        return None
    if soft in row or task.kind.several_labels:
        return label if any(each is not None for each in label.values()) else None
    # The shortest number with the same float32, which is the type of the column: 0.9 and not 0.8999999761581421.
    return float(str(np.float32(label))) if task.kind.is_number else (task.labels or [])[label]


def _check_not_streamed(recipe: Recipe, what: str) -> None:
    if recipe.data.streaming:
        raise RecipeError(recipe.path, [f"data.streaming: streamed rows cannot be {what}; set data.streaming=false"])


def check_push(recipe: Recipe) -> None:
    """Raise a `RecipeError` if the data cannot be pushed with the splits of the recipe."""
    if recipe.data.split.in_turn:
        what = "a data set on the Hub has no folds; set data.split.folds=null to push all rows as training rows"
        raise RecipeError(recipe.path, [f"data.split.folds: {what}"])


def fold_advice(recipe: Recipe, look: Look) -> str:
    """Return the suggestion to use folds if the test split has few labelled rows, or an empty string."""
    counts = {each.task.name: each.labelled.get("test", FEW_TEST_ROWS) for each in look.tasks}
    few = ", ".join(f"{name} {count}" for name, count in counts.items() if count < FEW_TEST_ROWS)
    if not few or recipe.data.split.folds:
        return ""
    split = {**asdict(recipe.data.split), "test": None, "folds": 5}
    words = ", ".join(f"{name}: {value}" for name, value in split.items() if value is not None)
    how = "set" if recipe.data.split.test else "add the test rows to data.train, and set"
    return (
        f"suggestion: fewer than {FEW_TEST_ROWS} test rows have a label ({few}), so the test figures are uncertain; "
        f"to judge every row once, {how} in data: split: {{{words}}}"
    )


def text_lengths(rows: Dataset, tokenizer: PreTrainedTokenizerBase, prompt: str = "") -> np.ndarray:
    """Return the number of tokens of each text or pair of texts with its prompt, without truncation, (N,).

    A text of more than a million characters is counted in pieces, each of which may add a token.
    """
    names = [name for name in (TEXT, TEXT_PAIR) if name in rows.column_names]
    lengths: list[int] = []
    for chunk in rows.select_columns(names).iter(CHUNK):
        chunk[TEXT] = [prompt + text for text in chunk[TEXT]]
        short = [["" if len(text) > LONG else text for text in chunk[name]] for name in names]
        ids = tokenizer(*short, truncation=False, verbose=False)["input_ids"]
        rows_of_texts = zip(*(chunk[name] for name in names), strict=True)
        long = (sum(_long_text(text, tokenizer) for text in texts) for texts in rows_of_texts)
        lengths += (len(each) + more for each, more in zip(ids, long, strict=True))
    return np.array(lengths)


def _long_text(text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the number of tokens of a text without special ones, or 0 for a text that is not long."""
    pieces = (text[i : i + PIECE] for i in range(0, len(text), PIECE) if len(text) > LONG)
    options = {"add_special_tokens": False, "truncation": False, "verbose": False}
    return sum(len(tokenizer(piece, **options)["input_ids"]) for piece in pieces)


def write_data_repository(recipe: Recipe, data: Data, repo_id: str, folder: Path) -> None:
    """Write the files of a data set repository into a folder.

    Args:
        recipe: The recipe of the data. It is part of the repository.
        data: The data.
        repo_id: The id of the repository.
        folder: An empty folder.
    """
    overrides = [each for each in recipe.overrides if re.split("[.=]", each)[0] in OF_DATA]
    write_repository(folder, repo_id, data.builder, data.look, recipe.data.card, recipe.path, overrides)


def paths_of_this_machine(recipe: Recipe) -> list[str]:
    """Return the absolute paths in the recipe's file that exist on this machine."""
    words = re.findall(r"(?<![\w:/.])(?:/|[A-Z]:\\)[^\s,'\"\]}]+", recipe.path.read_text(encoding="utf-8"))
    return [word for word in dict.fromkeys(words) if Path(word).exists()]


def _tokenizer(recipe: Recipe) -> tuple[PreTrainedTokenizerBase, int | None, str]:
    """Return the tokenizer without truncation and padding, and the maximum length and prompt of the run."""
    if recipe.start_from is not None:
        recipe = replace(recipe, backbone=recipe.start_from)
    tokenizer = load_tokenizer(recipe)
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    settings = read_embedding_settings(resolve_model_path(str(recipe.backbone)))
    prompt = settings.prompt if recipe.prompt_name is None else settings.prompts.get(recipe.prompt_name, "")
    return tokenizer, recipe.max_length or settings.max_length, prompt if recipe.prompt is None else recipe.prompt
