"""The metadata at the top of a README.md, with the checks of the Hub."""

from io import StringIO
from typing import Any

from huggingface_hub import ModelCardData
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from ruamel.yaml import YAML, YAMLError

EMPTY = "empty or missing yaml metadata in repo card (https://huggingface.co/docs/hub/model-cards#model-card-metadata)"
LISTS = ("tags", "configs", "dataset_info", "model-index")
STRINGS = ("pretty_name", "pipeline_tag", "library_name", "license_name", "license_link", "sdk")
STRINGS_OR_LISTS = ("language", "license", "datasets", "metrics", "base_model", "task_categories", "task_ids")


def metadata(card: str) -> dict[str, Any]:
    """Return the metadata of an accepted card. Empty if it has none."""
    match = REGEX_YAML_BLOCK.search(card)
    return (_parse(match.group(2)) or {}) if match else {}


def problems(card: str) -> list[str]:
    """Return the problems of the metadata of a card. A card without metadata has no problems."""
    try:
        values = metadata(card)
    except YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    if not isinstance(values, dict):
        return ["YAML Metadata Error: the metadata must be a mapping"]
    return [*_wrong_types(values), *_wrong_results(values)]


def _parse(text: str) -> Any:
    # YAML 1.2, in which duplicate keys are an error, like on the Hub.
    return YAML(typ="safe", pure=True).load(StringIO(text))


def _wrong_types(values: dict[str, Any]) -> list[str]:
    lists = [f'"{name}" must be an array' for name in LISTS if not _is_list(values.get(name, []), name)]
    strings = [f'"{name}" must be a string' for name in STRINGS if not isinstance(values.get(name, ""), str)]
    either = [
        f'"{name}" must be a string or an array of strings'
        for name in STRINGS_OR_LISTS
        if not isinstance(values.get(name, ""), str) and not _is_strings(values[name])
    ]
    return lists + strings + either


def _is_list(value: Any, name: str) -> bool:
    if name == "tags":
        return _is_strings(value)
    if name == "dataset_info":  # a single configuration needs no list
        return isinstance(value, list | dict)
    return isinstance(value, list)


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong_results(values: dict[str, Any]) -> list[str]:
    """Return an error if a result has no task, dataset or metrics. The Hub and the client's reader require them."""
    if not isinstance(values.get("model-index"), list):
        return []
    try:
        ModelCardData(**{"model-index": values["model-index"], "model_name": None})
    except ValueError as error:
        return [f'"model-index" {error}']
    return []
