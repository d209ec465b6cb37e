"""Load a trained model, and choose its device and dtype."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..errors import ModelFolderError
from ..files import is_folder
from ..hub_access import hub_access
from ..modeling_multitask import MultiTaskModel
from ..paths_multitask import resolve_model_path
from ..texts_multitask import check_tokenizer, tokenize
from ..weights_multitask import WeightsError
from ..wording import first_line


def load(model: str, device: torch.device | None = None) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Return a trained model and its tokenizer.

    Args:
        model: A Hub id, a folder, or `package:NAME/FOLDER`.
        device: The device of the model. By default the accelerator, if there is one.

    Raises:
        ModelFolderError: If a file is damaged, or the files do not fit together.
        OSError: If the model is not found, or its weights are not safetensors.
    """
    path = resolve_model_path(model)
    with hub_access(path):
        loaded, tokenizer = _load_as_it_is(model, path)
    return to_device(loaded, device), tokenizer


def _load_as_it_is(model: str, path: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Load a model again if its folder was replaced meanwhile, because files of two models do not belong together."""
    before, found = _identity(path), None
    try:
        found = _load(model, path)
    except OSError:
        if _identity(path) == before:
            raise
    if found is not None and _identity(path) == before:
        return found
    return _load(model, path)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a folder from another of the same name."""
    if not is_folder(path):
        return None
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _load(model: str, path: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    config = read_config(model)
    # A model from an unknown author must not run code: no pickle is read, and no tokenizer code is loaded.
    with _reading(model, "config.json"):
        loaded: Any = MultiTaskModel.from_pretrained(path, config=config, use_safetensors=True)
    with _reading(model, "tokenizer.json"):
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        check_tokenizer(tokenizer, loaded)
    with _reading(model, "config.json"):
        _check_answer(loaded, tokenizer)
    return loaded, tokenizer


def _check_answer(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise an error if the model cannot answer one short text, because a setting of its encoder is invalid."""
    with torch.inference_mode():
        output = model(**tokenize(tokenizer, model.config, ["a"], return_tensors="pt"))
    if not all(logits.isfinite().all() for logits in output.logits.values()):
        raise ValueError("the model answers with numbers that are not finite")


def read_config(model: str) -> MultiTaskConfig:
    """Return the configuration of a trained model.

    Args:
        model: A Hub id, a folder, or `package:NAME/FOLDER`.

    Raises:
        ModelFolderError: If `config.json` is damaged or invalid.
        FileNotFoundError: If the model is not found, or is not a multi-task model.
    """
    path = resolve_model_path(model)
    with hub_access(path) as unreachable:
        return _read_config(model, path, unreachable)


def _read_config(model: str, path: str, unreachable: str | None) -> MultiTaskConfig:
    is_damaged = (Path(path) / "config.json").is_file()  # if transformers cannot read it
    try:
        with _reading(model, "config.json"):
            kind = MultiTaskConfig.get_config_dict(path)[0].get("model_type")
    except ModelFolderError:
        raise
    except OSError as error:
        reason = first_line(error)
        if is_damaged:
            raise ModelFolderError(f"{model}: config.json: {reason} {_AGAIN}") from error
        where = f"not found on the Hub ({reason})" if unreachable is None else unreachable
        raise FileNotFoundError(f"{model}: not a local folder, and {where}") from error
    if kind != MultiTaskConfig.model_type:
        found = f"its config.json says model_type {kind!r}" if kind else "it has no config.json"
        raise FileNotFoundError(f"{model}: not a multi-task model ({found}){model_hint(model, path)}")
    with _reading(model, "config.json"):
        return MultiTaskConfig.from_pretrained(path)


def model_hint(model: str, path: str | Path) -> str:
    """Return the end of a message that names the model in the output folder of a run, or nothing.

    Args:
        model: The name that the user gave.
        path: Its folder.
    """
    return f"; its model is {model.rstrip('/')}/model" if (Path(path) / "model" / "config.json").is_file() else ""


def to_device(model: Any, device: torch.device | None = None) -> Any:
    """Return the model on a device: by default on the accelerator, or on the CPU if there is none."""
    if device is None and torch.accelerator.is_available():
        device = torch.accelerator.current_accelerator()
    return model.to(device or "cpu")


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 for devices that are faster in it (GPUs, and CPUs with AMX or AVX-512 BF16), else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type != "cpu":
        return torch.float32
    units = torch.cpu.get_capabilities()
    return torch.bfloat16 if units.get("amx_bf16") or units.get("avx512_bf16") else torch.float32


_AGAIN = "Download or copy the folder again, or correct the file."


@contextmanager
def _reading(model: str, file: str) -> Iterator[None]:
    """Turn whatever a damaged or hostile file raises into one error. An error of the file system or the Hub stays."""
    try:
        yield
    except OSError:
        raise
    except WeightsError as error:
        raise ModelFolderError(f"{error}. {_AGAIN}") from error
    except Exception as error:
        raise ModelFolderError(f"{model}: {file}: {_cause(error)}. {_AGAIN}") from error


def _cause(error: Exception) -> str:
    """Return the cause of an error in one line."""
    if isinstance(error, StrictDataclassError):  # "Validation error for ...:", then the type and the cause
        return str(error).strip().splitlines()[-1].strip().split(": ", 1)[-1]
    return first_line(error) if type(error) is ValueError else f"{type(error).__name__}: {first_line(error)}"
