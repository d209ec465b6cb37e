"""The supported table formats by file ending, for training, prediction, similarity and reports."""

READABLE = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow")
WRITABLE = (".csv", ".jsonl", ".parquet")
