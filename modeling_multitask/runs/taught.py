"""The judgement on the teachers of a run, next to the model that has learned from them, and the time of both.

Shapes: N rows of a split.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .. import MultiTaskModel, TaskConfig
from ..answers_multitask import Decision
from ..evaluation.judged import row_texts
from ..evaluation.judgement import Judgement
from ..evaluation.taught import teacher_figures
from ..recipes.recipe import Recipe
from ..texts_multitask import Text
from .cached_source import CachedSource
from .judgements import Judgements
from .rows import RowsBySplit
from .teacher_sources import ModelSource, ModelTeacher
from .teachers import TaskTeacher, ask, open_teachers, sources_of

logger = logging.get_logger(__name__)

MOST_TIMED = 2_000  # texts that the teachers and the model answer to compare their time
_WARM_UP = 100  # texts before the time is taken: the first passes of a model are slower


class JudgedSplit(NamedTuple):
    """The rows of a split, and the answers of the model.

    Args:
        name: The name of the split.
        texts: N texts.
        decisions: The decisions by task name, as arrays.
        labels: The labels by task name, as in a batch.
    """

    name: str
    texts: list[Text]
    decisions: Mapping[str, Decision]
    labels: Mapping[str, np.ndarray]


def teachers_to_judge(
    recipe: Recipe, tasks: list[TaskConfig], *, device: torch.device, pairs: bool
) -> list[TaskTeacher]:
    """Return the teachers of a trained model, or none if one of them does not load any more.

    Args:
        recipe: The recipe.
        tasks: The tasks of the model.
        device: The device of teachers that are models.
        pairs: Whether the rows are pairs of texts.
    """
    try:
        return open_teachers(recipe, tasks, device=device, pairs=pairs)
    except Exception as error:  # the model is trained and not saved yet
        logger.warning(f"The model is not compared with its teachers: {error}")
        return []


def judge_teachers(teachers: list[TaskTeacher], judgements: Judgements, splits: Iterable[JudgedSplit]) -> Judgements:
    """Return the judgements with the figures of the teachers.

    Args:
        teachers: The teachers. Without any, the splits are not read. If one of them fails, the log says why.
        judgements: The judgement on each split and task.
        splits: The splits.
    """
    try:
        return judgements | {each.name: _judged(teachers, each, judgements[each.name]) for each in splits if teachers}
    except Exception as error:  # the model is trained and not saved yet
        logger.warning(f"The model is not compared with its teachers: {error}")
        return judgements


def timed_texts(rows: RowsBySplit) -> list[Text]:
    """Return the texts for `time_teachers`: those of the report, or else some training texts."""
    split = next((name for name in ("test", "validation") if name in rows), "train")
    return row_texts(rows[split])[:MOST_TIMED] if isinstance(rows[split], Dataset) else []


def time_teachers(
    teachers: list[TaskTeacher], model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text]
) -> dict[str, Any]:
    """Return the seconds in which the teachers that are models answer some texts, and those of the model.

    Both have the same texts, number of tokens in a batch and device, give the answers to the same tasks, and have
    answered some texts before. Tokenisation is included.

    Args:
        teachers: The teachers.
        model: The trained model.
        tokenizer: Its tokenizer.
        texts: The texts.

    Returns:
        `models`, the number of teachers that are models, `texts`, `seconds`, and `model_seconds`. Empty without texts
        or without such teachers.
    """
    models: list[tuple[ModelTeacher, list[str]]] = [
        (source.source, keys) for source, _, keys in sources_of(teachers) if isinstance(source, CachedSource)
    ]
    if not texts or not models:
        return {}
    taught = [each.task.name for each in teachers if isinstance(each.source, CachedSource)]
    return {
        "models": len(models),
        "texts": len(texts),
        "seconds": _seconds(models, texts),
        "model_seconds": _seconds([(ModelSource(model, tokenizer), taught)], texts),
    }


def time_in_words(found: dict[str, Any]) -> str:
    """Return a sentence on the result of `time_teachers`, without its end."""
    count = found["models"]
    teachers = "1 teacher answers" if count == 1 else f"{count} teachers answer"
    speed_up = found["seconds"] / max(found["model_seconds"], 1e-9)
    return (
        f"{teachers} {found['texts']:,} texts in {found['seconds']:.3g} s, and this model in "
        f"{found['model_seconds']:.3g} s (speed-up {speed_up:.2f})"
    )


def _seconds(models: Sequence[tuple[ModelTeacher, list[str]]], texts: Sequence[Text]) -> float:
    """Return the seconds in which models answer texts, after a warm-up."""
    for model, keys in models:
        model.answers(texts[:_WARM_UP], keys)
    began = time.perf_counter()
    for model, keys in models:
        model.answers(texts, keys)
    return time.perf_counter() - began


def _judged(teachers: list[TaskTeacher], split: JudgedSplit, judgements: dict[str, Judgement]) -> dict[str, Judgement]:
    targets = ask(teachers, split.texts)
    found = dict(judgements)
    for each in teachers:
        name, given = each.task.name, targets[each.task.name]
        there = ~np.isnan(given).any(axis=1)
        answers = each.decide(np.nan_to_num(given))
        figures = teacher_figures(each.task, each.name, answers, there, split.decisions[name], split.labels[name])
        found[name] = found[name]._replace(teacher=figures)
    return found
