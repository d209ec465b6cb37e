"""The defaults of training: the rates, and the number of epochs by the number of rows."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase
from transformers.trainer_utils import HPSearchBackend

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.training.defaults import (
    FEWEST_EPOCHS,
    MOST_EPOCHS,
    RATES,
    RATES_IN_WORDS,
    ROWS_READ,
    TRAINING,
    default_epochs,
)
from modeling_multitask.training.phases import Phase
from tests.checkout import ROOT
from tests.conftest import rows_with_gaps, tasks_of_each_type, tiny_bert_config

EVERYTHING = [Phase()]


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Callable[..., MultiTaskTrainer]:
    def trainer(**settings: Any) -> MultiTaskTrainer:
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:2], max_length=16)
        quiet = {"report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False, "save_strategy": "no"}
        return MultiTaskTrainer(
            model=MultiTaskModel(config),
            args=MultiTaskTrainingArguments(str(tmp_path), max_steps=1, **quiet, **settings),
            train_dataset=rows_with_gaps(8),
            processing_class=tokenizer,
        )

    return trainer


def rates_of(trainer: MultiTaskTrainer) -> dict[str, float]:
    return {group["name"]: group["lr"] for group in trainer.create_optimizer().param_groups}


def test_without_any_rate_the_heads_learn_faster_than_the_encoder(build: Any) -> None:
    found = rates_of(build())

    assert found["heads"] == RATES.heads
    assert found["layers.1"] == RATES.backbone
    assert found["layers.0"] == pytest.approx((RATES.backbone or 0) * RATES.layer_decay)


def test_the_setters_of_transformers_keep_the_rates() -> None:
    arguments = MultiTaskTrainingArguments("out").set_training(batch_size=4).set_optimizer("sgd")

    assert (arguments.rates(), arguments.per_device_train_batch_size) == (RATES, 4)
    assert arguments.set_training(1e-4).set_optimizer("sgd").rates().heads == 1e-4
    assert arguments.set_optimizer(learning_rate=2e-4).rates().heads == 2e-4


def test_a_single_rate_applies_to_all_layers(build: Any) -> None:
    assert set(rates_of(build(learning_rate=3e-5)).values()) == {3e-5}


def test_a_run_with_default_rates_trains(build: Any) -> None:
    trainer = build(lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr": 1e-5})

    trainer.train()

    assert trainer.state.global_step == 1
    assert trainer.optimizer is not None
    assert trainer.optimizer.defaults["lr"] == RATES.heads


def test_a_rate_beside_rates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^learning_rate is 0.001, but learning_rates sets the rates of all layers"):
        MultiTaskTrainingArguments(str(tmp_path), learning_rate=1e-3, learning_rates={"heads": 1e-3, "backbone": 1e-4})


def test_a_rate_of_a_search_beside_rates_is_refused(build: Any) -> None:
    trainer = build(learning_rates={"heads": 1e-3, "backbone": 1e-4})
    trainer.hp_search_backend = HPSearchBackend.RAY

    trainer._hp_search_setup({"learning_rate": 0.01})

    with pytest.raises(ValueError, match=r"learning_rate is 0.01.*leave one of them out, also of a hyperparameter"):
        trainer.train()


def test_a_rate_of_a_search_applies_to_all_layers(build: Any) -> None:
    trainer = build()
    trainer.hp_search_backend = HPSearchBackend.RAY

    trainer._hp_search_setup({"learning_rate": 0.01})

    assert set(rates_of(trainer).values()) == {0.01}


def test_arguments_without_rates_are_copied_and_written(tmp_path: Path) -> None:
    args = MultiTaskTrainingArguments(str(tmp_path))

    assert dataclasses.replace(args, seed=1).rates() == RATES
    assert dataclasses.replace(args, learning_rates={"heads": 1e-3}).rates().backbone is None
    assert dataclasses.replace(args, learning_rate=1e-3).rates().backbone == 1e-3
    assert json.loads(args.to_json_string())["learning_rate"] is None
    assert torch.load(_saved(args, tmp_path), weights_only=False).rates() == RATES


def _saved(args: MultiTaskTrainingArguments, folder: Path) -> Path:
    torch.save(args, folder / "training_args.bin")
    return folder / "training_args.bin"


def test_the_page_has_the_defaults() -> None:
    page = (ROOT / "docs" / "how_to" / "strategy.md").read_text(encoding="utf-8")

    assert load_recipe("quickstart", [f"learning_rates={RATES_IN_WORDS}"]).learning_rates == RATES
    assert f"`learning_rates` | `{RATES_IN_WORDS}` |" in page
    assert f"{ROWS_READ:,} divided by" in page
    assert f"at least {FEWEST_EPOCHS} and at most {MOST_EPOCHS} |" in page
    assert all(f"`training.{name}` | " in page for name in TRAINING)


@pytest.mark.parametrize(
    ("labelled", "epochs"),
    [(1, MOST_EPOCHS), (ROWS_READ // 10, 10), (ROWS_READ // 10 + 1, 10), (ROWS_READ, FEWEST_EPOCHS), (10**6, 3)],
)
def test_small_tables_get_more_epochs(labelled: int, epochs: int) -> None:
    assert default_epochs(EVERYTHING, labelled, steps_per_epoch=5) == epochs


def test_rows_without_any_label_do_not_divide_by_zero() -> None:
    assert default_epochs(EVERYTHING, 0, steps_per_epoch=5) == MOST_EPOCHS


@pytest.mark.parametrize(
    ("ends", "epochs"),
    [
        (["epoch 2", None], 2 + 10),
        (["step 11", None], 3 + 10),
        (["epoch 2", "epoch 7"], 7),
        (["epoch 2", "step 31"], 7),
        (["no improvement of score for 2 evaluations", None], 10 + 10),
    ],
)
def test_phases_end_where_they_say_and_the_others_get_the_epochs_of_the_rows(
    ends: list[str | None], epochs: int
) -> None:
    assert default_epochs([Phase(until=end) for end in ends], ROWS_READ // 10, steps_per_epoch=5) == epochs
