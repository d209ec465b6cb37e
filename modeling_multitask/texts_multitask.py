"""Texts as they are given, and their tokenization: a long text is truncated or split into windows.

Shapes: N texts, W windows (N or more).
"""

import copy
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from .configuration_multitask import DEFAULT_MAX_LENGTH, MultiTaskConfig
from .long_texts_multitask import PIECE, start_of, windows_of

# transformers' name for the index of each window's text.
WINDOW_TEXTS = "overflow_to_sample_mapping"
# The keys of a text given as a dict, and the columns of a table of texts.
TEXT, TEXT_PAIR = "text", "text_pair"

_SURROGATE = re.compile("[\ud800-\udfff]")

Text = str | tuple[str, str]


def is_one_text(given: Any) -> bool:
    """Return whether a value is one text, not several: a string, a tuple (a pair), or a dict. A list is several."""
    return isinstance(plain_value(given) if _is_scalar(given) else given, str | bytes | tuple | Mapping)


def _is_scalar(given: Any) -> bool:
    """Return whether a value is one value of pyarrow, or an array of numpy or torch without a dimension."""
    return hasattr(given, "as_py") or getattr(given, "ndim", None) == 0


def read_text(given: Any, place: str = "the text") -> Text:
    """Return a text, or the two texts of a pair.

    Args:
        given: A string, a tuple or list of two strings, or a dict with `text` and, for a pair, `text_pair`.
        place: The place of the text, for the message.

    Raises:
        ValueError: If it is none of these, such as `None`, NaN or the `NA` of pandas.
    """
    given = plain_value(given)
    if isinstance(given, str):
        return given
    parts: tuple[Any, ...] = ()
    if isinstance(given, Mapping):
        names = (TEXT, TEXT_PAIR)[: len(given)]
        parts = tuple(plain_value(given[name]) for name in names) if set(given) == set(names) else ()
    elif isinstance(given, tuple | list) and len(given) == 2:
        parts = tuple(map(plain_value, given))
    if not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError(
            f"{place} is {reprlib.repr(given)}; it must be a string, two strings for a pair, or a dict with {TEXT!r} "
            f"and, for a pair, {TEXT_PAIR!r}{null_advice(given, *parts)}"
        )
    return parts[0] if len(parts) == 1 else parts


def is_null(value: Any) -> bool:
    """Return whether a value is `None`, NaN, or the `NA` or `NaT` of pandas."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def null_advice(*values: Any) -> str:
    """Return the end of a message about a text: what to do if it is missing."""
    return "; remove the rows without a text, or give an empty text, ''" if any(map(is_null, values)) else ""


def plain_value(given: Any) -> Any:
    """Return the Python value of a value of numpy, torch or pyarrow: a number, a string or a list."""
    for name in ("as_py", "tolist"):
        if hasattr(given, name):
            return getattr(given, name)()
    return given


def plain_rows(given: Any) -> Any:
    """Return rows of `datasets` without the format that `with_format` set, so that they have Python values.

    Columns that `set_format` hides stay hidden. The function of `with_transform` stays, because it makes the rows.

    Args:
        given: A data set or one of its columns, or an object with such a `dataset`, such as `KeyDataset` of
            transformers or `Subset` of torch. Anything else is returned unchanged.
    """
    if hasattr(given, "column_name") and hasattr(given, "source"):
        return plain_rows(given.source)[given.column_name]
    if not hasattr(given, "with_format"):
        if not hasattr(getattr(given, "dataset", None), "with_format"):
            return given
        given = copy.copy(given)
        given.dataset = plain_rows(given.dataset)
        return given
    shape = getattr(given, "format", None)
    if not isinstance(shape, Mapping):  # a stream
        return given.with_format(None)
    if shape["type"] != "custom" and not shape["output_all_columns"] and shape["columns"] != given.column_names:
        given = given.select_columns(shape["columns"])
    return given if shape["type"] in (None, "custom") else given.with_format(None)


def each_text(given: Any) -> Iterator[Text]:
    """Yield each of several texts. A message about a wrong one has its place, counted from 0.

    Args:
        given: An iterable of the forms that `read_text` takes, or a table with the column `text` and, for pairs,
            `text_pair`: a data set, a DataFrame of pandas or polars, or a table of pyarrow. Other columns are ignored.

    Raises:
        ValueError: If it is a table without these columns or not iterable, or one of the texts is invalid.
    """
    if hasattr(given, "columns"):
        names = list(getattr(given, "column_names", given.columns))
        _check_text_column(names)
        columns = [plain_value(given[name]) for name in (TEXT, TEXT_PAIR) if name in names]
        given = columns[0] if len(columns) == 1 else zip(*columns, strict=True)
    if not isinstance(given, Iterable) and not hasattr(given, "__getitem__"):
        read_text(given)
    given = plain_rows(given)
    is_table = hasattr(given, "column_names")
    if not isinstance(given, Iterable) and hasattr(given, "__len__"):  # without a length, it ends with an IndexError
        given = map(given.__getitem__, range(len(given)))
    for i, row in enumerate(given):
        yield read_text(_text_columns(row) if is_table else row, f"texts[{i}]")


def _text_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    _check_text_column(row)
    return {name: row[name] for name in (TEXT, TEXT_PAIR) if name in row}


def _check_text_column(names: Iterable[str]) -> None:
    if TEXT not in names:
        raise ValueError(f"the texts are a table without the column {TEXT!r}; its columns are {list(names)}")


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Raise a `ValueError` if a tokenizer has no words, or its ids do not fit the embeddings of the model.

    transformers makes a tokenizer without words if the folder lacks its files. All texts would get the same answer.

    Args:
        tokenizer: The tokenizer.
        model: The model.
    """
    words = tokenizer.get_vocab()
    if set(words.values()) <= set(tokenizer.all_special_ids):
        raise ValueError(
            "the tokenizer has no words; its files, such as tokenizer.json, are missing; save the tokenizer to the "
            "folder of the model"
        )
    try:
        rows = model.get_input_embeddings().weight.shape[0]
    except (NotImplementedError, AttributeError):  # an encoder of characters, which has no table of embeddings
        return
    last = max(words, key=lambda word: words[word])
    if words[last] >= rows:
        raise ValueError(
            f"the tokenizer has the id {words[last]:,} for {last!r}, but the model has only {rows:,} embeddings; "
            "use the tokenizer of this model, or set resize_token_embeddings: true in a recipe if tokens were added"
        )


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    config: MultiTaskConfig,
    texts: str | Sequence[str],
    text_pairs: str | Sequence[str] | None = None,
    **kwargs: Any,
) -> BatchEncoding:
    """Return the tokens of texts, or of pairs of texts, as the model reads them: with its prompt.

    Args:
        tokenizer: The model's tokenizer.
        config: The model's configuration. Its `max_length` applies, whatever limit the tokenizer's files set.
        texts: One text or N texts.
        text_pairs: The second text of each pair.
        kwargs: Arguments of the tokenizer, such as `padding` and `return_tensors`.

    Returns:
        The tokenizer's output, as input for `forward`. With windows it has W rows, and
        `overflow_to_sample_mapping`, (W,), is the index of each row's text.

    Raises:
        ValueError: If `long_texts` is `windows`, and the texts are pairs or the tokenizer is written in Python.
    """
    texts, text_pairs = _each(_whole_characters, texts), _each(_whole_characters, text_pairs)
    texts = _each(lambda text: _with_a_token(tokenizer, config.prompt + text), texts)
    length = config.max_length or DEFAULT_MAX_LENGTH
    if config.long_texts == "truncate":
        texts, text_pairs = (
            _each(lambda text: start_of(tokenizer, text, length), given) for given in (texts, text_pairs)
        )
        return tokenizer(texts, text_pairs, truncation=True, max_length=length, **kwargs)
    if text_pairs is not None:
        raise ValueError("long_texts is 'windows', which does not work for pairs of texts; set it to 'truncate'")
    if not tokenizer.is_fast:
        raise ValueError("long_texts is 'windows', which needs a fast tokenizer; set it to 'truncate'")
    if any(len(text) > PIECE for text in ([texts] if isinstance(texts, str) else texts)):
        return _long_windows(tokenizer, length, texts, **kwargs)
    return tokenizer(texts, truncation=True, max_length=length, return_overflowing_tokens=True, **kwargs)


def _each(change: Callable[[str], str], texts: Any) -> Any:
    """Return one text or several texts with a change to each. Missing second texts stay missing."""
    if texts is None:
        return None
    if isinstance(texts, str):
        return change(texts)
    return [change(text) for text in texts]


def _with_a_token(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Return the end-of-text token instead of a blank text, if the tokenizer makes no token of it.

    Encoders add tokens at both ends. Most decoders do not, and cannot read a text of no tokens.
    """
    if text.strip() or tokenizer([text])["input_ids"][0]:
        return text
    return tokenizer.eos_token or tokenizer.pad_token or text


def _whole_characters(text: str) -> str:
    """Return a text in which each half of a surrogate pair is the replacement character. A tokenizer refuses halves."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")


def _long_windows(
    tokenizer: PreTrainedTokenizerBase, length: int, texts: str | Sequence[str], **kwargs: Any
) -> BatchEncoding:
    """Return the windows of texts, some of which are too long to be tokenised at once."""
    rows: dict[str, list[list[int]]] = {}
    numbers: list[int] = []
    for i, text in enumerate([texts] if isinstance(texts, str) else texts):
        windows = windows_of(tokenizer, text, length)
        numbers += [i] * len(windows["input_ids"])
        for name, values in windows.items():
            rows.setdefault(name, []).extend(values)
    if kwargs.pop("padding", False):
        rows = dict(tokenizer.pad(rows, padding=True))
    if kwargs.get("return_attention_mask") is False:
        rows.pop("attention_mask", None)
    return BatchEncoding({**rows, WINDOW_TEXTS: numbers}, tensor_type=kwargs.get("return_tensors"))
