"""The command `multitask`: one module for each of its commands."""

import importlib
import sys
from collections.abc import Sequence

from ..version import __version__
from ..words_multitask import nearest_hint

COMMANDS = {
    "train": "train a model from a recipe",
    "predict": "answer every task for each row of a table",
    "data": "look at the data of a recipe, or push it to the Hub",
    "report": "write a report on where a model fails and how far to trust it",
    "study": "train a recipe in several ways and compare them",
    "push": "push a model, its card and its demo to the Hub",
    "demo": "show a model in a browser",
    "export": "write a model that runs without PyTorch",
    "similarity": "compare texts by their embeddings",
    "recipes": "list or copy the bundled recipes",
    "schema": "print the JSON Schema of recipes, for editors",
    "env": "print what a bug report needs",
}
_WIDTH = max(map(len, COMMANDS)) + 2
HELP = f"""usage: multitask COMMAND ...

One transformer encoder, many task heads, one forward pass.

commands:
{"".join(f"  {name:{_WIDTH}}{what}{chr(10)}" for name, what in COMMANDS.items())}
`multitask COMMAND --help` describes a command. `multitask --version` prints the version.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 2 if there is no such command."""
    name, *words = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if name == "--version":
        print(f"multitask {__version__}")
        return 0
    if name not in COMMANDS:
        hint = nearest_hint(name, COMMANDS)
        print(f"multitask: error: no command {name!r}{hint}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"{__name__}.{name}")
    return int(module.main(words))
