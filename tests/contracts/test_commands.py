"""The commands are the same under every name, are fully documented, and start fast."""

import importlib
import re
import runpy
import subprocess
import sys

import pytest

from modeling_multitask.commands import COMMANDS
from modeling_multitask.commands.arguments import Parser
from modeling_multitask.commands.predict import BACKENDS
from modeling_multitask.study.strategies import STRATEGIES
from tests.conftest import ROOT

each_command = pytest.mark.parametrize("command", COMMANDS)


def parser_of(command: str) -> Parser:
    """Return the arguments of a command."""
    return importlib.import_module(f"modeling_multitask.commands.{command}").build_parser()


def finished(*words: str) -> tuple[int, str, str]:
    """Return the exit code and the output of Python with these arguments."""
    process = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return process.returncode, process.stdout, process.stderr


def test_every_command_has_a_face_in_scripts() -> None:
    faces = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"__init__"}

    assert faces == set(COMMANDS)


each_mistake = pytest.mark.parametrize(
    "words", [["--help"], ["--no_such_option"], ["no/such.yaml"]], ids=["help", "option", "error"]
)


@each_command
@each_mistake
def test_a_face_in_scripts_prints_what_the_command_prints(
    command: str, words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == ["no/such.yaml"] and command not in ("train", "data", "study"):
        pytest.skip("only these read a recipe first")

    printed = []
    for module, given in ((f"scripts.{command}", words), ("modeling_multitask", [command, *words])):
        monkeypatch.setattr(sys, "argv", ["multitask", *given])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
        printed.append((ended.value.code, *capfd.readouterr()))

    assert printed[0] == printed[1]


@each_mistake
def test_a_face_in_scripts_is_a_program(words: list[str]) -> None:
    assert finished("-m", "scripts.train", *words) == finished("-m", "modeling_multitask", "train", *words)


@each_command
def test_the_usage_names_every_argument_in_the_order_in_which_people_write_it(command: str) -> None:
    parser = parser_of(command)
    usage = " ".join(parser.format_usage().split())

    assert usage.startswith(f"usage: multitask {command}")
    options = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    assert set(re.findall(r"--\w+", usage)) == set(options) - {"--help"}


@pytest.mark.parametrize(
    ("command", "names"), [("predict", BACKENDS), ("export", ("onnx", "openvino")), ("study", STRATEGIES)]
)
def test_the_help_lists_every_allowed_name(command: str, names: tuple[str, ...]) -> None:
    words = re.findall(r"[\w-]+", parser_of(command).format_help())

    assert set(names) <= set(words)


WITHOUT_TORCH = """
import contextlib, io, sys
from modeling_multitask.commands import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as printed:
    try:
        code = main(sys.argv[1:])
    except SystemExit as ended:
        code = ended.code
heavy = {"torch", "transformers", "datasets", "pandas", "pyarrow", "sklearn", "peft", "numpy"} & set(sys.modules)
assert not heavy, heavy
assert code == int(code or 0) and "Traceback" not in printed.getvalue()
"""


@pytest.mark.parametrize(
    "words",
    [
        *([command, "--help"] for command in COMMANDS),
        ["--help"],
        ["recipes"],
        ["schema"],
        ["train", "no_such_recipe"],
        ["study", "no_such_recipe"],
        ["study", "quickstart", "pooling=avg"],
        ["report", "no/model", "no_such_recipe", "--output", "out"],
        ["report", "no/model", "quickstart", "pooling=avg", "--output", "out"],
        ["train", "quickstart", "poolin=mean", "tasks.0.problem_type=regresion", "training.num_train_epoch=1"],
    ],
    ids=" ".join,
)
def test_help_and_wrong_recipes_need_no_torch(words: list[str]) -> None:
    assert finished("-c", WITHOUT_TORCH, *words) == (0, "", "")


IMPORTS = """
import sys
from modeling_multitask import MultiTaskConfig, MultiTaskModel
heavy = {"datasets", "evaluate", "peft", "sklearn", "pandas", "transformers.trainer"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_model_and_its_configuration_need_no_trainer() -> None:
    assert finished("-c", IMPORTS) == (0, "", "")


@pytest.mark.parametrize(
    "line",
    [
        "from modeling_multitask.modeling_multitask import MultiTaskModel",
        "from modeling_multitask.configuration_multitask import MultiTaskConfig",
        "from modeling_multitask import MultiTaskPipeline",
        "from modeling_multitask.inference.loading import load",
        "from transformers import pipeline; import modeling_multitask",
    ],
)
def test_the_model_is_registered_whatever_is_imported_first(line: str) -> None:
    registered = "AutoModel._model_mapping[modeling_multitask.MultiTaskConfig] is modeling_multitask.MultiTaskModel"
    code = f"import sys; sys.path[:0] = {sys.path!r}; {line}; import modeling_multitask\n"

    # -S: no .pth file of another package imports anything before.
    assert finished("-S", "-c", f"{code}from transformers import AutoModel; assert {registered}") == (0, "", "")


def test_the_page_of_the_commands_is_not_stale() -> None:
    made = subprocess.run([sys.executable, "docs/commands.py"], cwd=ROOT, capture_output=True, text=True, check=True)

    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert made.stdout == page, "run: python docs/commands.py > docs/reference/commands.md"
