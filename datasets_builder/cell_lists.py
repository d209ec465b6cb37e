"""Lists that are written as text in a cell: JSON, and Python as pandas writes it."""

import ast
import json
import re
import warnings
from typing import Any

from datasets_builder.cell_words import cell_word

MOST_CHARACTERS = 100_000  # of a list in a cell
_STRING = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ITEM = rf"(?:{_STRING}|[-+\w.]+)"
# Strings without a comma between them, as numpy prints them, are no list: Python would join them to one string.
_PYTHON_LIST = re.compile(rf"\[\s*(?:{_ITEM}\s*(?:,\s*{_ITEM}\s*)*,?\s*)?\]", re.S)
_TOKEN = re.compile(rf"{_STRING}|[-+\w.]+", re.S)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TRUTHS = {"true": True, "True": True, "false": False, "False": False}
_VALUES: dict[str, bool | None] = {**dict.fromkeys(("null", "None", "NaN", "nan")), **_TRUTHS}
_ELEMENT = rf"(?:{_NUMBER.pattern}|{'|'.join(_VALUES)})"
_NUMBER_LIST = re.compile(rf"\s*\[\s*(?:{_ELEMENT}\s*(?:,\s*{_ELEMENT}\s*)*,?\s*)?\]\s*")
_CONSTANTS = {"None": None, "nan": None, "True": "true", "False": "false"}


def parse_list(text: str) -> list[str | None]:
    """Return the elements of a JSON or Python list as texts. Numbers keep their spelling, and null and NaN are `None`.

    Raises:
        ValueError: If the text is too long, is no list, or holds lists or tables.
    """
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a list has at most {MOST_CHARACTERS:,} characters")
    try:
        return [_word(each) for each in _from_json(text)]
    except (json.JSONDecodeError, RecursionError):
        return _from_python(text)


def numbers_in(text: str) -> list[float | bool | None] | None:
    """Return the elements of a JSON or Python list of numbers and truth values, or `None` for any other text."""
    if len(text) > MOST_CHARACTERS or not _NUMBER_LIST.fullmatch(text):
        return None
    return [_VALUES[each] if each in _VALUES else _number(each) for each in re.findall(r"[-+.\w]+", text)]


def _number(text: str) -> float:
    return float(text) if re.search(r"[.eE]", text) else int(text)


def _from_json(text: str) -> list[Any]:
    given = json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    return given if isinstance(given, list) else []


def _word(value: Any) -> str | None:
    if isinstance(value, list | dict):
        raise ValueError("it holds lists or tables, not labels")
    return None if value is None else cell_word(value) if isinstance(value, bool) else str(value)


def _from_python(text: str) -> list[str | None]:
    if not _PYTHON_LIST.fullmatch(text):
        raise ValueError("it is neither a JSON list nor a Python list")
    return [_python_word(token) for token in _TOKEN.findall(text)]


def _python_word(token: str) -> str | None:
    if token in _CONSTANTS:
        return _CONSTANTS[token]
    if _NUMBER.fullmatch(token):
        return token
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unknown escape, which stays as it is
            return str(ast.literal_eval(token))
    except (ValueError, SyntaxError):
        raise ValueError(f"{token[:40]} is not in quotes") from None
