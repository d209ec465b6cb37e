"""The columns of a multi-task table that are no task's."""

TEXT = "text"
TEXT_PAIR = "text_pair"  # the second text of each row, where rows are pairs
SOURCE = "source"  # which of a split's sources a row comes from, counted from 0; there where it is asked for
