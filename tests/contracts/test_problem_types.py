"""Only the kinds, and tables keyed by problem type, name a problem type. All other code uses `task.kind`."""

import ast
from pathlib import Path

import pytest

from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from tests.conftest import ROOT

DECLARATIONS = {"modeling_multitask/problem_types_multitask.py", "modeling_multitask/kinds_multitask.py"}
EXAMPLES = {"modeling_multitask/recipes/recipe.py", "modeling_multitask/tasks_multitask.py"}  # examples of recipe words
TABLES = {
    "modeling_multitask/publishing/card/answers.py",
    "datasets_builder/guess_labels.py",
}  # CONTRIBUTING lists these
NO_COMPARISON = {"modeling_multitask/inference/similarity.py"}  # the task of a model without tasks
PATHS = sorted(
    path for package in ("modeling_multitask", "datasets_builder") for path in (ROOT / package).rglob("*.py")
)


def named(tree: ast.AST) -> set[str]:
    """Return the problem types that the code names, except in docstrings."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in PROBLEM_TYPES}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_problem_type_is_named_outside_the_kinds_and_the_tables(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert name in DECLARATIONS | EXAMPLES | TABLES | NO_COMPARISON or named(tree) == set()
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Compare) and named(node)] == []


def test_the_tables_are_listed_for_those_who_add_a_problem_type() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert [path for path in TABLES if path not in contributing] == []
