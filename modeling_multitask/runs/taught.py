"""The judgement on the teachers of a run, next to the model that has learned from them, and the time of both.

Shapes: N rows of a split.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .. import MultiTaskModel, TaskConfig
from ..answers_multitask import Decision
from ..evaluation.judgement import Judgement
from ..evaluation.taught import teacher_figures
from ..inference.text_encoder import TextEncoder
from ..recipes.recipe import Recipe
from ..texts_multitask import Text
from .judgements import Judgements
from .teachers import TaskTeacher, ask, open_teachers, sources_of

logger = logging.get_logger(__name__)


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


def teachers_to_judge(recipe: Recipe, tasks: list[TaskConfig], *, pairs: bool) -> list[TaskTeacher]:
    """Return the teachers of a trained model, or none if one of them does not load any more.

    Args:
        recipe: The recipe.
        tasks: The tasks of the model.
        pairs: Whether the rows are pairs of texts.
    """
    try:
        return open_teachers(recipe, tasks, pairs=pairs)
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


def time_teachers(
    teachers: list[TaskTeacher], model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text]
) -> dict[str, Any]:
    """Return the seconds in which the teachers that are models answer some texts, and those of the model.

    Args:
        teachers: The teachers.
        model: The trained model.
        tokenizer: Its tokenizer.
        texts: The texts.

    Returns:
        `models`, the number of teachers that are models, `texts`, `seconds`, and `model_seconds`. Empty without texts
        or without such teachers.
    """
    sources = [each for each in sources_of(teachers) if each.is_model]
    if not texts or not sources:
        return {}
    encoder = TextEncoder(model, tokenizer)
    encoder.run(texts[:1])  # the first pass of a model is slower
    for source in sources:
        source.answers(texts[:1])
    began = time.perf_counter()
    for source in sources:
        source.answers(texts)
    asked = time.perf_counter()
    encoder.run(texts)
    return {
        "models": len(sources),
        "texts": len(texts),
        "seconds": asked - began,
        "model_seconds": time.perf_counter() - asked,
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
