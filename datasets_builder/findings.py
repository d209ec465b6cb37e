"""Collect the errors in the cells of all tables, to report them together."""

from collections.abc import Callable, Hashable

from modeling_multitask.errors import DataError

MAX_SHOWN = 10  # wrong cells listed in a message for each table


class Findings:
    """The errors in the cells of all tables, reported in one exception.

    Equal errors are one line with the first row and the number of rows. The first ten different errors of each table
    are listed. All errors are counted.
    """

    def __init__(self) -> None:
        self._shown: dict[str, dict[Hashable, tuple[int, str]]] = {}
        self._counts: dict[str, dict[Hashable, int]] = {}
        self._others: dict[str, int] = {}
        self._advice: dict[str, list[str]] = {}

    def add(self, table: str, row: int, kind: Hashable, problem: Callable[[], str]) -> None:
        """Add an error in a table.

        Args:
            table: Its name in messages.
            row: The number of the row, counted from 1.
            kind: Equal for errors that are one line.
            problem: Returns the text of the line after the row. It is called for the lines that are shown.
        """
        shown, counts = self._shown.setdefault(table, {}), self._counts.setdefault(table, {})
        if kind not in shown:
            if len(shown) == MAX_SHOWN:
                self._others[table] = self._others.get(table, 0) + 1
                return
            shown[kind] = row, problem()
        counts[kind] = counts.get(kind, 0) + 1

    def advise(self, table: str, advice: str) -> None:
        """Add a line after the errors of a table, once."""
        if advice not in self._advice.setdefault(table, []):
            self._advice[table].append(advice)

    def check(self) -> None:
        """Raise a `DataError` that lists all errors, if there are any."""
        if self._shown:
            raise DataError("\n".join(map(self._describe, self._shown)))

    def _describe(self, table: str) -> str:
        more, counts = self._others.get(table, 0), self._counts[table]
        lines = [
            f"row {row}, {problem}" + (f" (and in {counts[kind] - 1} more rows)" if counts[kind] > 1 else "")
            for kind, (row, problem) in self._shown[table].items()
        ]
        lines += [*([f"and {more} more"] if more else []), *self._advice.get(table, [])]
        heading = f"{table} has labels that cannot be used (row 1 is the first below the header):"
        return heading + "".join(f"\n  {line}" for line in lines)
