"""The pipeline: from a text to the answers of all tasks, and optionally the sentence embedding.

Shapes: D width of the encoder, W windows of a text, 1 if the text is not split.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset
from transformers.pipelines.base import ChunkPipeline

from .answers_multitask import answers
from .configuration_multitask import CustomPipelines
from .pooling_multitask import join_windows
from .tasks_multitask import chosen_tasks
from .texts_multitask import WINDOW_TEXTS, Text, check_tokenizer, each_text, is_one_text, read_text, tokenize

PIPELINE_TASK = "multitask-classification"
# The entry of this file in config.json, where `pipeline()` finds it.
CUSTOM_PIPELINES = CustomPipelines(
    {PIPELINE_TASK: {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}}
)

DEFAULT_BATCH_SIZE = 32
_TOKENS = "tokens of the window"


class MultiTaskPipeline(ChunkPipeline):
    """A pipeline that answers all tasks of a [`MultiTaskModel`] for a text or a list of texts.

    It takes what the `text-classification` pipeline of transformers takes. A pair of texts is
    `{"text": ..., "text_pair": ...}`, or a tuple of two strings.

    Args:
        top_k: The number of labels to return for each task, best first. `None` returns all. By default only the answer
            is returned, which for a multi-label task are the labels above their threshold.
        return_embedding: Whether to add the sentence embedding, a list of D floats, with the key `embedding`.
        tasks: The names of the tasks to answer. By default all.

    Raises:
        ValueError: If a parameter or a task is unknown.

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
        check_tokenizer(self.tokenizer, self.model)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Answer all tasks for one text or for several.

        Args:
            inputs: A text, a pair, or several: a list, a column of a table, a `datasets` data set with the column
                `text` (and `text_pair` for pairs), a `KeyDataset`, or a generator.
            kwargs: `top_k`, `return_embedding` and `tasks` as above, and `batch_size`, the number of texts in one
                forward pass.

        Returns:
            A dict by task name for one text, and a list of these for several. For a data set or a generator, an
            iterator over these, as in transformers.

        Raises:
            ValueError: If an input is not a text. The message has its place in the list, counted from 0.
        """
        if is_one_text(inputs):
            return super().__call__(read_text(inputs), **kwargs)
        if isinstance(inputs, Iterator | Dataset) or hasattr(inputs, "with_format"):
            return super().__call__(_TextsOnDemand(inputs), **kwargs)
        texts = list(each_text(inputs))
        return super().__call__(texts, **kwargs) if texts else []

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        allowed = {"top_k", "return_embedding", "tasks"}
        if unknown := sorted(set(parameters) - allowed):
            raise ValueError(
                f"{unknown[0]!r} is not a parameter of this pipeline; allowed: {', '.join(sorted(allowed))}"
            )
        chosen_tasks(self.model.config.tasks, parameters.get("tasks"))  # raises now if a task is unknown
        return {}, {}, parameters

    def preprocess(self, text: Text | dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the W windows of a text. The last one has `is_last`."""
        text = read_text(text)
        texts = [text] if isinstance(text, str) else text
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
        names = parameters.pop("tasks", None)
        tasks = self.model.config.tasks
        outputs = model_outputs[0] if len(model_outputs) == 1 else self._joined(model_outputs)
        [every] = answers({task.name: outputs[task.name] for task in tasks}, tasks, **parameters)
        answer: dict[str, Any] = {task.name: every[task.name] for task in chosen_tasks(tasks, names)}
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


class _TextsOnDemand(IterableDataset):
    """Texts that are read while they are answered. The pipeline returns an iterator for a data set."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Text]:
        return each_text(self.rows)
