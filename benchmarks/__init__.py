"""The benchmarks behind the project's published figures."""
