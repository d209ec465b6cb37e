"""Two processes that share one cache of frozen outputs train to the same weights as two without a cache."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modeling_multitask.training.prefix.store import PrefixStore
from tests.launched import results_of, said_by, start
from tests.process_training import apart

pytestmark = pytest.mark.slow

SETUP = """
import errno, os, sys, time
from pathlib import Path
import torch
from datasets import Dataset
from accelerate import PartialState
from modeling_multitask.training.prefix import store as prefix_store
from modeling_multitask.training.lora import add_lora
from tests.process_training import SENTIMENT, TOPIC, WORDS, build_model, build_trainer, end, weights_of

backbone, output = sys.argv[1:]

def rows(count):
    return Dataset.from_dict({
        "text": [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 3 + i % 8)) for i in range(count)],
        "topic": [None if i % 3 == 1 else i % 3 for i in range(count)],
        "sentiment": [i % 2 if i % 4 < 2 else None for i in range(count)],
    })

def train(cache, count=26, lora=None, **settings):
    model = build_model(backbone, [TOPIC, SENTIMENT], head={"hidden_sizes": [16]}, max_length=16)
    trainer = build_trainer(
        model if lora is None else add_lora(model, lora), backbone, output, rows(count),
        trainer={"eval_dataset": rows(7)}, learning_rate=5e-3, num_train_epochs=3, per_device_train_batch_size=4,
        eval_strategy="epoch", save_strategy="no", prefix_cache=cache and {"folder": f"{output}/{cache}"}, **settings,
    )
    trainer.train()
    history = trainer.state.log_history
    return {
        "weights": weights_of(trainer.model),
        "metrics": [line[name] for line in history for name in line if name.endswith(("_loss", "_score", "_accuracy"))],
    }

LOWEST = {"freeze": ["embeddings", "layers.0"]}
"""
# Every case in one launch: a process takes longer to start than to train.
TRAIN = f"""{SETUP}
def full(*given):
    raise OSError(errno.ENOSPC, "No space left on device")

ADAPTERS = {{"lora": {{"r": 2, "target_modules": r".*layer\\.1\\..*(query|value)"}}}}
runs = {{
    "lowest": train("lowest", **LOWEST),
    "lowest without": train(False, **LOWEST),
    "all": train("all", freeze="backbone"),
    "all without": train(False, freeze="backbone"),
    "adapters": train("adapters", **ADAPTERS),
    "adapters without": train(False, **ADAPTERS),
    "one text more": train("lowest", count=27, **LOWEST),
    "one text more without": train(False, count=27, **LOWEST),
}}
if PartialState().process_index == 1:
    prefix_store.os.fsync = full
runs["one full disk"] = train("full", **LOWEST)
runs["one full disk without"] = runs["lowest without"]
end(runs, output)
"""
# A run of its own, which begins when the other one does.
AT_ONCE = f"""{SETUP}
own, other = (Path(output) / os.environ[name] for name in ("OWN", "OTHER"))
own.touch()
while not other.exists():
    time.sleep(0.01)
torch.save(train("shared", count=200, **LOWEST), f"{{own}}.pt")
if own.name == "one":
    torch.save(train(False, count=200, **LOWEST), f"{{output}}/without.pt")
"""
CASES = ["lowest", "all", "adapters", "one text more", "one full disk"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the caches."""
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(folder: Path, backbone: Path) -> list[dict[str, Any]]:
    """By process, what became of every case."""
    return results_of(TRAIN, backbone, folder=folder, processes=2)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_with_the_weights_of_two_without_the_cache(two: list[dict[str, Any]], case: str) -> None:
    assert apart(two[0][case]["weights"], two[0][f"{case} without"]["weights"]) <= 1e-5
    assert two[0][case]["metrics"] == pytest.approx(two[0][f"{case} without"]["metrics"], abs=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_both_processes_end_with_the_same_weights(two: list[dict[str, Any]], case: str) -> None:
    assert apart(two[0][case]["weights"], two[1][case]["weights"]) == 0


@pytest.mark.parametrize("case", ["lowest", "all", "adapters"])
def test_each_process_writes_its_share_and_both_are_whole(
    folder: Path, case: str, two: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    (kept,) = (folder / case).iterdir()
    before = {path.name for path in kept.iterdir()}

    store = PrefixStore(kept, 32, torch.float32)
    store.refresh()

    assert len(list(kept.glob("*.json"))) >= 2
    assert caplog.text == ""
    assert {path.name for path in kept.iterdir()} == before


@pytest.mark.usefixtures("two")
def test_where_one_process_cannot_write_neither_has_a_cache(folder: Path) -> None:
    # P80: else one goes on to train while the other waits for it.
    said = (folder / "said.txt").read_text()

    assert "Frozen layers are not cached, and run in every epoch: [Errno 28] No space left on device" in said
    assert (
        "Frozen layers are not cached, and run in every epoch: another process could not write their output to disk"
        in said
    )


def test_two_runs_at_once_share_a_cache(tmp_path: Path, backbone: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "train.py").write_text(AT_ONCE)

    processes = [
        start("train.py", backbone, tmp_path, folder=tmp_path, OWN=own, OTHER=other)
        for own, other in (("one", "two"), ("two", "one"))
    ]
    said = [said_by(process, 200) for process in processes]

    one, two, without = (torch.load(tmp_path / f"{name}.pt") for name in ("one", "two", "without"))
    assert apart(one["weights"], without["weights"]) <= 1e-5
    assert apart(two["weights"], without["weights"]) <= 1e-5
    (kept,) = (tmp_path / "shared").iterdir()
    store = PrefixStore(kept, 32, torch.float32)
    store.refresh()
    assert "Frozen layers are not cached" not in "".join(said)
    assert "is damaged" not in "".join(said) + caplog.text
