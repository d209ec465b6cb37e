"""The site is built without a warning, and the generated pages are not stale."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="the site needs the extra docs")

    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr[-4000:]
    assert (tmp_path / "tutorials" / "first_model.html").is_file()


def test_the_page_of_the_commands_is_not_stale() -> None:
    made = subprocess.run([sys.executable, "docs/commands.py"], cwd=ROOT, capture_output=True, text=True, check=True)

    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert made.stdout == page, "run: python docs/commands.py > docs/reference/commands.md"
