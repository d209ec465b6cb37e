"""The formats of tables, by ending: one list for training, prediction, similarity and reports."""

READABLE = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow")
WRITABLE = (".csv", ".jsonl", ".parquet")
