"""A run killed or stopped at any time continues from its last complete checkpoint and ends with the same weights."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from modeling_multitask.training.checkpoints import damage
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
    "averages in phases": f"{PHASES}average: {{last: 3}}\n",
    "adapters": f"learning_rates: {{heads: 1e-3, backbone: 1e-3}}\n{ADAPTERS}",
    "adapters in phases": PHASES + ADAPTERS,
    "averaged adapters": f"{PHASES}{ADAPTERS}average: {{ema: 0.99}}\n",
    "adapters behind frozen layers": BEHIND_FROZEN,
}
RECIPE = """
backbone: {backbone}
probe: false
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
    wait_for(folder, pattern, process)
    kill_all(process)
    assert process.returncode == -signal.SIGKILL


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Waits until a file of this name is seen, or the process has ended."""
    while process.poll() is None and not any(re.search(pattern, path) for path in files(folder)):
        time.sleep(0.005)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "out" / "model" / "model.safetensors")


def assert_same(one: Path, other: Path) -> None:
    expected, given = weights(one), weights(other)
    assert expected.keys() == given.keys()
    assert [name for name in expected if not torch.equal(expected[name], given[name])] == []
    assert (one / "out" / "results.json").read_text() == (other / "out" / "results.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adapters in phases", "averaged adapters"])
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


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_continue_and_leaves_no_process(
    tmp_path: Path, backbone: Path, number: int, code: int
) -> None:
    folder = write(tmp_path / "run", backbone, "plain")
    process = start(folder, "training.dataloader_num_workers=1", "training.num_train_epochs=100")
    wait_for(folder, r"checkpoint-9/trainer_state\.json$", process)
    children = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == code, output[-4000:]
    assert "Traceback" not in output
    said = re.search(r"Stopped\. The last checkpoint is (\S+)\. Continue with: multitask train (.*)\n", output)
    assert said is not None, output[-4000:]
    assert damage(folder / said[1]) is None
    assert said[2].startswith("recipe.yaml ")
    assert said[2].endswith(" resume=true")
    assert [each for each in children if each.is_running()] == []
    assert list((folder / "out").glob(".*")) == []


@pytest.mark.slow
def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path, backbone: Path) -> None:
    folder = write(tmp_path / "run", backbone, "plain")
    first = start(folder, "training.num_train_epochs=100")
    wait_for(folder, r"checkpoint-3/trainer_state\.json$", first)

    second = start(folder, "--force")
    output, _ = second.communicate(timeout=60)

    kill_all(first)
    assert second.returncode == 1
    assert re.search(rf"error: .*out is in use by process {first.pid} on host \S+, for less than a minute; ", output)
    assert list((folder / "out" / "checkpoints").glob("checkpoint-*"))


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_complete_checkpoint(tmp_path: Path, backbone: Path) -> None:
    folder = write(tmp_path / "run", backbone, "plain")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    run = "import sys; from scripts.train import main; sys.exit(main(sys.argv[1:]))"

    process = launched.start("-c", limit + run, "recipe.yaml", folder=folder, HF_HOME=str(folder / "hf"))
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 1, output[-4000:]
    assert "Traceback" not in output
    assert re.search(r"error: .*checkpoint-3 cannot be written: the disk is full .* There is no complete", output)
    assert list((folder / "out" / "checkpoints").glob("checkpoint-*")) == []


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
