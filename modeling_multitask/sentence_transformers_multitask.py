"""The files by which sentence-transformers knows a model: read from a backbone, written beside our own weights.

A folder with them is a SentenceTransformer: token states from the model at its root, then pooling, then
normalisation where the model normalises.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from transformers.utils import cached_file, logging

from .configuration_multitask import MultiTaskConfig
from .words_multitask import Pooling

logger = logging.get_logger(__name__)

# Our word for each pooling, and the key by which every release of sentence-transformers knows it.
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
    """How a backbone wants its sentence embedding made; `None` where it does not say."""

    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    subfolder: str = ""


def read_embedding_settings(model: str, **hub_kwargs: Any) -> EmbeddingSettings:
    """What a backbone's sentence-transformers files say; all `None` for a backbone without such files.

    Args:
        model: Hub id or folder.
        hub_kwargs: `revision`, `token`, `cache_dir` and the like, as for `from_pretrained`.

    Raises:
        ValueError: If the model joins several poolings, which has no counterpart here.
    """
    modules = _read_json(model, "modules.json", hub_kwargs)
    if modules is None:
        return EmbeddingSettings()
    kinds = {module["type"].rsplit(".", 1)[-1]: module["path"] for module in modules}
    if others := sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"}):
        logger.warning(f"{model}: its {', '.join(others)} is left out, so embeddings will differ from its own")
    subfolder = kinds.get("Transformer", "")
    pooling = _read_json(model, f"{kinds['Pooling']}/config.json", hub_kwargs) if "Pooling" in kinds else None
    return EmbeddingSettings(
        pooling=_pooling_word(model, pooling) if pooling else None,
        normalize="Normalize" in kinds,
        max_length=_max_length(model, subfolder, hub_kwargs),
        subfolder=subfolder,
    )


def write_sentence_transformers_files(config: MultiTaskConfig, folder: Path) -> None:
    """Makes a saved model's folder a SentenceTransformer as well, with the same embeddings.

    A pooling that sentence-transformers does not know is written by its name, so that it refuses to load the folder;
    without any files it would take the mean.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if config.normalize:
        modules.append(("2_Normalize", "Normalize"))
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    pooling: dict[str, Any] = {"word_embedding_dimension": config.hidden_size, "include_prompt": True}
    if config.pooling in POOLING_KEYS:
        pooling |= {key: word == config.pooling for word, key in POOLING_KEYS.items()}
    else:
        logger.warning(f"SentenceTransformer will refuse to load {folder}: it has no pooling {config.pooling!r}")
        pooling["pooling_mode"] = config.pooling
    _write_json(folder / "modules.json", listing)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": config.max_length, "do_lower_case": False})
    _write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer"})
    if config.normalize:
        (folder / "2_Normalize").mkdir(exist_ok=True)


def _pooling_word(model: str, config: dict[str, Any]) -> str:
    # Release 6 writes one word (its `mean_sqrt_len_tokens` is our `mean_sqrt_len`), earlier ones a row of booleans.
    if "pooling_mode" in config:
        given = config["pooling_mode"]
        words = [given] if isinstance(given, str) else list(given)
        words = [word.removesuffix("_tokens") for word in words]
    else:
        words = [word for word, key in POOLING_KEYS.items() if config.get(key)]
    if len(words) != 1 or words[0] not in get_args(Pooling):
        raise ValueError(f"{model} pools by {words}; name one pooling of {', '.join(get_args(Pooling))}")
    return words[0]


def _max_length(model: str, subfolder: str, hub_kwargs: dict[str, Any]) -> int | None:
    prefix = f"{subfolder}/" if subfolder else ""
    transformer = _read_json(model, f"{prefix}sentence_bert_config.json", hub_kwargs) or {}
    if transformer.get("max_seq_length"):
        return transformer["max_seq_length"]
    # Release 6 keeps the length in the tokenizer alone, where an absurdly large number stands for none.
    tokenizer = _read_json(model, f"{prefix}tokenizer_config.json", hub_kwargs) or {}
    length = tokenizer.get("model_max_length")
    return length if isinstance(length, int) and length < 1_000_000 else None


def _read_json(model: str, filename: str, hub_kwargs: dict[str, Any]) -> Any:
    path = cached_file(model, filename, _raise_exceptions_for_missing_entries=False, **hub_kwargs)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
