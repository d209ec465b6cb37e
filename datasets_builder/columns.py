"""The columns of a multi-task table that hold no labels, and the names of those with distributions."""

TEXT = "text"
TEXT_PAIR = "text_pair"  # the second text of each row, where rows are pairs
WEIGHT = "weight"  # the weight of each row, null where its source has none; optional
SOURCE = "source"  # the number of a row's source within its split, counted from 0; optional
TABLE = "table"  # the name of a row's table, as a `ClassLabel`; optional
LINE = "line"  # the line of a row in its table, counted from 1; optional


_DISTRIBUTION = "_distribution"


def distribution_column(task: str) -> str:
    """Return the column of a task's soft labels, besides the column of the task with its most probable label."""
    return task + _DISTRIBUTION


def votes_column(task: str) -> str:
    """Return the column of the shares of a task's raters, whose majority is the label of the row."""
    return f"{task}_votes"


def task_of(distribution: str) -> str:
    """Return the task of a column of soft labels."""
    return distribution.removesuffix(_DISTRIBUTION)
