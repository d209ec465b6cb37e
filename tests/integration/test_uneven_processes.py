"""Two processes end together, count every row once and stay equal, with uneven, missing or frozen parts."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.launched import results_of

pytestmark = pytest.mark.slow

# Every case in one launch: a process takes longer to start than to train.
TRAIN = """
import sys
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from modeling_multitask import MultiTaskCollator
from modeling_multitask.training.lora import add_lora
from tests.process_training import SENTIMENT, TOPIC, WORDS, build_model, build_trainer, end, weights_of

backbone, output = sys.argv[1:]

def rows(count, sentiment):
    return Dataset.from_dict({
        "text": [" ".join([str(i)] + [WORDS[(i * k) % len(WORDS)] for k in range(i % 6)]) for i in range(count)],
        "topic": [None if i % 3 == 1 else i % 3 for i in range(count)],
        "sentiment": [i % 2 if sentiment(i) else None for i in range(count)],
        "source": [0 if i < count - 6 else 1 if i < count - 2 else 2 for i in range(count)],
    })

class Remembering(MultiTaskCollator):
    def __call__(self, batch):
        self.seen = [*getattr(self, "seen", []), [int(row["text"].split()[0]) for row in batch]]
        return super().__call__(batch)

class Keep(TrainerCallback):
    def __init__(self):
        self.weights = []

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        self.start = weights_of(model)

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        self.weights.append(weights_of(model))

def train(train_rows, resume=None, folder=output, lora=None, **settings):
    defaults = {} if "tokens_per_batch" in settings else {"per_device_train_batch_size": 4}
    defaults |= {"num_train_epochs": 2, "save_strategy": "no", "eval_strategy": "no", "per_device_eval_batch_size": 2}
    model = build_model(backbone, [TOPIC, SENTIMENT], head={"hidden_sizes": [16]}, max_length=16)
    keep, collator = Keep(), Remembering(AutoTokenizer.from_pretrained(backbone), model.config)
    given = {"data_collator": collator, "eval_dataset": rows(7, lambda i: i % 2), "callbacks": [keep]}
    model = model if lora is None else add_lora(model, lora)
    trainer = build_trainer(
        model, backbone, folder, train_rows, trainer=given, learning_rate=1e-2, **{**defaults, **settings}
    )
    trainer.train(resume_from_checkpoint=resume)
    seen = list(collator.seen)
    return {
        "seen": seen,
        "start": keep.start,
        "weights": keep.weights,
        "steps": trainer.state.global_step,
        "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
        "metrics": trainer.evaluate(),
    }

uneven = rows(19, lambda i: i % 2)
scarce = rows(16, lambda i: i < 4)  # of a step's rows, the second process's and the second micro-batch have none
phases = [
    {"train": ["heads"], "until": "epoch 1"},
    {"train": ["heads", "layers.1"], "until": "epoch 2"},
    {"train": ["everything"], "until": "no improvement of topic_loss for 9 evaluations"},
]
pairs = [
    {"objective": "contrastive", "train": ["backbone"], "until": "epoch 1"},
    {"train": ["heads"], "fit_heads": True},
]
saved = {"phases": phases, "num_train_epochs": 4, "eval_strategy": "epoch", "save_strategy": "steps", "save_steps": 4}
runs = {
    "sources": train(uneven, sampling={"strategy": "round_robin"}),
    "concatenated": train(uneven),
    "tokens": train(uneven, tokens_per_batch=24),
    "phases": train(uneven, folder=f"{output}/phases", **saved),
    "resumed": train(uneven, folder=f"{output}/resumed", resume=f"{output}/phases/checkpoint-4", **saved),
    "pairs": train(uneven, phases=pairs),
    "pairs adapters": train(uneven, phases=pairs, lora={"r": 2}),
    "scarce": train(scarce, train_sampling_strategy="sequential", logging_steps=1),
    "scarce accumulated": train(
        scarce, train_sampling_strategy="sequential", gradient_accumulation_steps=2, logging_steps=1
    ),
    "checkpointing": train(
        scarce, train_sampling_strategy="sequential", gradient_checkpointing=True, ddp_find_unused_parameters=False,
        logging_steps=1,
    ),
    "checkpointing frozen": train(uneven, gradient_checkpointing=True, phases=phases, num_train_epochs=3,
                                  eval_strategy="epoch"),
}
end(runs, output)
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> list[dict[str, Any]]:
    """By process, what became of every case; a process that waits for the other is given up after ten minutes."""
    return results_of(TRAIN, backbone, folder=tmp_path_factory.mktemp("two"), processes=2)


def unlike(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of the weights that are not bit-equal."""
    return [name for name in one if not torch.equal(one[name], other[name])]


CASES = ["sources", "concatenated", "tokens", "phases", "resumed", "scarce", "scarce accumulated", "checkpointing"]
PAIRS = ["pairs", "pairs adapters"]


@pytest.mark.parametrize("case", ["sources", "concatenated", "tokens"])
def test_both_processes_train_on_as_many_batches(two: list[dict[str, Any]], case: str) -> None:
    # P35: else the one with more waits for the other without end.
    assert len(two[0][case]["seen"]) == len(two[1][case]["seen"]) == two[0][case]["steps"]


@pytest.mark.parametrize("case", ["concatenated", "tokens"])
def test_no_row_is_left_out_of_an_epoch_of_two_processes(two: list[dict[str, Any]], case: str) -> None:
    # P35
    first_epoch = [process[case]["seen"][: process[case]["steps"] // 2] for process in two]

    assert {row for batches in first_epoch for batch in batches for row in batch} == set(range(19))


def test_a_row_comes_twice_only_to_fill_up_the_last_round(two: list[dict[str, Any]]) -> None:
    # 19 rows in batches of 4 for each of two: three rounds of 8 hold 24, and the first 5 rows come again.
    first_epoch = [row for process in two for batch in process["concatenated"]["seen"][:3] for row in batch]

    assert len(first_epoch) == 24
    assert len(set(first_epoch)) == 19


@pytest.mark.parametrize("case", ["sources", "tokens"])
def test_evaluation_counts_every_labelled_row_once(two: list[dict[str, Any]], case: str) -> None:
    # P35: seven rows do not go evenly into batches of two for each of two processes.
    metrics = two[0][case]["metrics"]

    assert (metrics["eval_topic_rows"], metrics["eval_sentiment_rows"]) == (5, 3)


def test_both_processes_see_the_same_metrics(two: list[dict[str, Any]]) -> None:
    # They decide when a phase ends: else one process would go on and wait for the other.
    one, other = (
        {
            name: value
            for name, value in each["phases"]["metrics"].items()
            if "per_second" not in name and "runtime" not in name
        }
        for each in two
    )

    assert one == other


@pytest.mark.parametrize("case", [*CASES, *PAIRS, "checkpointing frozen"])
def test_replicas_are_the_same_at_the_end_of_every_epoch(two: list[dict[str, Any]], case: str) -> None:
    # P29, P31: also where parts are unfrozen, and where a process has no label of a task in some step.
    pairs = zip(two[0][case]["weights"], two[1][case]["weights"], strict=True)

    assert [unlike(one, other) for one, other in pairs] == [[] for _ in two[0][case]["weights"]]


@pytest.mark.parametrize("case", ["phases", "checkpointing frozen"])
def test_what_is_unfrozen_later_trains_in_two_processes(two: list[dict[str, Any]], case: str) -> None:
    # P30, P31
    _, second, third, *_ = two[0][case]["weights"]

    assert any(name.startswith("backbone.embeddings") for name in unlike(second, third))


@pytest.mark.parametrize("case", PAIRS)
def test_a_contrastive_phase_trains_the_encoder_and_then_the_heads_train(two: list[dict[str, Any]], case: str) -> None:
    start, (first, last) = two[0][case]["start"], two[0][case]["weights"]

    assert {"heads." in name for name in unlike(start, first)} == {False}
    assert {"heads." in name for name in unlike(first, last)} == {True}


@pytest.mark.parametrize("case", ["scarce", "scarce accumulated", "checkpointing"])
def test_a_task_of_which_a_process_has_no_label_trains(two: list[dict[str, Any]], case: str) -> None:
    # P28, P29: with `ddp_find_unused_parameters` false as well, which stops where a parameter gets no gradient.
    first, last = two[0][case]["weights"][0], two[0][case]["weights"][-1]

    assert "heads.sentiment.0.weight" in unlike(first, last)


@pytest.mark.parametrize("case", ["scarce", "scarce accumulated", "checkpointing"])
def test_losses_stay_finite_where_a_process_has_no_label_of_a_task(two: list[dict[str, Any]], case: str) -> None:
    assert torch.tensor(two[0][case]["losses"]).isfinite().all()


def test_two_processes_end_with_the_weights_of_a_run_that_was_not_interrupted(two: list[dict[str, Any]]) -> None:
    # P19: from the middle of the second epoch, in the second of three phases.
    assert unlike(two[0]["resumed"]["weights"][-1], two[0]["phases"]["weights"][-1]) == []
