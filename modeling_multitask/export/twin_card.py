"""The card of a code-free twin, with the code that decodes its vectors."""

import inspect
from typing import Any

from ..hub.markdown import escape_markdown
from . import decoder

MOST_LABELS = 20  # of a task in the table
_ENGINES_POOLINGS = ("cls", "mean", "lasttoken")  # of text-embeddings-inference and vLLM
_HEAD = """\
---
library_name: sentence-transformers
pipeline_tag: feature-extraction
tags:
- sentence-transformers
- feature-extraction
- multi-task
---

# A multi-task model for Sentence Transformers

This folder contains no Python code. It returns one vector for each text: the sentence embedding with {width} numbers,
followed by the logits of each task. `multitask.json` describes each number.

| task | answer | numbers | labels |
|---|---|---|---|
{tasks}

The model reads the first {max_length} tokens of a text.{distilled}

## Embeddings

**The vector is not for cosine similarity**, because it contains logits. Load the embedding alone for that:

```python
from sentence_transformers import SentenceTransformer

name = "."  # this folder, or its id on the Hub
encoder = SentenceTransformer(name, truncate_dim={width})
print(encoder.encode(["The battery died within a day."]).shape)
```

## Answers

Copy this decoder. It applies the temperatures, thresholds, conditions between tasks and abstention of the original
model, and needs only numpy:

```python
{decoder}```

Decode the vector of a text:

```python
import json

from sentence_transformers import SentenceTransformer
from transformers.utils import cached_file

name = "."  # this folder, or its id on the Hub
model = SentenceTransformer(name)
with open(cached_file(name, "multitask.json"), encoding="utf-8") as file:
    settings = json.load(file)
answers = [decode(vector, settings) for vector in model.encode(["The battery died within a day."])]
print(answers)
```

## Servers

{servers}
"""
_TEI_AND_VLLM = """\
- [text-embeddings-inference](https://github.com/huggingface/text-embeddings-inference): start it with
  `--dtype float32`, and send `"normalize": false, "truncate": true` to `/embed`. The route `/v1/embeddings` always
  normalises the vector and gives no logits.
- [vLLM](https://github.com/vllm-project/vllm): start it with `--runner pooling --dtype float32`, and send
  `"use_activation": false` (`"normalize": false` in early releases)."""
_OTHER_POOLING = """\
- text-embeddings-inference and vLLM do not have the pooling `{pooling}`, and vLLM uses another one instead. Do not use
  them for this model."""
_INFINITY = "- [infinity](https://github.com/michaelfeil/infinity) always normalises the vector{effect}."
_PROMPT = """\
- These servers do not put the prompt of the model before a text. Do it yourself: {prompt}."""


def twin_card(settings: dict[str, Any]) -> str:
    """Return the card, in Markdown.

    Args:
        settings: The content of `multitask.json`.
    """
    source = inspect.getsource(decoder)
    return _HEAD.format(
        width=settings["embedding"][1],
        tasks="\n".join(map(_row, settings["tasks"])),
        max_length=settings["max_length"],
        distilled=_distilled(settings.get("distilled")),
        decoder=source[source.index("from typing") :],
        servers="\n".join(_servers(settings)),
    )


def _row(task: dict[str, Any]) -> str:
    start, end = task["slice"]
    labels = [escape_markdown(label) for label in task["labels"] or []]
    more = [f"and {len(labels) - MOST_LABELS:,} more"] if len(labels) > MOST_LABELS else []
    answer = task["problem_type"].replace("_", " ")
    numbers = f"{start}" if end == start + 1 else f"{start} to {end - 1}"
    return f"| {escape_markdown(task['name'])} | {answer} | {numbers} | {', '.join([*labels[:MOST_LABELS], *more])} |"


def _distilled(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return ""
    names = ", ".join(map(escape_markdown, facts["tasks"]))
    shares = [
        f"{escape_markdown(name)} {each['same_answer']:.1%}"
        for form in facts["agreement"].values()
        for name, each in form.items()
        if "same_answer" in each
    ]
    same = (
        f" The share of equal answers on {facts['rows']['count']:,} other rows is: {', '.join(shares)}."
        if shares
        else ""
    )
    return (
        f"\n\nThe original heads of {names} have hidden layers. Here they are linear heads that have learned the "
        f"logits of the original ones on {facts['texts']:,} texts.{same}"
    )


def _servers(settings: dict[str, Any]) -> list[str]:
    known = settings["pooling"] in _ENGINES_POOLINGS
    normalised = (
        ". Divide it by the length of its embedding, and then decode it"
        if settings["normalize"]
        else " and gives no logits"
    )
    return [
        _TEI_AND_VLLM if known else _OTHER_POOLING.format(pooling=settings["pooling"]),
        _INFINITY.format(effect=normalised),
        *([_PROMPT.format(prompt=escape_markdown(repr(settings["prompt"])))] if settings["prompt"] else []),
    ]
