"""During a command the libraries print errors only, and everything with `--verbose`."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging as transformers_logging

from modeling_multitask.commands import COMMANDS
from modeling_multitask.commands.libraries import library_output
from tests.conftest import ROOT
from tests.forks import run_forked

LIBRARIES = ("transformers", "datasets", "huggingface_hub", "peft", "another.library")
PRINTS = f"""
import logging, sys, warnings
import datasets, transformers
from modeling_multitask.commands.libraries import library_output
with library_output(verbose="verbose" in sys.argv):
    for name in {LIBRARIES}:
        for level in ("info", "warning", "error"):
            getattr(logging.getLogger(name), level)(f"{{level}} of {{name}}")
    warnings.warn("warned", FutureWarning)
    for level in ("info", "warning"):
        getattr(logging.getLogger("modeling_multitask.runs"), level)(f"our {{level}}")
"""


def printed(folder: Path, *words: str, **environment: str) -> str:
    """Return the output of libraries in a command."""
    finished = run_forked(PRINTS, ["-c", *words], folder=folder, paths=[str(ROOT)], **environment)
    assert finished.exit_codes == [0], finished.stderr
    return finished.stderr


def test_only_errors_of_libraries_and_our_own_warnings_are_shown(tmp_path: Path) -> None:
    lines = printed(tmp_path).splitlines()

    assert [line.removeprefix("[transformers] ") for line in lines] == [
        *(f"error of {name}" for name in LIBRARIES),
        "our warning",
    ]


def test_verbose_shows_warnings_and_information_once(tmp_path: Path) -> None:
    said = printed(tmp_path, "verbose")

    for expected in (f"{level} of {name}" for name in LIBRARIES for level in ("info", "warning", "error")):
        assert said.count(expected) == 1, expected
    assert said.count("FutureWarning: warned") == 1
    assert said.count("our info") == 1


def test_one_of_several_processes_says_our_warnings(tmp_path: Path) -> None:
    assert "our warning" not in printed(tmp_path, RANK="1")


def test_a_level_of_the_user_takes_precedence(tmp_path: Path) -> None:
    said = printed(tmp_path, TRANSFORMERS_VERBOSITY="info")

    assert "warning of transformers" in said
    assert "warning of datasets" not in said


def test_the_bars_of_transformers_are_hidden_during_a_command_but_not_those_of_downloads() -> None:
    with library_output(verbose=False):
        assert not transformers_logging.is_progress_bar_enabled()
        assert not are_progress_bars_disabled()

    assert transformers_logging.is_progress_bar_enabled()


def test_verbose_shows_the_bars_of_transformers() -> None:
    with library_output(verbose=True):
        assert transformers_logging.is_progress_bar_enabled()


def test_the_bars_are_hidden_if_transformers_is_imported_during_the_command() -> None:
    code = """
import sys
from modeling_multitask.commands.libraries import library_output
with library_output(verbose=False):
    assert "huggingface_hub" not in sys.modules
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils.logging import get_verbosity, is_progress_bar_enabled
    print(is_progress_bar_enabled(), are_progress_bars_disabled(), get_verbosity())
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_VERBOSITY")}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == (f"False False {logging.ERROR}\n", "")


def test_everything_is_as_before_after_a_command() -> None:
    def state() -> tuple:
        levels = {name: logging.getLogger(name).level for name in ("", "datasets", "transformers", "datasets_builder")}
        return levels, dict(os.environ), list(logging.root.handlers), list(sys.meta_path)

    before = state()
    for verbose in (False, True):
        with library_output(verbose=verbose):
            pass

    assert state() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_verbose(command: str) -> None:
    parser = importlib.import_module(f"modeling_multitask.commands.{command}").build_parser()

    assert parser.get_default("verbose") is False
    assert "[--verbose]" in parser.format_usage()
