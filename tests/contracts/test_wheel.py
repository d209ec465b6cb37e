"""The wheel holds every module of the two packages, and nothing of the checkout's generic names."""

import subprocess
import sys
import zipfile

import pytest

from tests.checkout import ROOT, copy_checkout

PACKAGES = ("modeling_multitask", "datasets_builder")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, folder], cwd=copy_checkout(folder / "sources"), check=True, capture_output=True
    )
    return set(zipfile.ZipFile(next(folder.glob("*.whl"))).namelist())


@pytest.mark.slow
def test_the_wheel_holds_exactly_the_modules_of_the_packages(wheel: set[str]) -> None:
    sources = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

    assert {name for name in wheel if name.endswith(".py")} == sources


@pytest.mark.slow
def test_the_wheel_says_that_it_is_typed(wheel: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= wheel


@pytest.mark.slow
def test_the_wheel_brings_the_templates_of_the_report(wheel: set[str]) -> None:
    folder = "modeling_multitask/evaluation/templates"

    assert {name for name in wheel if name.startswith(folder)} == {
        f"{folder}/{name}" for name in ("report.html.jinja", "report.md.jinja")
    }
