"""Print the JSON Schema of recipes, for validation and completion in editors.

multitask schema > recipe.schema.json
multitask schema --markdown > recipe.md
"""

import argparse
import json

from ..recipes.reference import recipe_reference
from ..recipes.schema import recipe_schema
from .arguments import Parser
from .command import command


def build_parser() -> Parser:
    """Return the parser of the command."""
    about = "Print the JSON Schema of recipes, for validation and completion in editors."
    parser = Parser("schema", "[--markdown]", about)
    parser.add_argument("--markdown", action="store_true", help="print the reference page of all recipe words instead")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print the schema, or the reference page."""
    print(recipe_reference() if arguments.markdown else json.dumps(recipe_schema(), indent=2))


main = command(build_parser, run)
