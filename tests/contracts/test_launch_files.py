"""Every shipped file for `accelerate launch` is valid, and has the documented effect."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import (
    DeepSpeedPlugin,
    FullyShardedDataParallelPlugin,
    prepare_deepspeed_cmd_env,
    prepare_multi_gpu_env,
    prepare_simple_launcher_cmd_env,
)

from modeling_multitask import MultiTaskTrainingArguments
from tests.conftest import ROOT

FOLDER = ROOT / "configuration" / "launch"
FILES = sorted(FOLDER.rglob("*.yaml"))
# By file: the launcher, the number of processes on all machines, and the number of machines.
MEANT = {
    "cpu": ("cpu", 1, 1),
    "one_gpu": ("one process", 1, 1),
    "several_gpus": ("multi_gpu", 2, 1),
    "several_machines": ("multi_gpu", 16, 2),
    "fsdp2": ("use_fsdp", 2, 1),
    "deepspeed_zero2": ("use_deepspeed", 2, 1),
}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def _environment_of_no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove variables of an outer launch, and set the threads, because accelerate warns if it chooses their number."""
    for name in os.environ:
        if name.startswith(("ACCELERATE_", "FSDP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def resolve(path: Path, *flags: str) -> Namespace:
    """Return the arguments that `accelerate launch` reads from a file, without starting it."""
    words = ["--config_file", str(path), *flags, "scripts/train.py", "recipe.yaml"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    return arguments


def environment(path: Path) -> dict[str, str]:
    """Return the environment of the processes that a file starts."""
    # Port 0 is any free port. A fixed port may be in use and fail the test.
    arguments = resolve(path, "--main_process_port", "0")
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ""  # launch_command sets it, only for JSON files
        return prepare_deepspeed_cmd_env(arguments)[1]
    if arguments.use_fsdp or arguments.multi_gpu:
        return prepare_multi_gpu_env(arguments)
    return prepare_simple_launcher_cmd_env(arguments)[1]


def enter(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Give this process the environment of a launched one."""
    for name, value in environment(path).items():
        monkeypatch.setenv(name, value)


def launcher(arguments: Namespace) -> str:
    """Return the flag that selects a launcher in `launch_command`. Without a flag it starts one process."""
    flags = ("use_deepspeed", "use_fsdp", "use_megatron_lm", "multi_gpu", "tpu")
    chosen = [flag for flag in flags if getattr(arguments, flag)]
    return "+".join(chosen) or ("cpu" if arguments.use_cpu else "one process")


def settings(path: Path) -> dict[str, Any]:
    """Return the settings of a file, with its sections flattened."""
    content = yaml.safe_load(path.read_text())
    sections = [value for value in content.values() if isinstance(value, dict)]
    plain = {name: value for name, value in content.items() if not isinstance(value, dict)}
    return {name: value for part in (plain, *sections) for name, value in part.items()}


def test_every_file_has_its_meaning_here() -> None:
    assert {path.stem for path in FILES} == set(MEANT)


@every_file
def test_accelerate_reads_a_file_and_knows_its_keys(path: Path) -> None:
    # It raises for an unknown key, but not for one inside a section. Another test checks those.
    assert load_config_from_file(str(path)).compute_environment == "LOCAL_MACHINE"


@every_file
def test_a_file_resolves_to_its_launcher_processes_and_machines(path: Path) -> None:
    arguments = resolve(path)

    assert (launcher(arguments), arguments.num_processes, arguments.num_machines) == MEANT[path.stem]


@every_file
def test_what_a_file_says_is_a_setting_of_the_launcher_and_takes_effect(path: Path) -> None:
    # accelerate accepts any key inside a section, and silently drops some others (`rdzv_backend`, `same_network`).
    known = {*vars(launch_command_parser().parse_args(["train.py"])), "use_cpu"}
    said = settings(path)
    said.pop("distributed_type")

    assert set(said) <= known
    assert {name: getattr(resolve(path), name) for name in said} == said


@every_file
def test_a_file_begins_with_its_own_command(path: Path) -> None:
    comment = [line for line in path.read_text().splitlines()[:3] if line.startswith("# ")]
    words = comment[1].removeprefix("# ").replace(" N ", " 1 ").split()
    arguments = launch_command_parser().parse_args(words[2:])

    assert len(comment) == 2
    assert words[:2] == ["accelerate", "launch"]
    assert (ROOT / arguments.config_file).resolve() == path
    assert (ROOT / arguments.training_script).is_file()
    assert arguments.training_script_args[0] == "RECIPE"


@every_file
@pytest.mark.parametrize("bf16", [False, True])
def test_the_recipe_and_no_file_decides_about_bf16(
    path: Path, bf16: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Only these variables: the others would start processes or require deepspeed.
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", environment(path)["ACCELERATE_MIXED_PRECISION"])

    arguments = MultiTaskTrainingArguments(str(tmp_path), bf16=bf16, use_cpu=True)

    assert arguments.mixed_precision == ("bf16" if bf16 else "no")


def test_each_machine_starts_its_share_of_the_processes_and_meets_at_the_first() -> None:
    # As on the second machine, which does not check whether the port is free.
    arguments = resolve(FOLDER / "several_machines.yaml", "--machine_rank", "1")
    prepare_multi_gpu_env(arguments)

    assert (arguments.nnodes, arguments.node_rank, arguments.nproc_per_node) == ("2", 1, "8")
    assert arguments.rdzv_endpoint == "10.0.0.1:29500"


def test_one_gpu_is_all_that_its_process_sees() -> None:
    # Otherwise the Trainer distributes the batch over all GPUs with DataParallel.
    assert environment(FOLDER / "one_gpu.yaml")["CUDA_VISIBLE_DEVICES"] == "0"


def test_fsdp_is_of_version_2_and_cuts_up_any_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, FOLDER / "fsdp2.yaml")

    plugin = FullyShardedDataParallelPlugin()

    assert plugin.fsdp_version == 2
    assert plugin.auto_wrap_policy is None
    assert plugin.reshard_after_forward is True
    assert plugin.state_dict_type.name == "FULL_STATE_DICT"
    assert plugin.cpu_ram_efficient_loading is False


def test_deepspeed_is_of_stage_2_and_leaves_the_rest_to_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, FOLDER / "deepspeed_zero2.yaml")

    config = DeepSpeedPlugin().deepspeed_config

    assert config["zero_optimization"]["stage"] == 2
    assert config["zero_optimization"]["offload_optimizer"]["device"] == "none"
    for name in ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping"):
        assert config[name] == "auto"  # the Trainer sets it


@pytest.mark.slow
def test_the_cpu_file_launches_a_training(backbone: Path, tmp_path: Path) -> None:
    finished = subprocess.run(
        [
            *[sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / "cpu.yaml")],
            *[str(ROOT / "scripts" / "train.py"), str(ROOT / "configuration" / "recipes" / "quickstart.yaml")],
            *[
                f"backbone={backbone}",
                f"output_dir={tmp_path / 'run'}",
                "training.max_steps=1",
                "max_length=32",
                "probe=false",
            ],
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr[-4000:]
    assert set(json.loads((tmp_path / "run" / "results.json").read_text())) == {"validation", "test"}
