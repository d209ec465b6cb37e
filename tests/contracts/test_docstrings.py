"""Public names are described, and the examples of their docstrings run."""

import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import datasets_builder
import modeling_multitask
from modeling_multitask import inference, runs
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, ROOT, needs_minilm
from tests.forks import run_forked

PACKAGES = (modeling_multitask, inference, runs, datasets_builder)
PUBLIC = {
    name: value
    for package in PACKAGES
    for name in package.__all__
    if callable(value := getattr(package, name)) and name != "DataError"
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
HUB_IDS = re.compile(r"sentence-transformers/all-MiniLM-L6-v2|distilbert/distilbert-base-uncased")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_with_an_example(name: str) -> None:
    text = PUBLIC[name].__doc__ or ""

    assert re.match(r"[A-Z`].*[.]$", text.splitlines()[0])
    assert doctest.DocTestParser().get_examples(text)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_arguments_of_a_public_name_are_described(name: str) -> None:
    value: Any = PUBLIC[name]
    text = inspect.cleandoc(value.__doc__ or "")
    parameters = inspect.signature(value).parameters if inspect.isfunction(value) else {}

    assert [each for each in parameters if not re.search(rf"^\s+{each}: ", text, re.MULTILINE)] == []


@needs_minilm
@pytest.mark.slow
def test_the_examples_run_and_show_what_comes_out(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "configuration").symlink_to(ROOT / "configuration")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(quickstart)
    docs = {name: HUB_IDS.sub(str(resolve_model_path(MINILM)), value.__doc__ or "") for name, value in PUBLIC.items()}
    code = f"""
import doctest
class Checker(doctest.OutputChecker):
    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)  # not all of an output is shown

finder, runner = doctest.DocTestParser(), doctest.DocTestRunner(Checker(), optionflags={FLAGS})
for name, text in {docs!r}.items():
    runner.run(finder.get_doctest(text, {{}}, name, None, None))
raise SystemExit(runner.failures)
"""

    exit_codes, said, _ = run_forked(code, ["-c"], folder=tmp_path, paths=[str(ROOT)])

    assert exit_codes == [0], said
