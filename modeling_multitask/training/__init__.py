"""Training a multi-task model on rows that lack labels."""
