"""Every kind of damaged checkpoint is recognised, and the checkpoint before it is used."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors import SafetensorError
from transformers import BertTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.checkpoints import damage, last_whole_checkpoint
from modeling_multitask.training.lora import add_lora
from modeling_multitask.training.saving_mixin import _rotate
from tests.conftest import tiny_bert_config

TASKS = [{"name": "topic", "problem_type": "binary_classification", "labels": ["food", "film"]}]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Callable[[bool], Path]:
    """The folder of a run with checkpoints of the steps 1, 2 and 10."""
    made: dict[bool, Path] = {}

    def train(adapters: bool) -> Path:
        if adapters not in made:
            made[adapters] = tmp_path_factory.mktemp("run")
            torch.manual_seed(0)
            config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)
            model = MultiTaskModel(config)
            steps = {"max_steps": 2, "save_steps": 1, "per_device_train_batch_size": 1, "use_cpu": True}
            MultiTaskTrainer(
                add_lora(model, {"r": 2}) if adapters else model,
                MultiTaskTrainingArguments(str(made[adapters]), **steps, report_to="none", disable_tqdm=True),
                train_dataset=Dataset.from_dict({"text": ["good film", "bad soup"], "topic": [1, 0]}),
                processing_class=BertTokenizer.from_pretrained(backbone),
            ).train()
            later = shutil.copytree(made[adapters] / "checkpoint-2", made[adapters] / "checkpoint-10")
            replace(later / "trainer_state.json", '"global_step": 2', '"global_step": 10')
        return made[adapters]

    return train


@pytest.fixture
def folder(run: Callable, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(run(False), tmp_path / "run")


def replace(path: Path, old: str, new: str) -> None:
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def cut_off(path: Path) -> None:
    """Leaves the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("adapters", [False, True])
def test_the_checkpoint_with_the_most_steps_is_taken(run: Callable, adapters: bool) -> None:
    # By number and not by name, in whose order 10 comes before 2.
    assert last_whole_checkpoint(run(adapters)) == (run(adapters) / "checkpoint-10", {})


def test_a_checkpoint_without_the_trainers_state_is_damaged(folder: Path) -> None:
    # This is what a run leaves that is killed while it saves.
    (folder / "checkpoint-10" / "trainer_state.json").unlink()

    assert damage(folder / "checkpoint-10") == "trainer_state.json is missing"


@pytest.mark.parametrize("name", ["trainer_state.json", "config.json"])
@pytest.mark.parametrize("rest", ["", '{"global_step": 10, "best'])
def test_json_that_is_cut_off_is_recognised(folder: Path, name: str, rest: str) -> None:
    (folder / "checkpoint-10" / name).write_text(rest)

    assert damage(folder / "checkpoint-10") == f"{name} is truncated"


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_file_that_is_cut_off_is_recognised(folder: Path, name: str) -> None:
    cut_off(folder / "checkpoint-10" / name)

    assert damage(folder / "checkpoint-10") == f"{name} is truncated"


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
def test_a_file_that_lacks_its_last_byte_is_recognised(folder: Path, name: str) -> None:
    path = folder / "checkpoint-10" / name
    path.write_bytes(path.read_bytes()[:-1])

    assert damage(folder / "checkpoint-10") == f"{name} is truncated"


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_an_adapter_that_is_cut_off_is_recognised(run: Callable, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(run(True), tmp_path / "run")
    cut_off(folder / "checkpoint-10" / name)

    assert damage(folder / "checkpoint-10") == f"{name} is truncated"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model.safetensors", "the weights are missing"),
        ("optimizer.pt", r"the optimizer's state is missing (was save_only_model set?)"),
        ("scheduler.pt", "scheduler.pt is missing"),
    ],
)
def test_what_is_missing_is_named(folder: Path, name: str, reason: str) -> None:
    # Without the optimizer's or the scheduler's state the Trainer goes on with fresh ones, and says nothing.
    (folder / "checkpoint-10" / name).unlink()

    assert damage(folder / "checkpoint-10") == reason


def test_a_state_of_another_step_is_recognised(folder: Path) -> None:
    replace(folder / "checkpoint-10" / "trainer_state.json", '"global_step": 10', '"global_step": 9')

    assert damage(folder / "checkpoint-10") == "trainer_state.json is from step 9"


def test_the_one_before_a_damaged_checkpoint_is_taken(folder: Path) -> None:
    cut_off(folder / "checkpoint-10" / "model.safetensors")

    found = last_whole_checkpoint(folder)

    assert found == (folder / "checkpoint-2", {folder / "checkpoint-10": "model.safetensors is truncated"})


def test_several_damaged_checkpoints_are_passed_over_each_with_its_reason(folder: Path) -> None:
    (folder / "checkpoint-10" / "trainer_state.json").unlink()
    cut_off(folder / "checkpoint-2" / "optimizer.pt")

    checkpoint, damaged = last_whole_checkpoint(folder)

    assert checkpoint == folder / "checkpoint-1"
    assert damaged == {
        folder / "checkpoint-10": "trainer_state.json is missing",
        folder / "checkpoint-2": "optimizer.pt is truncated",
    }


def test_where_every_checkpoint_is_damaged_there_is_none(folder: Path) -> None:
    for step in (1, 2, 10):
        (folder / f"checkpoint-{step}" / "trainer_state.json").unlink()

    checkpoint, damaged = last_whole_checkpoint(folder)

    assert checkpoint is None
    assert len(damaged) == 3


def test_a_folder_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert last_whole_checkpoint(tmp_path) == (None, {})


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert last_whole_checkpoint(tmp_path / "nowhere") == (None, {})


def test_a_checkpoint_of_deepspeed_is_whole(folder: Path) -> None:
    # It keeps the states of optimizer and scheduler in a folder of its own.
    for name in ("optimizer.pt", "scheduler.pt"):
        (folder / "checkpoint-10" / name).unlink()
    (folder / "checkpoint-10" / "global_step10").mkdir()

    assert damage(folder / "checkpoint-10") is None


def test_a_checkpoint_whose_weights_are_shared_out_over_processes_is_whole(folder: Path) -> None:
    for one, shared in (("model.safetensors", "pytorch_model_fsdp_0"), ("optimizer.pt", "optimizer_0")):
        (folder / "checkpoint-10" / one).unlink()
        (folder / "checkpoint-10" / shared).mkdir()

    assert damage(folder / "checkpoint-10") is None


def test_no_file_holds_the_arguments_with_the_token(run: Callable) -> None:
    # transformers pickles them, with `hub_token`, into training_args.bin.
    assert [path.name for path in run(False).rglob("training_args.bin")] == []


class _Stopping(MultiTaskTrainer):
    """A trainer whose second checkpoint does not get further than its weights."""

    error: BaseException

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.state.global_step == 2:
            raise self.error
        super()._save_optimizer_and_scheduler(output_dir)


def stopping(folder: Path, backbone: Path, error: BaseException) -> MultiTaskTrainer:
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)
    steps = {"max_steps": 3, "save_steps": 1, "per_device_train_batch_size": 1, "use_cpu": True}
    trainer = _Stopping(
        MultiTaskModel(config),
        MultiTaskTrainingArguments(str(folder), **steps, report_to="none", disable_tqdm=True),
        train_dataset=Dataset.from_dict({"text": ["good film", "bad soup"], "topic": [1, 0]}),
        processing_class=BertTokenizer.from_pretrained(backbone),
    )
    trainer.error = error
    return trainer


def test_a_checkpoint_that_is_interrupted_is_removed(tmp_path: Path, backbone: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopping(tmp_path, backbone, KeyboardInterrupt()).train()

    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-1"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError(
            "[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed writing file: file write failed"
        ),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_said_with_the_last_checkpoint_and_what_to_do(
    tmp_path: Path, backbone: Path, error: Exception
) -> None:
    said = r"checkpoint-2 cannot be written: the disk is full .* is .*checkpoint-1\. Free some space, .*resume=true"
    with pytest.raises(OSError, match=said):
        stopping(tmp_path, backbone, error).train()

    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-1"]


def test_another_error_while_saving_stays_as_it_is(tmp_path: Path, backbone: Path) -> None:
    with pytest.raises(RuntimeError, match="another"):
        stopping(tmp_path, backbone, RuntimeError("another")).train()


@pytest.mark.parametrize(("there", "left"), [((5, 10), 10), ((10, 500), 10)], ids=["same run", "longer run before"])
def test_the_last_checkpoint_of_this_run_is_kept(there: tuple[int, int], left: int, tmp_path: Path) -> None:
    for step in there:
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        os.utime(folder, (step == 10,) * 2)  # the last one is a second newer

    _rotate(str(tmp_path), step=10, use_mtime=True, save_total_limit=1)

    assert [path.name for path in tmp_path.iterdir()] == [f"checkpoint-{left}"]
