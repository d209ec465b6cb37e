"""Text in; every task's labelled answer out, and the sentence embedding if asked for.

Shapes: C classes of one task, D width of the encoder.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Pipeline

from .configuration_multitask import TaskConfig

PIPELINE_TASK = "multitask-classification"
# What config.json says of this file; `pipeline()` finds it there.
CUSTOM_PIPELINES = {PIPELINE_TASK: {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}}

DEFAULT_BATCH_SIZE = 32
DEFAULT_THRESHOLD = 0.5  # above which a label is part of the answer, unless its task says otherwise

Answer = dict[str, Any] | list[dict[str, Any]]


class MultiTaskPipeline(Pipeline):
    """Answers all tasks of a [`MultiTaskModel`] for a text, or for each of a list of texts.

    A pair of texts is given as transformers' own pipelines take it: `{"text": ..., "text_pair": ...}`.

    Args:
        top_k: How many classes to give for each task, best first; `None` for all of them. Left out: the
            answer alone, or for a multi-label task the classes above their threshold.
        return_embedding: Adds the sentence embedding, a list of D floats, under the key `embedding`.

    Example:
        >>> classify = pipeline("multitask-classification", model="me/reviews", trust_remote_code=True)
        >>> classify("The battery died within a day.")
        {'domain': {'label': 'product', 'score': 0.98}, 'sentiment': {'label': 'negative', 'score': 0.99}}
    """

    _load_tokenizer = True

    def __init__(self, *args: Any, batch_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, batch_size=batch_size or DEFAULT_BATCH_SIZE, **kwargs)

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        allowed = {"top_k", "return_embedding"}
        if unknown := sorted(set(parameters) - allowed):
            raise ValueError(f"{unknown[0]!r} is not a parameter of this pipeline ({', '.join(sorted(allowed))})")
        return {}, {}, parameters

    def preprocess(self, text: str | dict[str, str]) -> dict[str, Tensor]:
        texts = [text] if isinstance(text, str) else [text["text"], text["text_pair"]]
        # The model's own length: the tokenizer's files may carry other limits, or none.
        return self.tokenizer(*texts, truncation=True, max_length=self.model.config.max_length, return_tensors="pt")

    def _forward(self, model_inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        output = self.model(**model_inputs)
        # A flat dict, for `pipeline()` cuts a batch into rows by its values; no task may be called "embedding".
        return {**output.logits, "embedding": output.embeddings}

    def postprocess(self, model_outputs: dict[str, Tensor], **parameters: Any) -> dict[str, Any]:
        return_embedding = parameters.pop("return_embedding", False)
        answers: dict[str, Any] = {
            task.name: answer(model_outputs[task.name][0], task, **parameters) for task in self.model.config.tasks
        }
        if return_embedding:
            answers["embedding"] = model_outputs["embedding"][0].float().tolist()
        return answers


def answer(logits: Tensor, task: TaskConfig, **top_k: int | None) -> Answer:
    """The labelled answer that one row's logits give for one task.

    Args:
        logits: (C,); (1,) for a binary task or a regression, (C - 1,) for an ordinal regression.
        task: Says the problem type and the labels.
        top_k: `top_k=n` or `top_k=None` as in [`MultiTaskPipeline`].

    Returns:
        The label and its score; a label of `None` where the score is too low for an answer.
    """
    scores = probabilities(logits, task)
    if task.problem_type == "regression":
        return {"score": scores[0].item()}
    labels = task.labels or []
    ranked = [{"label": labels[i], "score": scores[i].item()} for i in scores.argsort(descending=True, stable=True)]
    if "top_k" in top_k:
        return ranked[: top_k["top_k"]]
    given = chosen(scores, task)
    if task.problem_type == "multi_label_classification":
        return [each for each in ranked if given[labels.index(each["label"])]]
    score = scores[given].item()
    refused = task.abstain_below is not None and score < task.abstain_below
    return {"label": None if refused else labels[given], "score": score}


def probabilities(logits: Tensor, task: TaskConfig) -> Tensor:
    """Logits as the score of each label (..., C), both labels for a binary task; the number itself for a regression."""
    if task.problem_type == "regression":
        return logits.float()
    logits = logits.float() / task.temperature
    if task.problem_type == "single_label_classification":
        return logits.softmax(dim=-1)
    if task.problem_type == "multi_label_classification":
        return logits.sigmoid()
    if task.problem_type == "binary_classification":
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=-1)
    above = logits.sigmoid()  # (..., C - 1), descending: the probability of lying above each label but the last
    each = torch.cat([torch.ones_like(above[..., :1]), above], -1) - torch.cat([above, 0 * above[..., :1]], -1)
    return each.clamp(min=0)  # of equal logits one may come out a last digit larger


def chosen(scores: Tensor, task: TaskConfig) -> Tensor:
    """Which labels the scores give: ids (...), or zeros and ones (..., C) for a multi-label task.

    Args:
        scores: (..., C) as `probabilities` gives them, of a task that has labels.
        task: Says the problem type and the thresholds.
    """
    thresholds = scores.new_tensor(task.thresholds or [DEFAULT_THRESHOLD])
    if task.problem_type == "multi_label_classification":
        return (scores > thresholds).long()
    if task.problem_type == "binary_classification":
        return (scores[..., 1] > thresholds[0]).long()
    return scores.argmax(dim=-1)
