"""From the quickstart to a downloaded model: all statements of the card are true."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_multitask.inference import predict
from tests.conftest import ROOT, needs_minilm
from tests.fresh_process import BLOCK
from tests.hub_server import HubServer, hub

__all__ = ["hub"]  # a fixture

RECIPE = ROOT / "configuration" / "recipes" / "quickstart.yaml"
ANSWERS = """
import json
print(json.dumps(classify({texts})))
"""


def trained(folder: Path, *words: str) -> Path:
    """The quickstart's folder after a few steps, with its ONNX."""
    command(
        ROOT, {}, "scripts.train", str(RECIPE), f"output_dir={folder}", "training.max_steps=20", "probe=false", *words
    )
    command(ROOT, {}, "scripts.export", str(folder / "model"), str(folder / "model" / "onnx"), "--format", "onnx")
    return folder


def command(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Return the output of a command."""
    finished = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def blocks(card: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", card, flags=re.MULTILINE | re.DOTALL)


def fresh_environment(folder: Path, installs: list[str]) -> Path:
    """The Python of a virtual environment that holds only what these lines install."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    for line in installs:
        words = line.replace('"', "").removeprefix("pip install ").split()
        subprocess.run(
            [str(folder / "bin" / "pip"), "install", "-q", "-c", str(ROOT / "constraints.txt"), *words], check=True
        )
    return folder / "bin" / "python"


@pytest.mark.parametrize(
    "fresh",
    [pytest.param(False, marks=pytest.mark.slow), pytest.param(True, marks=[pytest.mark.long, needs_minilm])],
    ids=["random weights, where we are blocked", "real weights, where only the card was followed"],
)
def test_every_snippet_of_the_card_runs(hub: HubServer, backbone: Path, tmp_path: Path, fresh: bool) -> None:
    tiny = [] if fresh else [f"backbone={backbone}", "max_length=64"]
    run = trained(tmp_path / "runs" / "quickstart", *tiny)
    ours = hub.environment(tmp_path / "ours")
    command(tmp_path, ours, "scripts.data", str(RECIPE), "--push", "tester/reviews", "--yes")
    links = ("--dataset", "tester/reviews", "--space", "tester/demo")
    model = str(run / "model")
    command(tmp_path, ours, "scripts.push", model, "tester/quickstart", "--license", "apache-2.0", *links, "--yes")
    card = hub.files("tester/quickstart")["README.md"].decode()
    lines = "".join(blocks(card, "bash")).splitlines()
    installs = [line for line in lines if line.startswith("pip install ")]
    python = fresh_environment(tmp_path / "venv", installs) if fresh else Path(sys.executable)
    strict = (str(python), "-W", "error::DeprecationWarning:transformers", "-c")
    paths = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": paths, **hub.environment(tmp_path / "stranger"), "PYTHONPATH": ""}
    texts = ["The battery died within a day.", "Great soup."]
    snippets = blocks(card, "python")
    snippets[0] += ANSWERS.format(texts=texts)

    def follow(*words: str) -> str:
        finished = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    outputs = [follow(*strict, each if fresh else BLOCK + each) for each in snippets]
    others = [follow("bash", "-c", line) for line in lines if not line.startswith("pip install ")]

    assert len(snippets) >= 4
    assert len(others) == 2
    example = json.loads((run / "recipe.json").read_text())["examples"][0]
    by_onnx, by_torch = json.loads(others[-1].splitlines()[-1]), predict(model, [example])[0]
    assert {task: answer["label"] for task, answer in by_onnx.items()} == {
        task: answer["label"] for task, answer in by_torch.items()
    }
    answers = json.loads(outputs[0].splitlines()[-1])
    for found, expected in zip(answers, predict(model, texts), strict=True):
        for task, answer in expected.items():
            assert found[task]["label"] == answer["label"]
            assert found[task]["score"] == pytest.approx(answer["score"], abs=1e-4)
    assert not fresh or "modeling-multitask" not in follow(str(python), "-m", "pip", "freeze")
