"""What is wrong in the cells of all tables, reported together."""

from modeling_multitask.errors import DataError

MAX_SHOWN = 10  # wrong cells that one message lists for each table


class Findings:
    """What is wrong in the cells of all tables, gathered so that one error says it all.

    Of each table the first ten are kept, and all are counted.
    """

    def __init__(self) -> None:
        self._shown: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, table: str, messages: list[str], count: int | None = None) -> None:
        """Notes what is wrong in a table.

        Args:
            table: How messages call it.
            messages: With row and column each.
            count: How many there are, if not all are given.
        """
        shown = self._shown.setdefault(table, [])
        shown += messages[: MAX_SHOWN - len(shown)]
        self._counts[table] = self._counts.get(table, 0) + (len(messages) if count is None else count)

    def check(self) -> None:
        """Raises a `DataError` that lists everything, if there is anything."""
        if self._counts:
            raise DataError("\n".join(self._describe(table) for table in self._counts if self._counts[table]))

    def _describe(self, table: str) -> str:
        more = self._counts[table] - len(self._shown[table])
        lines = [*self._shown[table], *([f"and {more} more"] if more else [])]
        heading = f"{table} has labels that cannot be used (row 1 is the first below the header):"
        return heading + "".join(f"\n  {line}" for line in lines)
