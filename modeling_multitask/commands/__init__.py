"""The `multitask` command, with one module for each subcommand."""

import importlib
import sys
from collections.abc import Sequence

from ..version import __version__
from ..words_multitask import nearest_hint

COMMANDS = {
    "train": "train a model from a recipe",
    "predict": "predict all tasks for each row of a table",
    "data": "print a recipe for a table, or summarise or push the data of a recipe",
    "report": "evaluate a model: metrics, errors and calibration",
    "study": "train a recipe with several strategies and compare them",
    "push": "push a model to the Hub with its card, adapter and demo",
    "demo": "try a model in the browser",
    "export": "export a model to ONNX, OpenVINO or sentence-transformers",
    "merge": "merge models with the same encoder into one",
    "similarity": "compare texts by the similarity of their embeddings",
    "recipes": "list the bundled recipes, or copy one",
    "schema": "print the JSON Schema of recipes, for editors",
    "env": "print version and hardware information for bug reports",
}
_WIDTH = max(map(len, COMMANDS)) + 2
HELP = f"""usage: multitask COMMAND ...

Train and use one transformer encoder with a head for each task.

commands:
{"".join(f"  {name:{_WIDTH}}{what}{chr(10)}" for name, what in COMMANDS.items())}
Run `multitask COMMAND --help` for the options of a command, and `multitask --version` for the version.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an unknown command."""
    name, *words = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if name == "--version":
        print(f"multitask {__version__}")
        return 0
    if name not in COMMANDS:
        hint = nearest_hint(name, COMMANDS)
        print(f"multitask: error: unknown command {name!r}{hint}; commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"{__name__}.{name}")
    return int(module.main(words))
