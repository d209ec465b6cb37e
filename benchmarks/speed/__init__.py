"""Speed benchmarks. Each file measures one task and its baseline alternately. Run `python -m benchmarks.run`."""
