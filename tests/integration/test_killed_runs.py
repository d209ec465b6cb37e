"""A run killed at any time continues from its last complete checkpoint and ends with the same weights."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import launched
from tests.launched import kill_all

PHASES = """
learning_rates: {heads: 1e-3, backbone: 1e-4, layer_decay: 0.5}
phases:
  - {train: [heads], until: epoch 1}
  - {train: [heads, layers.1], until: no improvement of score for 1 evaluation}
  - {train: [everything]}
balancing: uncertainty
"""
ADAPTERS = "lora: {r: 2, lora_dropout: 0.1}\n"
BEHIND_FROZEN = """
learning_rates: {heads: 1e-3, backbone: 1e-3}
lora: {r: 2, target_modules: '.*layer\\.1\\..*(query|value)'}
"""
KINDS = {
    "plain": "learning_rates: {heads: 1e-3, backbone: 1e-4}\nsampling: {strategy: balanced, task: topic}\n",
    "phases": PHASES,
    "adapters": f"learning_rates: {{heads: 1e-3, backbone: 1e-3}}\n{ADAPTERS}",
    "adapters in phases": PHASES + ADAPTERS,
    "adapters behind frozen layers": BEHIND_FROZEN,
}
RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: [16, 16]}}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
data:
  train: {{path: train.csv, labels: {{topic: topic, liked: liked}}}}
  split: {{validation: 0.2}}
training:
  num_train_epochs: 4
  per_device_train_batch_size: 4
  gradient_accumulation_steps: 2
  eval_strategy: steps
  eval_steps: 3
  save_strategy: steps
  save_steps: 3
  bf16: false
report: false
output_dir: out
"""


def write(folder: Path, backbone: Path, kind: str) -> Path:
    folder.mkdir()
    rows = [
        ",".join(
            [
                f"the {word} was {'good' if i % 2 else 'not bad'}",
                word if i % 3 else "",
                "" if i % 5 == 1 else ["no", "yes"][i % 2],
            ]
        )
        for i in range(20)
        for word in ("film", "phone", "soup")
    ]
    (folder / "train.csv").write_text("\n".join(["text,topic,liked", *rows]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone=backbone) + KINDS[kind])
    return folder


def start(folder: Path, *words: str, processes: int = 1) -> subprocess.Popen[str]:
    words = ("-m", "scripts.train", "recipe.yaml", *words)
    return launched.start(*words, folder=folder, processes=processes, HF_HOME=str(folder / "hf"))


def finish(folder: Path, *words: str, processes: int = 1) -> str:
    process = start(folder, *words, processes=processes)
    output, _ = process.communicate()
    assert process.returncode == 0, output[-4000:]
    return output


def kill_after(folder: Path, seconds: float, *words: str) -> bool:
    """Whether the run was still going on when it was killed."""
    process = start(folder, *words)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    return False


def files(folder: Path) -> Iterator[str]:
    """The files below; a folder that is removed meanwhile, such as an older checkpoint, is passed over."""
    return (f"{at}/{name}" for at, _, names in os.walk(folder) for name in names)


def kill_once(folder: Path, pattern: str, *, processes: int = 1) -> None:
    """Kills a run, with the processes that it has started, as soon as a file of this name is seen."""
    process = start(folder, processes=processes)
    while process.poll() is None and not any(re.search(pattern, path) for path in files(folder)):
        time.sleep(0.005)
    kill_all(process)
    assert process.returncode == -signal.SIGKILL


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "out" / "model" / "model.safetensors")


def assert_same(one: Path, other: Path) -> None:
    expected, given = weights(one), weights(other)
    assert expected.keys() == given.keys()
    assert [name for name in expected if not torch.equal(expected[name], given[name])] == []
    assert (one / "out" / "results.json").read_text() == (other / "out" / "results.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adapters in phases"])
def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path, backbone: Path, kind: str) -> None:
    # P19
    finish(write(tmp_path / "whole", backbone, kind))
    killed = write(tmp_path / "killed", backbone, kind)
    kill_once(killed, r"checkpoint-9/trainer_state\.json$")

    output = finish(killed, "resume=true")

    assert re.search(r"Training resumes from .*checkpoint-\d+", output)
    assert_same(tmp_path / "whole", killed)


@pytest.mark.slow
def test_two_killed_processes_go_on_behind_what_is_frozen_as_without_the_cache(tmp_path: Path, backbone: Path) -> None:
    kind = "adapters behind frozen layers"
    whole, killed = (write(tmp_path / name, backbone, kind) for name in ("whole", "killed"))
    finish(whole, "prefix_cache=false", processes=2)
    kill_once(killed, r"checkpoint-9/trainer_state\.json$", processes=2)
    assert len(list((killed / "hf" / "multitask_prefixes").glob("*/*.json"))) >= 2

    output = finish(killed, "resume=true", processes=2)

    assert re.search(r"Training resumes from .*checkpoint-\d+", output)
    expected, given = weights(whole), weights(killed)
    # A text's states are rounded as the batch asks in which they were computed, and that is another.
    assert max((given[name] - expected[name]).abs().max().item() for name in expected) <= 1e-5


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills_at_random_moments_change_nothing(tmp_path: Path, backbone: Path, kind: str) -> None:
    started = time.monotonic()
    finish(write(tmp_path / "whole", backbone, kind))
    whole_run = time.monotonic() - started
    killed = write(tmp_path / "killed", backbone, kind)
    moments = random.Random(0)

    kills = 0
    while kills < 20:
        kills += kill_after(killed, moments.uniform(0.3, 1.0) * whole_run, "resume=true")
        finished = (killed / "out" / "results.json").exists()
        if finished and kills < 20:  # begin again: what is asked is twenty kills, not one run
            assert_same(tmp_path / "whole", killed)
            subprocess.run(["rm", "-rf", str(killed / "out")], check=True)

    finish(killed, "resume=true")
    assert_same(tmp_path / "whole", killed)
