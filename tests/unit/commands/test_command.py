"""However a command ends, it prints one message and has the exit code of that kind of ending."""

import argparse
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_multitask.commands.arguments import Parser
from modeling_multitask.commands.command import command
from modeling_multitask.commands.train import main as train
from modeling_multitask.errors import DataError, DivergedError

TOKEN = "hf_" + "Ab1" * 11


def ending_with(act: Callable[[], object]) -> Callable[..., int]:
    """Return the main function of a command that does one thing."""

    def build_parser() -> Parser:
        parser = Parser("try", "[WORD]", "Try.")
        parser.add_positional("word", required=lambda _: False)
        return parser

    def run(_: argparse.Namespace) -> None:
        act()

    return command(build_parser, run, lambda _: "Go on like this.")


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize("error", [OSError("full"), DataError("full"), DivergedError("full"), ImportError("full")])
def test_an_error_of_the_user_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending_with(raising(error))([]) == 1

    assert capsys.readouterr().err == "error: full\n"


def test_an_internal_error_is_one_line_and_a_log_without_texts_and_tokens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert ending_with(raising(KeyError("the text of a customer")))([TOKEN]) == 70

    said = capsys.readouterr().err
    [log] = tmp_path.iterdir()
    content = log.read_text(encoding="utf-8")
    assert said.startswith("internal error: KeyError: 'the text of a customer'\nThis is a bug.")
    assert str(log) in said
    assert "builtins.KeyError" in content
    assert re.search(r'File ".*test_command\.py", line \d+, in act', content)
    assert "customer" not in content
    assert TOKEN not in content


def test_a_log_that_cannot_be_written_is_no_second_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")

    assert ending_with(raising(KeyError("x")))([]) == 70

    assert "Its log could not be written" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_says_how_to_go_on(number: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in commands in the background
    before = signal.getsignal(signal.SIGTERM)

    assert ending_with(lambda: os.kill(os.getpid(), number))([]) == code

    assert capsys.readouterr().err == "\nStopped. Go on like this.\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_only_the_first_of_several_processes_speaks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")

    assert ending_with(raising(KeyboardInterrupt()))([]) == 130

    assert capsys.readouterr().err == ""


def test_a_terminal_without_a_character_shows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)

    assert ending_with(lambda: sys.stdout.write("naïve 中\n"))([]) == 0

    terminal.flush()
    assert terminal.buffer.getvalue() == b"na?ve ?\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["training.hub_token=swordfish"], "training.hub_token"),
        ([f"backbone={TOKEN}"], "backbone"),
        ([f"examples=[text, '{TOKEN}']"], "examples[1]"),
        (["start_from=https://ann:pass@example.org/model"], "start_from"),
    ],
)
def test_a_recipe_with_a_secret_is_refused_without_repeating_it(
    words: list[str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text("seed: 1\n")

    assert train([str(recipe), f"output_dir={tmp_path}/run", *words]) == 1

    said = capsys.readouterr().err
    assert f"  {place}: must not contain a token or password" in said
    assert not re.search(f"{TOKEN}|swordfish|ann:pass", said)
    assert list(tmp_path.iterdir()) == [recipe]
