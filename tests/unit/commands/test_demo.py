"""The demo command: its messages when the demo cannot start."""

import socket
import sys
from pathlib import Path

import pytest

from modeling_multitask.commands.demo import main


def test_without_gradio_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)

    code = main([str(tmp_path), "--no_browser"])

    assert code == 1
    assert "error: gradio is not installed; it comes with the extra 'demo'" in capsys.readouterr().err


def test_a_port_in_use_is_said_before_the_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = main(["no-model", "--port", str(port), "--no_browser"])

    assert code == 1
    assert capsys.readouterr().err == f"error: port {port}: Address already in use; choose another port with --port\n"


def test_a_port_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["no-model", "--port", "70000", "--no_browser"])

    assert code == 1
    assert (
        "error: port 70000: bind(): port must be 0-65535.; choose another port with --port" in capsys.readouterr().err
    )


def test_a_model_that_does_not_exist_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(tmp_path / "none"), "--no_browser", "--port", str(free_port())])

    assert code == 1
    assert "none: not a local folder (" in capsys.readouterr().err


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
