"""How fast: each file times one kind of work beside what people use instead, in turns; `python -m benchmarks.run`."""
