"""Shared code of all commands: errors that users can correct are printed as one message, with exit code 1."""

import argparse
import sys
from collections.abc import Callable, Sequence

from .arguments import Parser

Main = Callable[..., int]


def command(
    build_parser: Callable[[], Parser],
    run: Callable[[argparse.Namespace], int | None],
    errors: tuple[type[Exception], ...] = (OSError, ImportError, ValueError),
) -> Main:
    """Return the `main` function of a command.

    Args:
        build_parser: Returns the parser of the command.
        run: Runs the command. Returns an exit code, or `None` for 0.
        errors: Errors that users can correct. All others are bugs and keep their traceback.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        """Run the command and return its exit code; 1 for an error that the user can correct."""
        arguments = build_parser().parse(argv)
        try:
            return run(arguments) or 0
        except errors as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return main
