"""The declaration of votes in a long table, which has one row for each annotation."""

from dataclasses import dataclass

from modeling_multitask.words_multitask import word


@dataclass(frozen=True)
class LongVotes:
    """The votes of a long table: each row has one vote, and the rows with the same id are about the same text.

    Args:
        column: The column of the votes.
        by: The column of the id.

    Raises:
        ValueError: If a word is not the name of a column, or both are the same column.

    Example:
        >>> from datasets_builder import LabelColumn, LongVotes, Source
        >>> Source("annotations.csv", labels={"toxic": LabelColumn(votes=LongVotes("label", by="id"))}).read_columns
        ['text', 'label', 'id']
    """

    column: str = word(description="The column of the votes, one in each row.", example="label")
    by: str = word(
        description="The column of the id. The rows with the same id become one row, at the place of the first one.",
        example="id",
    )

    def __post_init__(self) -> None:
        for name, given in (("column", self.column), ("by", self.by)):
            if not isinstance(given, str) or not given:
                raise ValueError(f"{name} is {given!r}; it must be the name of a column")
        if self.column == self.by:
            raise ValueError(f"by is {self.by!r}, the column of the votes; name the column of the id")
