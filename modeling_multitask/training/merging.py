"""One model from several models with the same encoder, with the heads of all of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ..modeling_multitask import MultiTaskModel
from .growing import grow

_OF_TASKS = ("tasks", "head")
_OF_FILES = ("auto_map", "custom_pipelines", "architectures", "transformers_version", "_name_or_path", "dtype")


def merge_models(models: Mapping[str, MultiTaskModel]) -> MultiTaskModel:
    """Return a model with the tasks of all models. It gives every answer of each of them bit for bit.

    The encoder must be the same in all models, as after training with `freeze: [backbone]`, or from phases that only
    train heads.

    Args:
        models: At least two models by name. They are not changed.

    Raises:
        ValueError: If a weight of the encoder or a setting differs, or two models have a task of the same name.

    Example:
        >>> from modeling_multitask.inference import load
        >>> folders = ["runs/quickstart/model", "runs/quickstart/model"]
        >>> merge_models({name: load(folder)[0] for name, folder in zip("ab", folders)})
        Traceback (most recent call last):
        ...
        ValueError: a and b both have the task 'domain'; give one of them another name, and train it again
    """
    (first_name, first), *others = models.items()
    taken = {task.name: first_name for task in first.config.tasks}
    for name, model in others:
        for task in model.config.tasks:
            if task.name in taken:
                raise ValueError(
                    f"{taken[task.name]} and {name} both have the task {task.name!r}; give one of them another name, "
                    "and train it again"
                )
            taken[task.name] = name
        if (problem := _settings_problem(first, model) or _weights_problem(first, model)) is not None:
            raise ValueError(
                f"{first_name} and {name} do not have the same encoder: {problem}. Only heads on one encoder can be "
                "merged; train both models from the same backbone with `freeze: [backbone]`"
            )
    tasks = [
        replace(task, head=task.head or each.config.head) for each in models.values() for task in each.config.tasks
    ]
    merged = grow(first, tasks)
    for _, model in others:
        merged.heads.load_state_dict(model.heads.state_dict(), strict=False)
    return merged


def check_tokenizers(tokenizers: Mapping[str, PreTrainedTokenizerBase]) -> None:
    """Raise a `ValueError` if the tokenizers do not give the same tokens.

    Args:
        tokenizers: The tokenizer of each model, by the name of the model.
    """
    (first_name, first), *others = tokenizers.items()
    for name, tokenizer in others:
        if _rules(tokenizer) != _rules(first):
            raise ValueError(f"{first_name} and {name} have different tokenizers, so they cannot be merged")


def _settings_problem(one: MultiTaskModel, other: MultiTaskModel) -> str | None:
    ours, theirs = (_settings(model.config.to_dict()) for model in (one, other))
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            return f"{name} is {ours.get(name)!r} and {theirs.get(name)!r}"
    return None


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    backbone = {f"backbone_config.{name}": value for name, value in config.pop("backbone_config").items()}
    kept = {name: value for name, value in config.items() if name not in _OF_TASKS} | backbone
    return {name: value for name, value in kept.items() if name.rpartition(".")[2] not in _OF_FILES}


def _weights_problem(one: MultiTaskModel, other: MultiTaskModel) -> str | None:
    ours, theirs = (
        {name: weight for name, weight in model.state_dict().items() if not name.startswith("heads.")}
        for model in (one, other)
    )
    differ = [name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])]
    differ += [name for name in theirs if name not in ours]
    return f"{len(differ)} of its {len(ours)} weights differ, such as {differ[0]}" if differ else None


def _rules(tokenizer: PreTrainedTokenizerBase) -> Any:
    if not tokenizer.is_fast:
        return type(tokenizer), tokenizer.get_vocab(), tokenizer.special_tokens_map
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in rules.items() if name not in ("truncation", "padding")}
