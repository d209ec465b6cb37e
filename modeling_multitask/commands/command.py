"""Shared code of all commands: every way a command can end is one message and one exit code, without a traceback."""

import argparse
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from ..errors import DivergedError
from .arguments import Parser
from .internal_error import write_log
from .libraries import library_output

Main = Callable[..., int]

USERS_ERROR, INTERNAL_ERROR = 1, 70  # 70 is EX_SOFTWARE of sysexits.h
SIGNALLED = 128  # plus the number of the signal, as shells report it

_CORRECTABLE = (OSError, ImportError, ValueError, DivergedError)


class Stopped(KeyboardInterrupt):
    """The process was asked to end by SIGTERM. It ends as after Ctrl-C, so that nothing half-written is left."""


def command(
    build_parser: Callable[[], Parser],
    run: Callable[[argparse.Namespace], int | None],
    how_to_go_on: Callable[[argparse.Namespace], str] = lambda _: "Nothing was written.",
) -> Main:
    """Return the `main` function of a command.

    Its exit codes are 0, 1 for an error that the user can correct, 2 for invalid arguments, 70 for an internal error,
    130 after Ctrl-C, and 143 after SIGTERM.

    Args:
        build_parser: Returns the parser of the command.
        run: Runs the command. Returns an exit code, or `None` for 0.
        how_to_go_on: Returns what is left after an interruption, and how to continue.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        """Run the command and return its exit code."""
        words = sys.argv[2:] if argv is None else list(argv)
        _replace_unknown_characters()
        arguments = build_parser().parse(argv)
        try:
            with _terminable(), library_output(verbose=arguments.verbose):
                return run(arguments) or 0
        except _CORRECTABLE as error:
            print(f"error: {error}", file=sys.stderr)
            return USERS_ERROR
        except KeyboardInterrupt as error:
            _end_children()
            if os.environ.get("RANK", "0") == "0":  # one of several processes speaks for all
                print(f"\nStopped. {how_to_go_on(arguments)}", file=sys.stderr)
            return SIGNALLED + (signal.SIGTERM if isinstance(error, Stopped) else signal.SIGINT)
        except Exception as error:
            print(f"internal error: {type(error).__name__}: {error}\n{write_log(error, words)}", file=sys.stderr)
            return INTERNAL_ERROR

    return main


def _end_children() -> None:
    """End the processes that load rows. They would complain that this process is gone."""
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


def _replace_unknown_characters() -> None:
    """Let a terminal that cannot show a character show `?` instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise `Stopped`."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a handler
        yield
        return
    before: Any = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the clean-up must not be interrupted
    raise Stopped
