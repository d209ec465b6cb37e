"""A command-line parser that accepts overrides anywhere.

Overrides (`key=value`) may appear at any position. A list of values may precede the positional arguments:
`multitask study --seeds 0 1 recipe.yaml`.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=.*", re.DOTALL)
_VERBOSE = "also show the warnings, logs and progress bars of the libraries"

IsRequired = Callable[[argparse.Namespace], bool]


class Parser(argparse.ArgumentParser):
    """A parser for the arguments of one command.

    Args:
        command: The name of the command, such as `train`.
        usage: The arguments as the usage line shows them.
        description: One sentence about the command.
    """

    def __init__(self, command: str, usage: str, description: str) -> None:
        words = " ".join(["%(prog)s", *filter(None, [usage]), "[--verbose]"])
        super().__init__(prog=f"multitask {command}", usage=words, description=description)
        self._positionals_required: dict[str, IsRequired] = {}
        self._list_accepts: dict[str, Callable[[str], object]] = {}
        self._takes_overrides = False
        self.add_argument("--verbose", action="store_true", help=_VERBOSE)

    def add_positional(self, name: str, *, required: IsRequired = lambda _: True, **settings: Any) -> None:
        """Add a positional argument.

        Args:
            name: The attribute of the parsed arguments.
            required: Whether the argument is required, given the other arguments.
            settings: As for `add_argument`.
        """
        self._positionals_required[name] = required
        self.add_argument(name, nargs="?", metavar=name.upper(), **settings)

    def add_overrides(self, **settings: Any) -> None:
        """Accept `key=value` arguments and store them in `overrides`."""
        self._takes_overrides = True
        self.add_argument("overrides", nargs="*", metavar="key=value", **settings)

    def add_list(self, flag: str, *, accepts: Callable[[str], object] = lambda _: True, **settings: Any) -> None:
        """Add an option that takes several values. The default is an empty list.

        Args:
            flag: The option, such as `--seeds`.
            accepts: Whether a word is a valid value. The list ends before the first invalid word.
            settings: As for `add_argument`.
        """
        action = self.add_argument(flag, nargs="+", action="extend", default=[], **settings)
        self._list_accepts[action.dest] = accepts

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse the arguments. Exit with code 2 if they are invalid."""
        arguments = self.parse_intermixed_args(argv)
        words = [getattr(arguments, name) for name in self._positionals_required]
        words = [word for word in words if word is not None] + getattr(arguments, "overrides", [])
        words += [word for name in self._list_accepts for word in self._cut_list(arguments, name)]
        if self._takes_overrides:
            arguments.overrides = [word for word in words if _OVERRIDE.fullmatch(word)]
            words = [word for word in words if not _OVERRIDE.fullmatch(word)]
        needed = [name for name, required in self._positionals_required.items() if required(arguments)]
        words += self._given_back(arguments, len(needed) - len(words))
        if missing := needed[len(words) :]:
            self.error(f"the following arguments are required: {', '.join(missing).upper()}")
        if unknown := words[len(self._positionals_required) :]:
            if self._takes_overrides:
                self.error(f"{unknown[0]!r} is not an override; write key=value, such as seed=1")
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        for name, word in zip(self._positionals_required, words, strict=False):
            setattr(arguments, name, word)
        return arguments

    def _cut_list(self, arguments: argparse.Namespace, name: str) -> list[str]:
        """Cut a list at its first invalid value and return the words that were cut."""
        given, accepts = getattr(arguments, name), self._list_accepts[name]
        end = next((i for i, word in enumerate(given) if not accepts(word)), len(given))
        if given and end == 0:
            self.error(f"argument --{name}: {given[0]!r} is not a valid value")
        setattr(arguments, name, given[:end])
        return given[end:]

    def _given_back(self, arguments: argparse.Namespace, count: int) -> list[str]:
        """Return words from the end of a list to missing positional arguments. The list keeps at least one word."""
        for name in self._list_accepts:
            given = getattr(arguments, name)
            if 0 < count < len(given):
                setattr(arguments, name, given[:-count])
                return given[-count:]
        return []


def at_least(least: int) -> Callable[[str], int]:
    """Return a type for argparse: whole numbers that are not below `least`."""

    def whole_number(given: str) -> int:
        if not given.isdecimal() or int(given) < least:
            raise argparse.ArgumentTypeError(f"{given} is not a whole number of at least {least}")
        return int(given)

    return whole_number


positive = at_least(1)
