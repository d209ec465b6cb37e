"""Text in; every task's labelled answer out, and the sentence embedding if asked for.

Shapes: D width of the encoder.
"""

from typing import Any

from torch import Tensor
from transformers import Pipeline

from .answers_multitask import answers

PIPELINE_TASK = "multitask-classification"
# What config.json says of this file; `pipeline()` finds it there.
CUSTOM_PIPELINES = {PIPELINE_TASK: {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}}

DEFAULT_BATCH_SIZE = 32


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
        tasks = self.model.config.tasks
        answer: dict[str, Any] = answers({task.name: model_outputs[task.name] for task in tasks}, tasks, **parameters)[
            0
        ]
        if return_embedding:
            answer["embedding"] = model_outputs["embedding"][0].float().tolist()
        return answer
