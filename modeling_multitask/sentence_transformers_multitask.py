"""The files of sentence-transformers: read from a backbone, and written next to a saved model.

A folder with these files loads as a SentenceTransformer: the model in the root folder, then pooling, then the dense
layers, then normalisation if `config.normalize` is true.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from huggingface_hub import load_state_dict_from_file, save_torch_state_dict
from torch import Tensor, nn
from transformers.utils import cached_file, logging

from .configuration_multitask import MultiTaskConfig
from .words_multitask import Pooling

logger = logging.get_logger(__name__)

# Our word for each pooling, and its key in every release of sentence-transformers.
POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@dataclass(frozen=True)
class EmbeddingSettings:
    """The backbone's own settings of its embeddings. `None` if its files do not set them.

    Args:
        pooling: The pooling.
        normalize: Whether embeddings have length 1.
        max_length: The maximum number of tokens.
        subfolder: The folder of the encoder.
        dense: The settings of each dense layer.
        dense_folders: The folder of each dense layer.
        prompts: The prompts by name. Some are empty.
        default_prompt_name: The name of the default prompt.
        include_prompt: Whether pooling includes the tokens of the prompt.
    """

    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    subfolder: str = ""
    dense: list[dict[str, Any]] = field(default_factory=list)
    dense_folders: list[str] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    include_prompt: bool = True

    @property
    def prompt(self) -> str:
        """The default prompt. It is often empty."""
        return self.prompts.get(self.default_prompt_name or "", "")


def read_embedding_settings(model: str, **hub_kwargs: Any) -> EmbeddingSettings:
    """Read a backbone's sentence-transformers files. Without such files, all settings are `None`.

    Args:
        model: Hub id or folder.
        hub_kwargs: Arguments of `from_pretrained`, such as `revision`, `token` and `cache_dir`.

    Raises:
        ValueError: If the model combines several poolings or other modules, which is not supported.
    """
    modules = _read_json(model, "modules.json", hub_kwargs)
    if modules is None:
        return EmbeddingSettings()
    places = _places(modules)
    kinds, paths = [kind for kind, _ in places], dict(places)
    dense = {path: _dense_settings(model, path, hub_kwargs) for kind, path in places if kind == "Dense"}
    if not re.fullmatch(r"Transformer( Pooling( Dropout| Dense)*)?( Normalize)?", " ".join(kinds)):
        raise ValueError(
            f"{model}: its modules are {', '.join(kinds)}, which together are not supported; allowed are Transformer, "
            "Pooling, Dense and Normalize, in this order. Choose another backbone, or remove modules.json from its "
            "folder to train on its encoder alone"
        )
    subfolder = paths.get("Transformer", "")
    pooling = _read_json(model, f"{paths['Pooling']}/config.json", hub_kwargs) if "Pooling" in paths else None
    whole = _read_json(model, "config_sentence_transformers.json", hub_kwargs) or {}
    prompts = {name: text or "" for name, text in (whole.get("prompts") or {}).items()}
    default = whole.get("default_prompt_name")
    return EmbeddingSettings(
        pooling=_pooling_word(model, pooling) if pooling else None,
        normalize="Normalize" in kinds,
        max_length=_max_length(model, subfolder, hub_kwargs),
        subfolder=subfolder,
        dense=list(dense.values()),
        dense_folders=list(dense),
        prompts=prompts,
        default_prompt_name=default if default in prompts else None,
        include_prompt=bool((pooling or {}).get("include_prompt", True)),
    )


def load_dense(model: str, settings: EmbeddingSettings, layers: nn.Sequential, **hub_kwargs: Any) -> None:
    """Load the weights of a backbone's dense layers.

    Args:
        model: Hub id or folder.
        settings: The backbone's settings.
        layers: The layers of a new model.
        hub_kwargs: Arguments of `from_pretrained`, such as `revision`, `token` and `cache_dir`.

    Raises:
        ValueError: If a layer has no weights, or other ones.
    """
    for folder, layer in zip(settings.dense_folders, layers, strict=True):
        files = (_cached(model, f"{folder}/{name}", hub_kwargs) for name in ("model.safetensors", "pytorch_model.bin"))
        path = next((each for each in files if each is not None), None)
        if path is None:
            raise ValueError(f"{model}: the dense layer {folder} has no weights; download the model again")
        try:
            layer.load_state_dict(load_state_dict_from_file(path, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise ValueError(f"{model}: the weights of the dense layer {folder} do not fit its settings") from error


def write_dense(state_dict: dict[str, Tensor], config: MultiTaskConfig, folder: Path) -> None:
    """Write the dense layers a second time, where sentence-transformers reads them.

    Args:
        state_dict: The tensors of the whole model by name.
        config: The configuration of the model.
        folder: The folder of the model.
    """
    for i, layer in enumerate(config.dense):
        place, start = folder / f"{i + 2}_Dense", f"dense.{i}."
        _write_json(place / "config.json", asdict(layer))
        own = {name.removeprefix(start): each for name, each in state_dict.items() if name.startswith(start)}
        save_torch_state_dict({name: each.detach().to("cpu", copy=True) for name, each in own.items()}, place)


def write_sentence_transformers_files(config: MultiTaskConfig, folder: Path) -> None:
    """Write the files with which a saved model's folder also loads as a SentenceTransformer, with equal embeddings.

    A pooling that sentence-transformers does not know is written by name, so that loading the folder fails. Without
    any files, sentence-transformers would silently use mean pooling.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules += [(f"{i + 2}_Dense", "Dense") for i in range(len(config.dense))]
    if config.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    width = config.dense[0].in_features if config.dense else config.embedding_size
    pooling: dict[str, Any] = {"word_embedding_dimension": width}
    if config.pooling in POOLING_KEYS:
        pooling |= {key: word == config.pooling for word, key in POOLING_KEYS.items()}
    else:
        logger.warning(f"SentenceTransformer cannot load {folder}: it does not support the pooling {config.pooling!r}")
        pooling["pooling_mode"] = config.pooling
    # Last, because early releases of vLLM take the first true value for the pooling.
    pooling["include_prompt"] = config.include_prompt
    _write_json(folder / "modules.json", listing)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": config.max_length, "do_lower_case": False})
    prompts = {"prompts": config.prompts, "default_prompt_name": config.default_prompt_name}
    _write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer", **prompts})
    if config.normalize:
        (folder / modules[-1][0]).mkdir(exist_ok=True)


def _places(modules: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the kind and the folder of each module."""
    return [(module["type"].rsplit(".", 1)[-1], module["path"]) for module in modules]


def _dense_settings(model: str, folder: str, hub_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a dense layer, without those at their default."""
    given = dict(_read_json(model, f"{folder}/config.json", hub_kwargs) or {})
    for name, usual in (("module_input_name", "sentence_embedding"), ("module_output_name", "sentence_embedding")):
        if given.get(name) in (usual, None):
            given.pop(name, None)
    if not given.get("use_residual"):
        given.pop("use_residual", None)
    return given


def _pooling_word(model: str, config: dict[str, Any]) -> str:
    # Release 6 writes one word (its `mean_sqrt_len_tokens` is our `mean_sqrt_len`), earlier releases several booleans.
    if "pooling_mode" in config:
        given = config["pooling_mode"]
        words = [given] if isinstance(given, str) else list(given)
        words = [word.removesuffix("_tokens") for word in words]
    else:
        words = [word for word, key in POOLING_KEYS.items() if config.get(key)]
    if len(words) != 1 or words[0] not in get_args(Pooling):
        raise ValueError(f"{model}: pooling is {words}; set pooling to one of {', '.join(get_args(Pooling))}")
    return words[0]


def _max_length(model: str, subfolder: str, hub_kwargs: dict[str, Any]) -> int | None:
    prefix = f"{subfolder}/" if subfolder else ""
    transformer = _read_json(model, f"{prefix}sentence_bert_config.json", hub_kwargs) or {}
    if transformer.get("max_seq_length"):
        return transformer["max_seq_length"]
    # Release 6 stores the length only in the tokenizer's file, where a very large number means no limit.
    tokenizer = _read_json(model, f"{prefix}tokenizer_config.json", hub_kwargs) or {}
    length = tokenizer.get("model_max_length")
    return length if isinstance(length, int) and length < 1_000_000 else None


def _read_json(model: str, filename: str, hub_kwargs: dict[str, Any]) -> Any:
    path = _cached(model, filename, hub_kwargs)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _cached(model: str, filename: str, hub_kwargs: dict[str, Any]) -> str | None:
    """Return the path of a file of a model, or `None` if it has no such file."""
    return cached_file(model, filename, _raise_exceptions_for_missing_entries=False, **hub_kwargs)


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
