"""The sweep of every text encoder of transformers."""
