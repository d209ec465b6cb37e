"""Kinds of arguments that several commands take."""

import argparse


def positive(given: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not given.isdigit() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given} is not a whole number of at least 1")
    return int(given)
