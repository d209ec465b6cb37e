"""Names are unique: no class, function or alias of a type has the same name as one in another module."""

import ast
from collections import defaultdict

from tests.conftest import ROOT

PACKAGES = ("modeling_multitask", "datasets_builder")
ROLES = {"main", "run", "build_parser"}  # every command has these


def test_no_public_name_has_two_meanings() -> None:
    homes = defaultdict(list)
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in _defined(node):
                homes[name].append(path.relative_to(ROOT).as_posix())

    assert {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in ROLES} == {}


def _defined(node: ast.stmt) -> list[str]:
    """Return the public class, function or alias of a type that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [] if node.name.startswith("_") else [node.name]
    names = [each.id for each in node.targets if isinstance(each, ast.Name)] if isinstance(node, ast.Assign) else []
    return [name for name in names if name[0].isupper() and not name.isupper()]


def test_nothing_outside_tests_is_mocked() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]

    assert [path for path in paths if "unittest" in path.read_text(encoding="utf-8")] == []
