"""The push command without access to the Hub."""

import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from modeling_multitask.commands.push import main
from tests.integration.test_pushed_model import run

__all__ = ["run"]  # a fixture
pytestmark = pytest.mark.slow

LOOK_FAILED = "  The current content of the repository is unknown: "


@pytest.fixture
def words(run: Path) -> list[str]:
    """A model, and where it and its demo are to go."""
    return [str(run / "model"), "tester/model", "--space", "tester/demo"]


def test_offline_it_shows_what_would_go_and_says_that_it_could_not_look(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(words)

    printed = capsys.readouterr().out.splitlines()
    looks = [line for line in printed if line.startswith(LOOK_FAILED)]
    assert code == 0
    assert {"Would push to the model tester/model:", "Would push to the Space tester/demo:"} <= set(printed)
    assert any(line.endswith(" bytes  model.safetensors") for line in printed)
    assert ["offline mode is enabled" in line for line in looks] == [True, True]
    assert printed[-1] == "Nothing was pushed; add --yes to push."


def test_without_a_network_it_shows_what_would_go_and_waits_little(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", waited.append)

    code = main(words)

    printed = capsys.readouterr().out
    assert code == 0
    assert printed.count(f"{LOOK_FAILED}http://127.0.0.1:9 cannot be reached") == 2
    assert printed.endswith("Nothing was pushed; add --yes to push.\n")
    assert sum(waited) < 3  # seconds; a child process is waited for as well


def test_offline_a_confirmed_push_is_an_error_that_names_the_variable(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([*words, "--yes"])

    error = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert error.startswith("error: https://huggingface.co cannot be reached")
    assert "HF_HUB_OFFLINE" in error
