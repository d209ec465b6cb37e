"""Damaged input of every kind. Only the errors of this package are allowed.

FUZZ_EXAMPLES=100000 python -m pytest -m slow tests/fuzz
"""
