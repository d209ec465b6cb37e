"""How a table is written in its file: the words of a source that concern neither texts nor labels."""

import codecs
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from modeling_multitask.words_multitask import declared_words, nearest_hint, word

Format = Literal[
    "csv",
    "tsv",
    "txt",
    "jsonl",
    "json",
    "parquet",
    "arrow",
    "xlsx",
    "ods",
    "sqlite",
    "label_studio",
    "doccano",
    "prodigy",
    "argilla",
]
Quoting = Literal["minimal", "none"]
Decimal = Literal[".", ","]

TOOLS = ("label_studio", "doccano", "prodigy", "argilla")
_NAMES = ("header", "columns")
_CELLS = (*_NAMES, "skip_rows")
_CSV = ("encoding", "delimiter", "quoting", "decimal", *_CELLS)
WORDS: dict[str, tuple[str, ...]] = {  # the words that each format allows
    "csv": _CSV,
    "tsv": _CSV,
    "txt": ("encoding", "skip_rows"),
    "jsonl": ("encoding", *_NAMES),
    "json": ("encoding", *_NAMES),
    "parquet": (),
    "arrow": (),
    "xlsx": ("sheet", *_CELLS),
    "ods": ("sheet", *_CELLS),
    "sqlite": ("table", "query"),
    **dict.fromkeys(TOOLS, ("encoding",)),
    **dict.fromkeys(("label_studio", "doccano"), ("encoding", "quoting")),  # which also export CSV
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a table is written in its file.

    Args:
        format: The format, if the ending of the file does not name it; also that of an annotation tool's export.
        delimiter: The character between the cells of a CSV file, or `tab`.
        encoding: The encoding of a text file, by its name in Python. By default UTF-8.
        header: Whether the first row names the columns.
        columns: The names of the columns of a table without a header.
        quoting: `none` if quotes are ordinary characters in a CSV file.
        decimal: The decimal mark of the numbers in a CSV file.
        skip_rows: The number of lines, or rows of a sheet, above the header.
        sheet: The sheet of a workbook.
        table: The table of a SQLite database.
        query: A SQL query on a SQLite database.
        requested: The columns that are read.
        numbers: The columns that hold numbers, among those that are read.
        voted: The columns that hold the answers of all annotators, in an export of an annotation tool.
        keep_empty: Whether a row whose cells are all empty is a row. A prediction answers it, and training skips it.

    Raises:
        ValueError: If a word is invalid, or two words contradict each other.
    """

    format: Format | None = word(
        None,
        description="The format, if the ending of the file does not name it. The exports of annotation tools need it.",
        example="label_studio",
    )
    delimiter: str | None = word(
        None,
        description="CSV: the character between the cells, or `tab`. By default a comma, and a tab in a .tsv file.",
        example=";",
    )
    encoding: str | None = word(
        None,
        description="The encoding of a text file (CSV, TSV, JSON, .txt), by its name in Python. By default UTF-8.",
        example="cp1252",
    )
    header: bool = word(
        True, description="Whether the first row names the columns. If not, `columns` is required.", example=False
    )
    columns: list[str] | None = word(
        None, description="The names of all columns, in order, with `header: false`.", example=["id", "text", "topic"]
    )
    quoting: Quoting | None = word(
        None,
        description="CSV: `none` if quotes are ordinary characters. With `minimal`, the default, a cell in quotes may "
        "contain the delimiter, line breaks and doubled quotes.",
        example="none",
    )
    decimal: Decimal | None = word(
        None,
        description="CSV: the decimal mark of weights, soft labels and numbers of a regression. By default a point.",
        example=",",
    )
    skip_rows: int = word(0, ge=0, description="The number of lines, or rows of a sheet, above the header.", example=2)
    sheet: str | None = word(
        None, description="The sheet of a workbook. Required if the workbook has several.", example="Tickets"
    )
    table: str | None = word(
        None, description="The table of a SQLite database. Required if the database has several.", example="tickets"
    )
    query: str | None = word(
        None,
        description="A SQL query on a SQLite database, instead of a table.",
        example="SELECT body AS text, team FROM tickets",
    )
    requested: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    voted: tuple[str, ...] = ()
    keep_empty: bool = True

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(problem)

    @property
    def given(self) -> list[str]:
        """The words that are set, without `format`."""
        names = [name for name in declared_words(type(self)) if name != "format"]
        return [name for name in names if getattr(self, name) != _DEFAULTS[name]]

    def _problems(self) -> list[str]:
        problems = [
            _not_allowed("format", self.format, get_args(Format)),
            _not_allowed("quoting", self.quoting, get_args(Quoting)),
            _not_allowed("decimal", self.decimal, get_args(Decimal)),
            _delimiter_problem(self.delimiter),
            _encoding_problem(self.encoding),
            _header_problem(self.header, self.columns),
        ]
        if isinstance(self.skip_rows, bool) or not isinstance(self.skip_rows, int) or self.skip_rows < 0:
            problems.append(f"skip_rows is {self.skip_rows!r}; it must be a whole number, at least 0")
        if self.table is not None and self.query is not None:
            problems.append("query cannot be combined with table; leave one out")
        return [each for each in problems if each is not None]


_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Layout)}


def foreign_word(layout: Layout, kind: str) -> str | None:
    """Return a message about the first word that does not belong to the format, or `None`."""
    for name in layout.given:
        if name not in WORDS[kind]:
            formats = ", ".join(each for each, words in WORDS.items() if name in words)
            return f"`{name}` is only for tables of the format {formats}; this table is read as {kind}"
    return None


def delimiter_in_yaml(mark: str) -> str:
    """Return the word to add to a recipe for a delimiter, such as `delimiter: ";"`."""
    return "`delimiter: tab`" if mark == "\t" else f'`delimiter: "{mark}"`'


def _not_allowed(name: str, given: Any, allowed: tuple[str, ...]) -> str | None:
    if given is None or given in allowed:
        return None
    return f"{name} is {given!r}; it must be one of {', '.join(allowed)}{nearest_hint(str(given), allowed)}"


def _delimiter_problem(given: Any) -> str | None:
    if given is None or given == "tab" or (isinstance(given, str) and len(given) == 1 and given not in '"\r\n\0'):
        return None
    return f"delimiter is {given!r}; it must be one character, such as ';', or tab"


def _encoding_problem(given: Any) -> str | None:
    if given is None:
        return None
    try:
        "".encode(given)
        codecs.lookup(given)
    except (LookupError, TypeError, ValueError):
        return f"encoding is {given!r}; Python has no such encoding; examples: utf-8, utf-16, cp1252, shift_jis"
    return None


def _header_problem(header: Any, columns: Any) -> str | None:
    if not isinstance(header, bool):
        return f"header is {header!r}; it must be true or false"
    if header:
        return None if columns is None else "columns is only for tables without a header; add `header: false`"
    if not columns or not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        return "columns must list the names of all columns, because `header: false` is set"
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        return f"columns has {', '.join(map(repr, doubled))} more than once"
    return None
