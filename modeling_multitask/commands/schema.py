"""Print the JSON Schema of recipes, by which editors check and complete them.

multitask schema > recipe.schema.json
"""

import argparse
import json

from ..recipes.schema import recipe_schema
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """The arguments of the command."""
    return Parser("schema", "", "Print the JSON Schema of recipes, by which editors check and complete them.")


def run(arguments: argparse.Namespace) -> None:
    """Print the schema."""
    print(json.dumps(recipe_schema(), indent=2))


main = command(build_parser, run)
