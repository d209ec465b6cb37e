"""The page of licences names every package that is installed, and only one extra brings the GPL."""

import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([\w.-]+) \| (.+? \| [\w-]+) \|$", PAGE, re.MULTILINE))
OURS, NOT_SHIPPED = "modeling-multitask", ("test", "docs", "quickstart")


def named() -> list[str]:
    """The packages that setup.cfg names for users."""
    lines = [Requirement(line) for line in requires(OURS) or []]
    ours = [each for each in lines if not (each.marker and any(name in str(each.marker) for name in NOT_SHIPPED))]
    return sorted({canonicalize_name(each.name) for each in ours} - {OURS})


@pytest.mark.parametrize("package", named())
def test_a_package_that_we_name_has_its_licence_on_the_page(package: str) -> None:
    assert package in ROWS


def test_only_the_extra_that_is_called_so_brings_the_gpl() -> None:
    gpl = {package: row for package, row in ROWS.items() if re.search("GPL|General Public License", row)}

    assert set(gpl) == {"ecos", "qpsolvers", "quadprog"}
    assert all(row.endswith("| balancing-gpl") for row in gpl.values())
