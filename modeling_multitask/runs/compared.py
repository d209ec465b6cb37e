"""Another model, to compare a model with on the same rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from datasets_builder import DataError
from datasets_builder.columns import TEXT, TEXT_PAIR

from .. import MultiTaskModel, TaskConfig
from ..evaluation.comparison import ModelComparison, compare, nothing_shared
from ..evaluation.intervals import RESAMPLES
from ..evaluation.judged import Judged, judge
from ..evaluation.shared_tasks import SharedTask, shared_tasks
from ..inference.loading import load
from .judged_rows import JudgedRows, check_other_split


class OtherModel(NamedTuple):
    """A model to compare with.

    Args:
        name: Its folder or Hub id.
        model: The model.
        tokenizer: Its tokenizer.
        shared: The tasks that it shares with the first model.
    """

    name: str
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase
    shared: list[SharedTask]

    @property
    def more_labels(self) -> dict[str, list[str]]:
        """The labels of shared tasks that the first model does not have."""
        return {
            each.task.name: [label for label in each.other.labels or [] if label not in (each.model.labels or [])]
            for each in self.shared
        }


def load_other(name: str, tasks: list[TaskConfig], data: Path, overrides: Sequence[str] = ()) -> OtherModel:
    """Return a model to compare with.

    Args:
        name: A folder or a Hub id.
        tasks: The tasks of the first model.
        data: A recipe or a table.
        overrides: `key=value` overrides of the recipe.

    Raises:
        OSError: If the model is not found.
        RecipeError: If it may have been trained on the rows that the recipe holds out.
        ValueError: If the models share no task.
    """
    model, tokenizer = load(name)
    check_other_split(data, overrides, name)
    shared, notes = shared_tasks(tasks, model.config.tasks)
    if not shared:
        raise ValueError(nothing_shared(name, notes))
    return OtherModel(name, model, tokenizer, shared)


def check_shared_labels(other: OtherModel, rows: JudgedRows) -> None:
    """Raise a `DataError` if the rows have labels for none of the shared tasks."""
    names = [each.task.name for each in other.shared]
    if not set(names) & set(rows.rows.column_names):
        raise DataError(f"{rows.split}: no labels for a task that both models have: {', '.join(map(repr, names))}")


def compare_on(
    rows: JudgedRows, judged: Judged, other: OtherModel, *, resamples: int = RESAMPLES, show_progress: bool = False
) -> ModelComparison:
    """Run the other model on the rows and compare.

    Args:
        rows: The rows.
        judged: The rows with the labels and the logits of the first model.
        other: The other model.
        resamples: The number of resamples for the interval of a figure.
        show_progress: Whether to show a progress bar.
    """
    texts = rows.rows.select_columns([name for name in (TEXT, TEXT_PAIR) if name in rows.rows.column_names])
    answered = judge(other.model, texts, other.tokenizer, show_progress=show_progress)
    return compare(judged, answered, name=other.name, unknown=rows.unknown, resamples=resamples)
