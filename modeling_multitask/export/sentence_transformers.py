"""Write a code-free twin: a folder of sentence-transformers without Python, whose vectors contain all logits.

Its modules are those of the saved model, and one more `Dense` layer: the identity, and below it the linear heads.

Shapes: D width of the embedding, C logits of one task.
"""

import copy
import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..dense_multitask import DenseConfig
from ..files import whole_folder, write_json, write_text
from ..inference.saving import save_tokenizer
from ..inference.text_encoder import TextEncoder
from ..kinds_multitask import DEFAULT_THRESHOLD
from ..modeling_multitask import MultiTaskModel
from ..sentence_transformers_multitask import write_dense, write_sentence_transformers_files
from ..tasks_multitask import TaskConfig, decided_together
from .check import TOLERANCE, differences
from .folder import figure_lines
from .linear import Affine, Distilled, deep_tasks, linear_heads
from .twin_card import twin_card

SETTINGS = "multitask.json"
NOTES = (
    "The vector is not for cosine similarity, because it contains logits. Use its embedding alone.",
    "text-embeddings-inference must be asked with normalize: false on /embed. Its route /v1/embeddings always "
    "normalises the vector and gives no logits.",
)
_IDENTITY = "torch.nn.modules.linear.Identity"
# Special characters, unknown words, and a text longer than the maximum length.
_TEXTS = ["Naïve? 2 phones & a «soup» – bad_good!", "\u4e2d\u6587 xqzzyv", "one more word " * 2000]


@dataclass(frozen=True)
class Twin:
    """A twin that was written.

    Args:
        settings: The content of `multitask.json`.
        largest_difference: The largest difference between its vectors and the embeddings and logits of the model, in
            the unit of each task, and relative for numbers above it. `None` if sentence-transformers is not installed.
    """

    settings: dict[str, Any]
    largest_difference: float | None


def check_twin(config: MultiTaskConfig, *, linear: bool) -> None:
    """Raise a `ValueError` if a model has no twin.

    Args:
        config: The configuration of the model.
        linear: Whether heads with hidden layers may be replaced by linear ones.
    """
    if config.long_texts == "windows":
        raise ValueError(
            "the model reads long texts in windows, but sentence-transformers reads only the first window; "
            "export a model with long_texts: truncate"
        )
    if (deep := deep_tasks(config)) and not linear:
        raise ValueError(
            f"a folder of sentence-transformers can only contain linear heads, but these tasks have heads with hidden "
            f"layers: {', '.join(deep)}. Add --linear to replace them with linear heads that learn their logits, or "
            "train with head: {hidden_sizes: []}"
        )


def write_twin(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: Path, distilled: Distilled | None = None
) -> Twin:
    """Write the twin of a model. If this fails, nothing is written.

    Args:
        model: The trained model.
        tokenizer: Its tokenizer.
        folder: The folder, which is replaced if it exists.
        distilled: Linear heads for the tasks whose heads have hidden layers.

    Raises:
        ValueError: If the vectors of the twin are not those of the model.
    """
    model = copy.deepcopy(model).cpu().float().eval()
    heads = linear_heads(model) | (distilled.heads if distilled else {})
    heads = {task.name: heads[task.name] for task in model.config.tasks}
    settings = twin_settings(model.config, heads) | ({"distilled": distilled.facts} if distilled else {})
    with whole_folder(folder.resolve()) as partial:
        model.backbone.save_pretrained(partial)
        save_tokenizer(tokenizer, model.config.max_length, partial)
        write_sentence_transformers_files(model.config, partial)
        write_dense(model.state_dict(), model.config, partial)
        _add_heads(heads, partial)
        write_json(partial / SETTINGS, settings)
        write_text(partial / "README.md", twin_card(settings))
        return Twin(settings, _largest_difference(partial, model, tokenizer, heads))


def twin_settings(config: MultiTaskConfig, heads: Mapping[str, Affine]) -> dict[str, Any]:
    """Return the content of `multitask.json`: the place and the meaning of each number of a vector.

    Args:
        config: The configuration of the model.
        heads: The linear head of each task, in order.
    """
    start, tasks = int(config.embedding_size or 0), []
    together = decided_together(config.tasks)
    for task in config.tasks:
        end = start + len(heads[task.name].bias)
        place = {"slice": [start, end], "bias": heads[task.name].bias.tolist()}
        tasks.append({**_task_settings(task, together=task.name in together), **place})
        start = end
    return {
        "embedding": [0, config.embedding_size],
        "normalize": config.normalize,
        "pooling": config.pooling,
        "prompt": config.prompt,
        "max_length": config.max_length,
        "notes": list(NOTES),
        "tasks": tasks,
    }


def _task_settings(task: TaskConfig, *, together: bool) -> dict[str, Any]:
    """Return the settings of a task as the decoder applies them."""
    kind = task.kind
    thresholds = task.thresholds or ([DEFAULT_THRESHOLD] * task.num_logits if kind.several_labels else None)
    decision = ("mode" if together else task.decision) if kind.ordered else None
    return {
        "name": task.name,
        "problem_type": task.problem_type,
        "answer": kind.answer,
        "labels": task.labels,
        "temperature": 1.0 if kind.is_number else task.temperature,
        "thresholds": thresholds,
        "decision": decision,
        "transform": task.transform,
        "given": None if task.given is None else asdict(task.given),
        "abstain_below": task.abstain_below,
        "abstain_by": task.abstain_by,
    }


def _add_heads(heads: Mapping[str, Affine], folder: Path) -> None:
    """Write the last `Dense` layer: the identity of the embedding, then the heads."""
    width = next(iter(heads.values())).weight.shape[1]
    weight = np.concatenate([np.eye(width), *(head.weight for head in heads.values())])
    bias = np.concatenate([np.zeros(width), *(head.bias for head in heads.values())])
    listing = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    number = len(listing)
    place = folder / f"{number}_Dense"
    kind = "sentence_transformers.models.Dense"  # the name that all releases and engines know
    listing.append({"idx": number, "name": str(number), "path": place.name, "type": kind})
    write_json(folder / "modules.json", listing)
    write_json(place / "config.json", asdict(DenseConfig(width, len(bias), activation_function=_IDENTITY)))
    tensors = {"linear.weight": torch.from_numpy(weight).float(), "linear.bias": torch.from_numpy(bias).float()}
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})


def _largest_difference(
    folder: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, heads: Mapping[str, Affine]
) -> float | None:
    """Return the largest difference between the twin and the model. Raise a `ValueError` if it is too large."""
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError:
        return None
    found = library.SentenceTransformer(str(folder), device="cpu").encode(_TEXTS, show_progress_bar=False)
    expected = TextEncoder(model, tokenizer, dtype=torch.float32).encode(_TEXTS)[0]
    pairs = {"embedding": (found[:, : expected.shape[1]], expected, 1.0)}
    end = expected.shape[1]
    for task in model.config.tasks:
        start, end = end, end + len(heads[task.name].bias)
        pairs[f"logits of {task.name}"] = (found[:, start:end], heads[task.name].logits(expected), task.unit)
    largest = {name: float(differences(*each).max()) for name, each in pairs.items()}
    worst = max(largest, key=lambda name: largest[name])
    if not largest[worst] <= TOLERANCE:  # also true for NaN
        raise ValueError(
            f"SentenceTransformer gives other numbers than the model ({worst} differs by {largest[worst]:.1g}, where "
            f"{TOLERANCE:.0e} is allowed); this encoder has no twin"
        )
    return largest[worst]


def describe_twin(twin: Twin) -> str:
    """Return the result of `write_twin` as text."""
    settings = twin.settings
    width = settings["embedding"][1]
    places = [f"{task['name']} [{task['slice'][0]}:{task['slice'][1]}]" for task in settings["tasks"]]
    lines = [f"A vector contains: embedding [0:{width}], {', '.join(places)}"]
    if twin.largest_difference is None:
        lines.append("Not compared with PyTorch, because sentence-transformers is not installed.")
    else:
        lines.append(
            f"Equal to PyTorch: numbers of SentenceTransformer differ by at most {twin.largest_difference:.1e}, where "
            f"{TOLERANCE:.0e} is allowed."
        )
    if (facts := settings.get("distilled")) is not None:
        lines.append(
            f"Linear heads have learned the logits of {', '.join(facts['tasks'])} on {facts['texts']:,} texts."
        )
        lines += figure_lines(facts)
    return "\n".join(lines)
