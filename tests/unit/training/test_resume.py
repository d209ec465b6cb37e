"""A run resumed from a checkpoint ends with the same weights as an uninterrupted run (P19)."""

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from datasets import Dataset
from transformers import BertTokenizer
from transformers.trainer_callback import TrainerState

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from tests.conftest import WORDS, tasks_of_each_type, tiny_bert_config

TASKS = tasks_of_each_type()[:2]  # topic and sentiment
EPOCHS = 4
STALLED = "no improvement of topic_accuracy for 1 evaluation"
THREE_PHASES = [
    {"train": ["heads"], "until": STALLED},
    {"train": ["heads", "layers.1"], "until": "epoch 3", "learning_rates": {"heads": 1e-3, "backbone": 5e-3}},
    {"train": ["everything"], "weights": {"topic": 0.5}},
]
PAIRS_THEN_LABELS = [
    {"objective": "contrastive", "train": ["backbone"], "until": "step 11"},
    {"train": ["heads"], "fit_heads": True, "until": "epoch 3"},
    {"train": ["everything"]},
]
needs_torchjd = pytest.mark.skipif(importlib.util.find_spec("torchjd") is None, reason="needs torchjd[full]")

ORDERS = [
    pytest.param({}, id="random"),
    pytest.param({"train_sampling_strategy": "group_by_length"}, id="group_by_length"),
    pytest.param({"sampling": {"strategy": "balanced", "task": "topic"}}, id="balanced"),
    pytest.param({"sampling": {"strategy": "temperature"}}, id="temperature"),
    pytest.param({"sampling": {"strategy": "annealed"}}, id="annealed"),
    pytest.param({"tokens_per_batch": 32}, id="tokens_per_batch"),
    pytest.param({"gradient_accumulation_steps": 2}, id="accumulation"),
]
STATES = [
    pytest.param({"phases": THREE_PHASES, "eval_strategy": "epoch"}, id="phases"),
    pytest.param(
        {"phases": [{"train": ["heads"], "until": "step 8"}, {"only_if": "topic_loss > 0"}], "eval_strategy": "epoch"},
        id="condition",
    ),
    pytest.param(
        {
            "phases": [{"train": ["heads"], "until": "epoch 2"}, {"train": ["everything"]}],
            "eval_strategy": "steps",
            "eval_steps": 2,
            "lr_scheduler_type": "reduce_lr_on_plateau",
            "lr_scheduler_kwargs": {"factor": 0.5, "patience": 0},
            "metric_for_best_model": "topic_accuracy",
        },
        id="plateau",
    ),
    pytest.param({"early_stopping_patience": 2, "eval_strategy": "epoch", "eval_on_start": True}, id="patience"),
    pytest.param({"phases": PAIRS_THEN_LABELS, "eval_strategy": "epoch"}, id="contrastive"),
    pytest.param({"average": {"ema": 0.9}, "phases": THREE_PHASES, "eval_strategy": "epoch"}, id="ema"),
    pytest.param({"average": {"last": 2}, "phases": THREE_PHASES, "eval_strategy": "epoch"}, id="last"),
    pytest.param(
        {"average": {"last": 2}, "phases": [{"train": ["heads"], "until": "step 8"}, {}], "eval_strategy": "epoch"},
        id="last-step",
    ),
    pytest.param({"average": {"last": 3}, "gradient_accumulation_steps": 2}, id="last-accumulation"),
    pytest.param({"balancing": "uncertainty"}, id="uncertainty"),
    pytest.param({"balancing": "dwa"}, id="dwa"),
    pytest.param({"balancing": "dwa", "gradient_accumulation_steps": 2}, id="dwa-accumulation"),
    pytest.param({"balancing": "pcgrad"}, id="pcgrad", marks=needs_torchjd),
    pytest.param({"balancing": "nash_mtl"}, id="nash_mtl", marks=needs_torchjd),
]


def rows() -> Dataset:
    """Sixteen different sentences of uneven length from three uneven sources, of which some lack a label."""
    texts = [" ".join([WORDS[i]] + [WORDS[(i * k) % len(WORDS)] for k in range(2, 3 + i % 5)]) for i in range(16)]
    topics = [None if i % 5 == 4 else min(i % 4, 2) for i in range(16)]
    tones = [i % 2 if i % 4 < 2 else None for i in range(16)]
    return Dataset.from_dict(
        {"text": texts, "topic": topics, "sentiment": tones, "source": [0] * 10 + [1] * 4 + [2] * 2}
    )


def hopeless_rows() -> Dataset:
    """One text with every topic: the accuracy is the same at every evaluation."""
    return Dataset.from_dict({"text": ["the film"] * 3, "topic": [0, 1, 2]})


class _Remembering(MultiTaskCollator):
    """A collator that remembers the texts of every batch."""

    def __call__(self, batch: list[dict[str, Any]]) -> dict[str, Any]:
        self.seen = [*getattr(self, "seen", []), [row["text"] for row in batch]]
        return super().__call__(batch)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Callable[..., MultiTaskTrainer]:
    """A trainer of a run of its own, whose model begins with weights of that seed."""
    tokenizer = BertTokenizer.from_pretrained(backbone)

    def trainer(*, seed: int = 0, **settings: Any) -> MultiTaskTrainer:
        defaults = {
            "num_train_epochs": EPOCHS,
            "learning_rate": None if "learning_rates" in settings else 5e-3,
            "save_strategy": "steps",
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        }
        if "tokens_per_batch" not in settings:
            defaults["per_device_train_batch_size"] = 4
        torch.manual_seed(seed)
        backbone = tiny_bert_config(hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2)
        head = {"hidden_sizes": [8, 8], "dropout": 0.2}
        config = MultiTaskConfig(backbone_config=backbone, tasks=TASKS, head=head, max_length=16)
        return MultiTaskTrainer(
            MultiTaskModel(config),
            MultiTaskTrainingArguments(str(tmp_path_factory.mktemp("run")), **{**defaults, **settings}),
            data_collator=_Remembering(tokenizer, config),
            train_dataset=rows(),
            eval_dataset=hopeless_rows(),
            processing_class=tokenizer,
        )

    return trainer


class Runs(NamedTuple):
    """A run that was not interrupted, and one that was resumed from its checkpoint at `step`."""

    whole: MultiTaskTrainer
    resumed: MultiTaskTrainer
    step: int


@pytest.fixture(scope="module")
def run(build: Callable[..., MultiTaskTrainer]) -> Callable[..., Runs]:
    """Both runs, once for all tests that look at them; the resumed one begins with other weights."""

    @cache
    def both(settings: str, place: str) -> Runs:
        words = json.loads(settings)
        whole = build(**words)
        steps = len(whole.get_train_dataloader()) // words.get("gradient_accumulation_steps", 1)
        step = steps + 1 if place == "middle" else 2 * steps
        whole.args.save_steps = step
        whole.train()
        resumed = build(seed=1, save_steps=step, **words)
        resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-{step}")
        return Runs(whole, resumed, step)

    return lambda settings, place: both(json.dumps(settings), place)


def unlike(one: MultiTaskTrainer, other: MultiTaskTrainer) -> list[str]:
    """The names of the weights that are not bit-equal."""
    pairs = zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True)
    return [name for (name, a), b in pairs if not torch.equal(a, b)]


PLACES = ["middle", pytest.param("boundary", marks=pytest.mark.slow)]


@pytest.mark.compat
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("settings", [*ORDERS, *STATES])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    run: Any, settings: dict[str, Any], place: str
) -> None:
    runs = run(settings, place)

    assert unlike(runs.whole, runs.resumed) == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("settings", ORDERS)
def test_a_resumed_run_sees_the_rows_that_are_left_in_the_same_order(
    run: Any, settings: dict[str, Any], place: str
) -> None:
    whole, resumed, step = run(settings, place)

    left = (whole.state.global_step - step) * settings.get("gradient_accumulation_steps", 1)
    assert resumed.data_collator.seen == whole.data_collator.seen[-left:]


@pytest.mark.parametrize("until", ["epoch 2", "step 5", STALLED])
def test_a_run_that_its_phases_ended_does_not_go_on_when_it_is_resumed(build: Any, until: str) -> None:
    settings = {"phases": [{"until": until}], "eval_strategy": "epoch"}
    whole = build(save_steps=1, **settings)
    whole.train()
    resumed = build(seed=1, **settings)

    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-{whole.state.global_step}")

    assert unlike(whole, resumed) == []


def test_a_run_that_ended_amid_an_epoch_does_not_go_on_when_it_is_resumed(build: Any) -> None:
    # transformers' own Trainer takes one more step.
    whole = build(save_steps=6, max_steps=6)
    whole.train()
    resumed = build(seed=1, max_steps=6)

    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-6")

    assert unlike(whole, resumed) == []


def test_the_checkpoint_of_an_epochs_last_step_knows_the_phase_that_follows(build: Any) -> None:
    trainer = build(
        phases=[{"train": ["heads"], "until": "epoch 1"}, {"train": ["everything"]}], save_steps=4, max_steps=5
    )

    trainer.train()

    state = TrainerState.load_from_json(f"{trainer.args.output_dir}/checkpoint-4/trainer_state.json")
    assert state.stateful_callbacks["PhaseCallback"]["attributes"]["index"] == 1


def test_the_checkpoint_of_an_epochs_last_step_knows_the_evaluation_of_its_end(build: Any) -> None:
    trainer = build(phases=[{"until": STALLED}], eval_strategy="epoch", save_steps=4, max_steps=5)

    trainer.train()

    state = TrainerState.load_from_json(f"{trainer.args.output_dir}/checkpoint-4/trainer_state.json")
    assert state.log_history[-1]["eval_topic_rows"] == 3
