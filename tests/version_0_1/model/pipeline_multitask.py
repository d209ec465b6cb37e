"""Text in; every task's labelled answer out, and the sentence embedding if asked for.

Shapes: D width of the encoder, W windows of a text, one if it is not read in several.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers.pipelines.base import ChunkPipeline

from .answers_multitask import answers
from .pooling_multitask import join_windows
from .texts_multitask import WINDOW_TEXTS, tokenize

PIPELINE_TASK = "multitask-classification"
# What config.json says of this file; `pipeline()` finds it there.
CUSTOM_PIPELINES = {PIPELINE_TASK: {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}}

DEFAULT_BATCH_SIZE = 32
_TOKENS = "tokens of the window"


class MultiTaskPipeline(ChunkPipeline):
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

    def preprocess(self, text: str | dict[str, str]) -> Iterator[dict[str, Any]]:
        """The W windows of a text one by one; the last one says so."""
        texts = [text] if isinstance(text, str) else [text["text"], text["text_pair"]]
        windows = tokenize(self.tokenizer, self.model.config, *texts, return_tensors="pt", padding=True)
        windows.pop(WINDOW_TEXTS, None)
        count = len(windows["input_ids"])
        for i in range(count):
            yield {"is_last": i == count - 1, **{name: values[i : i + 1] for name, values in windows.items()}}

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        is_last = model_inputs.pop("is_last")
        output = self.model(**model_inputs)
        # A flat dict, for `pipeline()` cuts a batch into rows by its values; no task has one of these names.
        windows = {"embedding": output.embeddings, _TOKENS: model_inputs["attention_mask"].sum(dim=1)}
        return {"is_last": is_last, **output.logits, **windows}

    def postprocess(self, model_outputs: list[dict[str, Tensor]], **parameters: Any) -> dict[str, Any]:
        """The answer to a text from its W windows."""
        return_embedding = parameters.pop("return_embedding", False)
        tasks = self.model.config.tasks
        outputs = model_outputs[0] if len(model_outputs) == 1 else self._joined(model_outputs)
        answer: dict[str, Any] = answers({task.name: outputs[task.name] for task in tasks}, tasks, **parameters)[0]
        if return_embedding:
            answer["embedding"] = outputs["embedding"][0].float().tolist()
        return answer

    def _joined(self, windows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The outputs for a text of several windows: the heads are asked anew, by the embedding of all."""
        embeddings, tokens = (torch.cat([each[name] for each in windows]) for name in ("embedding", _TOKENS))
        text = torch.zeros_like(tokens)  # (W,), all of one
        embedding = join_windows(embeddings, text, tokens, normalize=self.model.config.normalize)  # (1, D)
        with torch.inference_mode():
            logits = self.model.heads(embedding.to(self.model.device))
        return {**logits, "embedding": embedding}
