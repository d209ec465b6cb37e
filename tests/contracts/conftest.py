"""A trained quickstart, as a reader of the documentation has it."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.launched import finish


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the quickstart: that of the checkout, as in CI, else a short one."""
    if (ROOT / "runs" / "quickstart" / "model" / "config.json").is_file():
        return ROOT / "runs" / "quickstart"
    folder = tmp_path_factory.mktemp("quickstart")
    finish("-m", "modeling_multitask", "train", "quickstart", "training.max_steps=130", folder=folder)
    return folder / "runs" / "quickstart"
