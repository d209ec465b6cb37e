"""What all commands share: an error that the user can correct is one message and exit code 1."""

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
    """The `main` of a command.

    Args:
        build_parser: Its arguments.
        run: What it does with them; returns an exit code, or `None` for 0.
        errors: Those that the user can correct; all others are faults of ours and keep their traceback.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        """Run the command; 1 if there is something for the user to correct."""
        arguments = build_parser().parse(argv)
        try:
            return run(arguments) or 0
        except errors as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return main
