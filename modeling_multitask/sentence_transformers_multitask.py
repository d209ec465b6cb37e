"""The files of sentence-transformers: read from a backbone, and written next to a saved model.

A folder with these files loads as a SentenceTransformer: the model in the root folder, then pooling, then normalisation
if `config.normalize` is true.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

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
    """The backbone's own pooling, normalisation and maximum length. `None` if its files do not set them."""

    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    subfolder: str = ""


def read_embedding_settings(model: str, **hub_kwargs: Any) -> EmbeddingSettings:
    """Read a backbone's sentence-transformers files. Without such files, all settings are `None`.

    Args:
        model: Hub id or folder.
        hub_kwargs: Arguments of `from_pretrained`, such as `revision`, `token` and `cache_dir`.

    Raises:
        ValueError: If the model combines several poolings, which is not supported.
    """
    modules = _read_json(model, "modules.json", hub_kwargs)
    if modules is None:
        return EmbeddingSettings()
    kinds = {module["type"].rsplit(".", 1)[-1]: module["path"] for module in modules}
    if others := sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"}):
        logger.warning(
            f"{model}: its {', '.join(others)} is ignored, so embeddings will differ from those of SentenceTransformer"
        )
    subfolder = kinds.get("Transformer", "")
    pooling = _read_json(model, f"{kinds['Pooling']}/config.json", hub_kwargs) if "Pooling" in kinds else None
    return EmbeddingSettings(
        pooling=_pooling_word(model, pooling) if pooling else None,
        normalize="Normalize" in kinds,
        max_length=_max_length(model, subfolder, hub_kwargs),
        subfolder=subfolder,
    )


def write_sentence_transformers_files(config: MultiTaskConfig, folder: Path) -> None:
    """Write the files with which a saved model's folder also loads as a SentenceTransformer, with equal embeddings.

    A pooling that sentence-transformers does not know is written by name, so that loading the folder fails. Without
    any files, sentence-transformers would silently use mean pooling.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if config.normalize:
        modules.append(("2_Normalize", "Normalize"))
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    pooling: dict[str, Any] = {"word_embedding_dimension": config.embedding_size, "include_prompt": True}
    if config.pooling in POOLING_KEYS:
        pooling |= {key: word == config.pooling for word, key in POOLING_KEYS.items()}
    else:
        logger.warning(f"SentenceTransformer cannot load {folder}: it does not support the pooling {config.pooling!r}")
        pooling["pooling_mode"] = config.pooling
    _write_json(folder / "modules.json", listing)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": config.max_length, "do_lower_case": False})
    _write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer"})
    if config.normalize:
        (folder / "2_Normalize").mkdir(exist_ok=True)


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
    path = cached_file(model, filename, _raise_exceptions_for_missing_entries=False, **hub_kwargs)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
