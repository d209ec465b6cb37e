"""Two processes have one average: that of a single process with the same batches, also after a resume."""

from pathlib import Path
from typing import Any

import pytest

from tests.launched import results_of
from tests.process_training import apart

pytestmark = pytest.mark.slow

# Every case in one launch: a process takes longer to start than to train.
TRAIN = """
import os, sys
from datasets import Dataset
from tests.process_training import SENTIMENT, TOPIC, build_model, build_trainer, end, texts_of_three_words, weights_of

backbone, output = sys.argv[1:]
rows = Dataset.from_dict({
    "text": texts_of_three_words(32),
    "topic": [None if i % 3 == 1 else i % 3 for i in range(32)],
    "sentiment": [i % 2 if i < 5 else None for i in range(32)],
})

def train(name, checkpoint=None, dropout=0.1, **settings):
    model = build_model(
        backbone, [TOPIC, SENTIMENT], head={"hidden_sizes": [16], "dropout": dropout}, max_length=16,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )
    trainer = build_trainer(
        model, backbone, f"{output}/{name}", rows, trainer={"eval_dataset": rows},
        learning_rate=5e-3, num_train_epochs=3, eval_strategy="epoch", save_strategy="epoch",
        per_device_train_batch_size=8 // int(os.environ.get("WORLD_SIZE", 1)), train_sampling_strategy="sequential",
        **settings,
    )
    trainer.train(resume_from_checkpoint=checkpoint and f"{output}/{name}/checkpoint-{checkpoint}")
    return weights_of(trainer.model)

runs = {}
for name, average in (("ema", {"ema": 0.9}), ("last", {"last": 2})):
    runs[name] = train(f"{name}-plain", dropout=0.0, average=average)
    phases = [{"train": ["heads", "layers.1"], "until": "epoch 2"}, {"train": ["heads"]}]
    runs[f"{name} whole"] = train(name, average=average, phases=phases)
    runs[f"{name} resumed"] = train(name, checkpoint=4, average=average, phases=phases)
end(runs, output)
"""
each_average = pytest.mark.parametrize("average", ["ema", "last"])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> dict[str, Any]:
    return results_of(TRAIN, backbone, folder=tmp_path_factory.mktemp("one"), processes=1)[0]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> list[dict[str, Any]]:
    return results_of(TRAIN, backbone, folder=tmp_path_factory.mktemp("two"), processes=2)


@each_average
def test_two_processes_end_with_the_average_of_one(one: Any, two: Any, average: str) -> None:
    # The remaining difference is rounding from a different order of sums, which Adam makes larger.
    assert apart(one[average], two[0][average]) <= 1e-4


@each_average
@pytest.mark.parametrize("end", ["", " whole", " resumed"])
def test_both_processes_end_with_the_same_average(two: Any, average: str, end: str) -> None:
    assert apart(two[0][average + end], two[1][average + end]) == 0


@each_average
def test_two_resumed_processes_end_with_the_average_of_uninterrupted_ones(two: Any, average: str) -> None:
    # P19
    assert apart(two[0][f"{average} whole"], two[0][f"{average} resumed"]) == 0
