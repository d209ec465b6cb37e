"""The cards that are pushed with models, adapters and data sets."""
