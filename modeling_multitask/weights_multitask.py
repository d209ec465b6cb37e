"""Checks that a weights file fits the model, so that no layer silently keeps random numbers."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, cached_file

# Numbers of layers in the configurations of transformers. Each layer has a tensor of its own.
_COUNTS = re.compile(r"(num|n)_(\w+_)?(layers?|groups?|blocks?|experts?)|(encoder|decoder)_layers|depth")
_MOST_NAMED = 3  # tensors in a message


class WeightsError(ValueError):
    """The weights of a model are damaged, or do not fit its `config.json`."""


@dataclass(frozen=True)
class StoredTensors:
    """The tensors of safetensors files, as their headers describe them.

    Args:
        place: The folder or Hub id, for messages.
        shapes: The shape by tensor name.
        dtypes: The dtype by tensor name, such as `F32`.
    """

    place: str
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]

    def check_counts(self, counts: dict[str, Any]) -> None:
        """Raise a `WeightsError` if a number of layers is larger than the number of tensors.

        Args:
            counts: The configuration of the encoder as a dict.
        """
        for name, value in counts.items():
            if isinstance(value, int) and _COUNTS.fullmatch(name) and value > len(self.shapes):
                raise WeightsError(
                    f"{self.place}: {name} is {value:,} in config.json, but the weights file has only "
                    f"{len(self.shapes):,} tensors"
                )

    def check_shapes(self, model: nn.Module) -> None:
        """Raise a `WeightsError` if a tensor has another shape than in the file, or is larger than the whole file.

        Args:
            model: The model that `config.json` describes, without its weights.
        """
        elements = sum(map(math.prod, self.shapes.values()))
        for name, tensor in model.state_dict().items():
            shape = self.shapes.get(name)
            if shape is not None and shape != tuple(tensor.shape):
                raise WeightsError(
                    f"{self.place}: the tensor {name} has the shape {list(shape)} in the weights file, but "
                    f"{list(tensor.shape)} by config.json"
                )
            if shape is None and tensor.numel() > elements:
                raise WeightsError(f"{self.place}: {_missing([name])}")

    def check_loaded(self, model: nn.Module) -> None:
        """Raise a `WeightsError` if a tensor of numbers was stored as whole numbers.

        Args:
            model: The model with its weights.
        """
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and re.match("[IU]|BOOL", self.dtypes.get(name, "F32")):
                raise WeightsError(f"{self.place}: the tensor {name} has whole numbers ({self.dtypes[name]})")


def stored_tensors(place: str, *, variant: str | None = None, **hub_kwargs: Any) -> StoredTensors | None:
    """Return the tensors of a model's safetensors files. `None` if it has no such file.

    Args:
        place: The folder or Hub id.
        variant: The variant in the file names, such as `fp16`.
        hub_kwargs: Such as `revision`, `token`, `cache_dir` and `subfolder`.

    Raises:
        WeightsError: If a file is damaged.
    """
    shapes, dtypes = {}, {}
    for file in _files(place, variant, hub_kwargs):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118, it is no dict
                    part = opened.get_slice(name)
                    shapes[name], dtypes[name] = tuple(part.get_shape()), part.get_dtype()
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{place}: the weights file is damaged ({' '.join(str(error).split())})") from error
    return StoredTensors(place, shapes, dtypes) if shapes else None


def check_weights(place: str, model: nn.Module, info: dict[str, Any], stored: StoredTensors | None) -> None:
    """Raise a `WeightsError` if the weights do not fit the model exactly, or are not finite.

    Args:
        place: The folder or Hub id, for messages.
        model: The model with its weights.
        info: The loading information of transformers.
        stored: The tensors of the files, if they are known.
    """
    if stored is not None:
        stored.check_loaded(model)
    if info["missing_keys"]:
        raise WeightsError(f"{place}: {_missing(sorted(info['missing_keys']))}")
    if info["unexpected_keys"]:
        raise WeightsError(
            f"{place}: the weights file has tensors that the model does not have: "
            f"{_named(sorted(info['unexpected_keys']))}"
        )
    for name, tensor in model.state_dict().items():
        if tensor.dtype in (torch.float32, torch.float16, torch.bfloat16) and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{place}: the tensor {name} has NaN or infinite numbers")


def _files(place: str, variant: str | None, hub_kwargs: dict[str, Any]) -> list[str]:
    """Return the paths of a model's safetensors files, downloaded if needed."""

    def found(name: str) -> str | None:
        name = name if variant is None else name.replace(".safetensors", f".{variant}.safetensors", 1)
        try:
            return cached_file(place, name, **hub_kwargs)
        except OSError:  # transformers says what is wrong when it loads the model
            return None

    if (single := found(SAFE_WEIGHTS_NAME)) is not None:
        return [single]
    if (index := found(SAFE_WEIGHTS_INDEX_NAME)) is None:
        return []
    try:
        names = sorted(set(json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{place}: {SAFE_WEIGHTS_INDEX_NAME} is damaged ({error})") from error
    return [path for name in names if (path := cached_file(place, name, **hub_kwargs)) is not None]


def _missing(names: list[str]) -> str:
    return f"the weights file lacks tensors of the model that config.json describes: {_named(names)}"


def _named(names: list[str]) -> str:
    more = f", and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
