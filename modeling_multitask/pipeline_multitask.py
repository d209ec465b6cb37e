"""The pipeline: from a text to the answers of all tasks, and optionally the sentence embedding.

Shapes: D width of the encoder, W windows of a text, 1 if the text is not split.
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
# The entry of this file in config.json, where `pipeline()` finds it.
CUSTOM_PIPELINES = {PIPELINE_TASK: {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}}

DEFAULT_BATCH_SIZE = 32
_TOKENS = "tokens of the window"


class MultiTaskPipeline(ChunkPipeline):
    """A pipeline that answers all tasks of a [`MultiTaskModel`] for a text or a list of texts.

    A pair of texts has the same form as in transformers' own pipelines: `{"text": ..., "text_pair": ...}`.

    Args:
        top_k: The number of labels to return for each task, best first. `None` returns all. By default only the answer
            is returned, which for a multi-label task are the labels above their threshold.
        return_embedding: Whether to add the sentence embedding, a list of D floats, with the key `embedding`.

    Raises:
        ValueError: If a parameter is unknown.

    Example:
        >>> from transformers import pipeline
        >>> model = "runs/quickstart/model"  # made by `multitask train quickstart`
        >>> classify = pipeline("multitask-classification", model=model, trust_remote_code=True)
        >>> classify("The battery died within a day.")["domain"]["label"]
        'product'
    """

    _load_tokenizer = True

    def __init__(self, *args: Any, batch_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, batch_size=batch_size or DEFAULT_BATCH_SIZE, **kwargs)

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        allowed = {"top_k", "return_embedding"}
        if unknown := sorted(set(parameters) - allowed):
            raise ValueError(
                f"{unknown[0]!r} is not a parameter of this pipeline; allowed: {', '.join(sorted(allowed))}"
            )
        return {}, {}, parameters

    def preprocess(self, text: str | dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the W windows of a text. The last one has `is_last`."""
        texts = [text] if isinstance(text, str) else [text["text"], text["text_pair"]]
        windows = tokenize(self.tokenizer, self.model.config, *texts, return_tensors="pt", padding=True)
        windows.pop(WINDOW_TEXTS, None)
        count = len(windows["input_ids"])
        for i in range(count):
            yield {"is_last": i == count - 1, **{name: values[i : i + 1] for name, values in windows.items()}}

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        is_last = model_inputs.pop("is_last")
        output = self.model(**model_inputs)
        # The dict is flat, because `pipeline()` splits a batch by its values. No task can have these names.
        windows = {"embedding": output.embeddings, _TOKENS: model_inputs["attention_mask"].sum(dim=1)}
        return {"is_last": is_last, **output.logits, **windows}

    def postprocess(self, model_outputs: list[dict[str, Tensor]], **parameters: Any) -> dict[str, Any]:
        """Return the answer to a text from the outputs for its W windows."""
        return_embedding = parameters.pop("return_embedding", False)
        tasks = self.model.config.tasks
        outputs = model_outputs[0] if len(model_outputs) == 1 else self._joined(model_outputs)
        answer: dict[str, Any] = answers({task.name: outputs[task.name] for task in tasks}, tasks, **parameters)[0]
        if return_embedding:
            answer["embedding"] = outputs["embedding"][0].float().tolist()
        return answer

    def _joined(self, windows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return the outputs for a text of several windows. The heads run again, on the joined embedding."""
        embeddings, tokens = (torch.cat([each[name] for each in windows]) for name in ("embedding", _TOKENS))
        text = torch.zeros_like(tokens)  # (W,), all of the same text
        embedding = join_windows(embeddings, text, tokens, normalize=self.model.config.normalize)  # (1, D)
        with torch.inference_mode():
            logits = self.model.heads(embedding.to(self.model.device))
        return {**logits, "embedding": embedding}
