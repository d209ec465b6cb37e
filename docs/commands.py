"""Make the page of all commands from their parsers.

python docs/commands.py > docs/reference/commands.md
"""

import argparse
import importlib
import re
import sys

from modeling_multitask.commands import COMMANDS
from modeling_multitask.commands.arguments import Parser

INTRODUCTION = """\
# Commands

`multitask COMMAND` is installed with the package. `python -m modeling_multitask COMMAND` does the same. In a checkout,
`python -m scripts.COMMAND` does the same too. Without `--force`, a command does not overwrite the output of another run
on your disk. `python docs/commands.py` generates this page from the help texts of the commands.

A command prints its own messages and progress bars, and the errors of the libraries. With `--verbose`, which every
command takes, it also prints their warnings, logs and progress bars.

Two commands never write to the same output: the second one is refused, with the process and the host of the first.
An output file or folder appears when it is complete, and an interrupted command leaves the old one.

A MODEL, a backbone and the path of data may be local or on the Hub. A name is a local path, and the Hub is not asked,
if it begins with `.`, `/` or `~`, if its first part is a local folder, or if it has more than one `/`. If the Hub
cannot be reached, the command says so after a few seconds, or uses the files in the cache.

| Exit code | Meaning |
|--:|---|
| 0 | success |
| 1 | an error that you can correct; the message says how |
| 2 | invalid arguments |
| 70 | an internal error; the message names a log for a bug report, which contains no texts and no tokens |
| 130 | stopped by Ctrl-C; the message says what is left and how to continue |
| 143 | stopped by SIGTERM, likewise |
"""


def commands_reference() -> str:
    """Return the page, in Markdown."""
    index = [f"| [`{name}`](#{name}) | {purpose} |" for name, purpose in COMMANDS.items()]
    table = "\n".join(["| Command | What it does |", "|---|---|", *index])
    return "\n".join([INTRODUCTION, table, "", *(_section(name) for name in COMMANDS)])


def _section(name: str) -> str:
    parser = importlib.import_module(f"modeling_multitask.commands.{name}").build_parser()
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    options = [_row(action, parser) for action in parser._actions if action.dest not in ("help", "verbose")]
    table = ["| Argument | Meaning |", "|---|---|", *options, ""] if options else []
    return "\n".join([f"## {name}", "", parser.description or "", "", f"```console\n{usage}\n```", "", *table])


def _row(action: argparse.Action, parser: Parser) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.metavar or action.dest}`"
    meaning = parser._get_formatter()._expand_help(action) if action.help else ""
    escaped = re.sub(r"([|<>])", r"\\\1", meaning)
    return f"| {names} | {escaped} |"


if __name__ == "__main__":
    sys.stdout.write(commands_reference())
