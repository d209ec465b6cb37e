"""Names are unique: no class or function has the same name as one in another module."""

import ast
from collections import defaultdict

from tests.conftest import ROOT

PACKAGES = ("modeling_multitask", "datasets_builder")
ROLES = {"main", "run", "build_parser"}  # every command has these


def test_no_public_name_has_two_meanings() -> None:
    homes = defaultdict(list)
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(ROOT).as_posix())

    assert {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in ROLES} == {}


def test_nothing_outside_tests_is_mocked() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]

    assert [path for path in paths if "unittest" in path.read_text(encoding="utf-8")] == []
