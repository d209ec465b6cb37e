"""The columns of a multi-task table that hold no labels."""

TEXT = "text"
TEXT_PAIR = "text_pair"  # the second text of each row, where rows are pairs
WEIGHT = "weight"  # the weight of each row, null where its source has none; optional
SOURCE = "source"  # the number of a row's source within its split, counted from 0; optional
