"""The resources of a training are recorded, once for all parts of a run, and without the name of the machine."""

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState

from modeling_multitask import MultiTaskTrainingArguments, __version__
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.records import TrainingClock, estimate_energy
from modeling_multitask.runs.run import run_recipe

RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: []}}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
data:
  train: rows.csv
  split: {{validation: 0.25}}
training: {{num_train_epochs: 2, per_device_train_batch_size: 4, disable_tqdm: true}}
report: false
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Any:
    """The recipe in a folder, to be carried out with overrides; what `training.json` says then."""
    folder = tmp_path_factory.mktemp("record")
    labels = ["film" if i % 2 else "food" if i % 3 else "" for i in range(16)]
    rows = [f"it was {i},{label}" for i, label in enumerate(labels)]
    (folder / "rows.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))

    def carry_out(*words: str, output: str = "out") -> dict[str, Any]:
        run_recipe(load_recipe(folder / "recipe.yaml", [f"output_dir={folder / output}", *words]))
        return json.loads((folder / output / "training.json").read_text())

    carry_out.folder = folder
    return carry_out


@pytest.fixture(scope="module")
def record(run: Any) -> dict[str, Any]:
    """Of the first run."""
    return run()


def test_steps_rows_and_labels_are_counted(record: dict[str, Any]) -> None:
    # 12 of 16 rows are in the training split; 2 of these have no label and are skipped. Batches have 4 rows.
    assert (record["steps"], record["epochs"], record["resumed"]) == (6, 2.0, 0)
    assert record["rows"] == {"train": 10, "validation": 4}
    assert record["labelled_rows"]["topic"] == 10


def test_all_parameters_are_counted_and_those_that_train(record: dict[str, Any]) -> None:
    assert record["trained_parameters"] == record["parameters"] > 1000


def test_versions_are_those_at_hand(record: dict[str, Any]) -> None:
    assert record["versions"]["modeling-multitask"] == __version__
    assert record["versions"]["python"] == platform.python_version()
    assert {"torch", "transformers"} <= set(record["versions"])


def test_the_hardware_is_described(record: dict[str, Any]) -> None:
    hardware = record["hardware"]

    assert hardware["cores"] >= 1
    assert hardware["processor"]
    assert hardware["memory"] > 2**20
    assert hardware["processes"] == 1


def test_energy_is_estimated_with_what_it_assumes(record: dict[str, Any]) -> None:
    assert record["energy"]["kilowatt_hours"] > 0
    assert "Lannelongue" in record["energy"]["assumption"]


def test_neither_the_machine_nor_a_folder_is_named(run: Any, record: dict[str, Any]) -> None:
    text = json.dumps(record)

    assert str(run.folder) not in text
    assert platform.node() not in text


def test_a_run_that_is_resumed_says_so_and_counts_on(run: Any, record: dict[str, Any]) -> None:
    shutil.rmtree(run.folder / "out" / "model")
    for path in (run.folder / "out" / "checkpoints").glob("checkpoint-*/trainer_state.json"):
        state = json.loads(path.read_text())
        state["stateful_callbacks"]["TrainingClock"]["attributes"]["seconds"] = 1000.0
        path.write_text(json.dumps(state))

    again = run("resume=true")

    assert (again["resumed"], again["steps"]) == (1, 6)
    assert again["seconds"] >= 1000


def test_only_heads_train_where_the_encoder_is_frozen(run: Any) -> None:
    record = run("freeze=backbone", "training.max_steps=1", output="frozen")

    assert record["trained_parameters"] == 32 * 2 + 2


def test_weights_that_are_an_average_are_said_to_be_one(run: Any, record: dict[str, Any]) -> None:
    again = run("average.last=2", "training.max_steps=2", output="average")

    assert (record["average"], again["average"]) == (None, {"last": 2})


def test_where_nothing_trains_it_takes_no_time(run: Any) -> None:
    record = run("freeze=everything", output="nothing")

    assert (record["steps"], record["trained_parameters"], record["seconds"]) == (0, 0, 0.0)


def state_of(step: int, **callbacks: Any) -> TrainerState:
    return TrainerState(global_step=step, stateful_callbacks=callbacks)


def begin(clock: TrainingClock, state: TrainerState, folder: Path) -> None:
    clock.on_train_begin(MultiTaskTrainingArguments(folder, use_cpu=True), state, TrainerControl())


def test_the_time_before_a_checkpoint_counts(tmp_path: Path) -> None:
    clock = TrainingClock()
    before = {"args": {}, "attributes": {"seconds": 100.0, "cpu_seconds": 50.0, "resumed": 2}}

    begin(clock, state_of(3, TrainingClock=before), tmp_path)
    clock.stop()

    assert clock.resumed == 3
    assert clock.seconds == pytest.approx(100, abs=1)
    assert clock.cpu_seconds == pytest.approx(50, abs=1)


def test_a_checkpoint_of_before_there_was_a_clock_gets_a_place_for_it(tmp_path: Path) -> None:
    clock, state = TrainingClock(), state_of(3)

    begin(clock, state, tmp_path)

    assert state.stateful_callbacks["TrainingClock"]["attributes"]["resumed"] == 1


def test_an_hour_of_one_core_takes_12_watt_hours() -> None:
    found = estimate_energy(1800, 3600, {"processes": 1, "accelerators": []})

    assert found["kilowatt_hours"] == pytest.approx(0.012)
    assert found["assumption"].startswith("12 W for each busy core (Lannelongue et al. 2021);")


def test_accelerators_take_200_watts_all_the_time() -> None:
    found = estimate_energy(3600, 3600, {"processes": 2, "accelerators": ["A GPU", "A GPU"]})

    assert found["kilowatt_hours"] == pytest.approx(2 * 0.012 + 2 * 0.2)
    assert "and 200 W for each accelerator all the time" in found["assumption"]
