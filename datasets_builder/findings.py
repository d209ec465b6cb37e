"""Collect the errors in the cells of all tables, to report them together."""

from modeling_multitask.errors import DataError

MAX_SHOWN = 10  # wrong cells listed in a message for each table


class Findings:
    """The errors in the cells of all tables, reported in one exception.

    The first ten errors of each table are listed. All errors are counted.
    """

    def __init__(self) -> None:
        self._shown: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, table: str, messages: list[str], count: int | None = None) -> None:
        """Add errors in a table.

        Args:
            table: Its name in messages.
            messages: The errors, each with row and column.
            count: The number of errors, if `messages` does not hold all of them.
        """
        shown = self._shown.setdefault(table, [])
        shown += messages[: MAX_SHOWN - len(shown)]
        self._counts[table] = self._counts.get(table, 0) + (len(messages) if count is None else count)

    def check(self) -> None:
        """Raise a `DataError` that lists all errors, if there are any."""
        if self._counts:
            raise DataError("\n".join(self._describe(table) for table in self._counts if self._counts[table]))

    def _describe(self, table: str) -> str:
        more = self._counts[table] - len(self._shown[table])
        lines = [*self._shown[table], *([f"and {more} more"] if more else [])]
        heading = f"{table} has labels that cannot be used (row 1 is the first below the header):"
        return heading + "".join(f"\n  {line}" for line in lines)
