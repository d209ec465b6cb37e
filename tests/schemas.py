"""A check of values against the part of JSON Schema that the schema of recipes uses."""

from collections.abc import Callable, Iterator
from typing import Any

_KINDS = ((bool, {"boolean"}), (int, {"integer", "number"}), (float, {"number"}), (str, {"string"}), (list, {"array"}))
_KINDS += ((dict, {"object"}), (type(None), {"null"}))
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda given, bound: given >= bound,
    "maximum": lambda given, bound: given <= bound,
    "exclusiveMinimum": lambda given, bound: given > bound,
    "exclusiveMaximum": lambda given, bound: given < bound,
}
_NOTES = {"$defs", "$schema", "title", "description", "examples", "default"}
_RULES = {"type", "const", "enum", "items", "properties", "additionalProperties", "required", *_BOUNDS}


def schema_problems(
    given: Any, schema: dict[str, Any], place: str = "recipe", root: dict[str, Any] | None = None
) -> list[str]:
    """Return a line for each part of a value that does not follow a schema.

    Raises:
        NotImplementedError: If the schema has a word that this check does not know.
    """
    root = schema if root is None else root
    if unknown := schema.keys() - _NOTES - _RULES - {"$ref", "anyOf", "oneOf"}:
        raise NotImplementedError(f"{place}: {unknown}")
    if "$ref" in schema:
        return schema_problems(given, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], place, root)
    for word in schema.keys() & {"anyOf", "oneOf"}:
        fitting = [each for each in schema[word] if not schema_problems(given, each, place, root)]
        if not fitting or (word == "oneOf" and len(fitting) > 1):
            return [f"{place}: {given!r} fits {len(fitting)} alternatives of {word}"]
    return list(_broken_rules(given, schema, place, root))


def _broken_rules(given: Any, schema: dict[str, Any], place: str, root: dict[str, Any]) -> Iterator[str]:
    kinds = next(kinds for kind, kinds in _KINDS if isinstance(given, kind))
    allowed = schema.get("type", list(kinds))
    if kinds.isdisjoint([allowed] if isinstance(allowed, str) else allowed):
        yield f"{place}: {given!r} is not of the type {allowed}"
    elif given not in schema.get("enum", [given]) or given != schema.get("const", given):
        yield f"{place}: {given!r} is none of the allowed values"
    elif not all(within(given, schema[word]) for word, within in _BOUNDS.items() if word in schema):
        yield f"{place}: {given!r} is out of bounds"
    elif isinstance(given, list):
        for i, each in enumerate(given):
            yield from schema_problems(each, schema.get("items", {}), f"{place}[{i}]", root)
    elif isinstance(given, dict):
        yield from _broken_words(given, schema, place, root)


def _broken_words(given: dict[str, Any], schema: dict[str, Any], place: str, root: dict[str, Any]) -> Iterator[str]:
    yield from (f"{place}: lacks {name!r}" for name in schema.get("required", []) if name not in given)
    for name, each in given.items():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
        if inner is False:
            yield f"{place}.{name}: is no word"
        elif inner is not True:
            yield from schema_problems(each, inner, f"{place}.{name}", root)
