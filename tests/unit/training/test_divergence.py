"""A run that diverged stops with an error, which names the first wrong step, and leaves no broken checkpoint."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainingArguments

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.errors import DivergedError
from modeling_multitask.training.divergence import (
    LARGEST_LOSS,
    MOST_SKIPPED,
    Divergence,
    Fault,
    divergence_message,
)
from modeling_multitask.training.lora import add_lora
from tests.conftest import rows_of_each_type, tasks_of_each_type, tiny_bert_config

TASKS = tasks_of_each_type()[:4]
FREE = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False}


class Change(TrainerCallback):
    """Changes the model at one step."""

    def __init__(self, event: str, step: int, change: Any) -> None:
        def act(args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                change(kwargs["model"])

        setattr(self, event, act)


def spoil_sentiment(model: nn.Module) -> None:
    model.heads.sentiment.register_forward_hook(lambda module, inputs, output: output * math.inf)


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    """A trainer for 24 rows in their order, two in a step. The sentiment is infinite from the step `wrong` on."""

    def trainer(wrong: int | None = None, *, lora: bool = False, callbacks: Any = (), **settings: Any) -> Any:
        spoil = [Change("on_step_begin", wrong - 1, spoil_sentiment)] if wrong else []
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)
        given = {"max_steps": 12, "per_device_train_batch_size": 2, "train_sampling_strategy": "sequential"}
        model = MultiTaskModel(config)
        return MultiTaskTrainer(
            model=add_lora(model, {"r": 2}) if lora else model,
            args=MultiTaskTrainingArguments(str(tmp_path), **{**FREE, **given, "save_strategy": "no", **settings}),
            train_dataset=rows_of_each_type(),
            eval_dataset=rows_of_each_type(),
            processing_class=tokenizer,
            callbacks=[*spoil, *callbacks],
        )

    return trainer


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="read at the end"),
        pytest.param({"logging_steps": 1}, id="read at each step"),
        pytest.param({"logging_nan_inf_filter": True}, id="filter"),
        pytest.param({"balancing": "uncertainty"}, id="uncertainty"),
        pytest.param({"balancing": "dwa"}, id="dwa"),
        pytest.param({"balancing": "pcgrad"}, id="pcgrad"),
        pytest.param({"balancing": "cagrad"}, id="cagrad"),
        pytest.param({"balancing": "aligned_mtl"}, id="aligned_mtl"),
        pytest.param({"conflict": "log", "conflict_steps": 1}, id="conflict"),
        pytest.param({"phases": [{"train": ["heads"], "until": "step 3"}, {}]}, id="phases"),
        pytest.param({"freeze": "backbone"}, id="prefix cache"),
        pytest.param({"lora": True}, id="lora"),
    ],
)
def test_the_first_wrong_step_and_its_task_are_named(build: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(DivergedError, match=r"at step 7: the loss of 'sentiment' is \w+\. .* labels of 'sentiment'"):
        build(7, **settings).train()


def test_a_step_of_several_micro_batches_counts_once(build: Any) -> None:
    with pytest.raises(DivergedError, match="at step 4: the loss of 'sentiment' is "):
        build(4, gradient_accumulation_steps=2, max_steps=6).train()


def test_a_run_without_a_log_is_stopped_soon(build: Any) -> None:
    trainer = build(1, max_steps=120, logging_strategy="no")

    with pytest.raises(DivergedError, match="at step 1:"):
        trainer.train()

    assert trainer.state.global_step == 50


@pytest.mark.parametrize("settings", [{}, {"balancing": "pcgrad"}, {"max_grad_norm": 0.0}])
def test_a_gradient_that_is_not_finite_is_named(build: Any, settings: dict[str, Any]) -> None:
    def spoil(model: nn.Module) -> None:
        model.backbone.embeddings.word_embeddings.weight.register_hook(lambda gradient: gradient * math.nan)

    with pytest.raises(DivergedError, match="at step 3: the gradient is nan"):
        build(callbacks=[Change("on_step_begin", 2, spoil)], **settings).train()


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_weights_that_are_not_usable_are_never_saved(build: Any, tmp_path: Path, value: float) -> None:
    spoil = Change("on_step_end", 3, lambda model: model.heads.topic[-1].bias.data.fill_(value))

    with pytest.raises(
        DivergedError, match=r"at step 3: weights .* \(heads\.topic\.7\.bias\).* good checkpoint is .*checkpoint-2\.$"
    ):
        build(callbacks=[spoil], save_strategy="steps", save_steps=1).train()

    saved = [load_file(path) for path in tmp_path.glob("checkpoint-*/model.safetensors")]
    assert len(saved) == 2
    assert all(weight.isfinite().all() for weights in saved for weight in weights.values())


def test_weights_are_checked_at_the_end(build: Any) -> None:
    spoil = Change("on_step_end", 12, lambda model: model.heads.topic[-1].bias.data.fill_(math.nan))

    with pytest.raises(DivergedError, match="at step 12: weights are NaN, infinite or too large"):
        build(callbacks=[spoil]).train()


def test_the_checkpoint_before_a_wrong_loss_is_not_called_good(build: Any) -> None:
    # The weights of step 6 may be the cause of the loss of step 7.
    with pytest.raises(DivergedError, match=r"good checkpoint is .*checkpoint-5\.$"):
        build(7, save_strategy="steps", save_steps=1).train()


def test_heads_at_an_absurd_rate_are_a_failure_although_their_losses_are_finite(build: Any) -> None:
    with pytest.raises(DivergedError, match=r"is \S+ \(too large\).*rates: heads 1e\+06, encoder 5e-05"):
        build(learning_rates={"heads": 1e6, "backbone": 5e-5}).train()


def test_the_last_update_is_seen_by_the_evaluation(build: Any) -> None:
    rates = {"heads": 1e8, "backbone": 5e-5}

    with pytest.raises(DivergedError, match=r"at step 1: the loss of 'topic' in the evaluation .* no good checkpoint"):
        build(max_steps=1, eval_strategy="steps", save_strategy="steps", learning_rates=rates).train()


def test_a_wrong_number_in_the_evaluation_is_no_fault() -> None:
    divergence = of_one_task()
    add_loss(divergence, 1.0, 1)

    assert divergence.evaluation_fault({"topic": 1e9}, {"topic"}, 1) is None
    assert divergence.evaluation_fault({"topic": 1e9}, set(), 1) is not None
    assert divergence.evaluation_fault({"topic": math.inf}, {"topic"}, 1) is not None


def test_a_model_that_was_not_trained_is_evaluated_whatever_it_answers(build: Any) -> None:
    trainer = build()
    trainer.model.heads.topic[-1].weight.data *= 1e12

    assert trainer.evaluate()["eval_topic_loss"] > LARGEST_LOSS


def test_an_undefined_figure_is_null_in_a_checkpoint(build: Any, tmp_path: Path) -> None:
    best = {"metric_for_best_model": "score", "greater_is_better": True, "load_best_model_at_end": True}
    trainer = build(eval_strategy="steps", eval_steps=4, save_strategy="steps", save_steps=4, **best)
    trainer.compute_metrics = lambda prediction: {"score": math.nan}

    trainer.train()

    states = [path.read_text() for path in tmp_path.glob("checkpoint-*/trainer_state.json")]
    assert [json.loads(state, parse_constant=pytest.fail)["best_metric"] for state in states] == [None] * 3


def test_large_numbers_are_no_fault_as_such() -> None:
    divergence = of_one_task()

    for step, loss in enumerate([1e10, 1e13, 1e9], start=1):
        add_loss(divergence, loss, step)

    assert divergence.fault() is None
    assert divergence.evaluation_fault({"topic": 1e14}, set(), 3) is None


def test_a_task_that_has_labels_later_has_its_own_first_loss() -> None:
    divergence = of_one_task()

    for step, loss in enumerate([0.0, 1e10, 1e13], start=1):
        add_loss(divergence, loss, step)

    assert divergence.fault() is None


@pytest.mark.parametrize("loss", [math.nan, math.inf, LARGEST_LOSS * 2])
def test_a_loss_that_is_not_usable_is_a_fault(loss: float) -> None:
    divergence = of_one_task()

    for step, each in enumerate([1.0, loss, 1.0], start=1):
        add_loss(divergence, each, step)

    found = divergence.fault()
    assert found is not None
    assert (found.step, found.tasks) == (2, ["topic"])


def test_a_combined_loss_that_is_not_finite_is_a_fault_although_each_task_is_fine() -> None:
    divergence = of_one_task()

    divergence.add_losses({"topic": torch.tensor(1.0)}, torch.tensor(math.nan), 1)

    assert divergence.fault() == Fault(1, "the combined loss is nan", [])


def test_a_step_that_the_scaler_skips_is_no_fault() -> None:
    divergence = of_one_task()

    for step in range(1, 100):
        skipped = step % MOST_SKIPPED > 0
        for _ in range(2):  # the Trainer reports the last step of an epoch twice
            divergence.add_gradient(math.inf if skipped else 1.0, step, skipped=skipped)

    assert divergence.fault() is None


def test_a_scaler_that_skips_every_step_is_a_fault() -> None:
    divergence = of_one_task()

    for step in range(1, MOST_SKIPPED + 1):
        divergence.add_gradient(torch.tensor(math.nan), step, skipped=True)

    assert divergence.fault() == Fault(MOST_SKIPPED, "the gradient is nan", [])


@pytest.mark.parametrize(
    ("settings", "tried"),
    [
        ({}, "a lower rate for the heads, or warm-up (warmup_steps: 0.1), or stronger clipping (max_grad_norm: 0.1)."),
        (
            {"warmup_steps": 0.1, "max_grad_norm": 0.0},
            "a lower rate for the heads, or stronger clipping (max_grad_norm: 1).",
        ),
    ],
)
def test_what_to_try_depends_on_what_was_set(settings: dict[str, Any], tried: str) -> None:
    groups = [group("heads", 1e-2), group("layers.0", 1e-4), group("embeddings", 1e-5), group("layers.1", 9.0, False)]

    message = divergence_message(Fault(3, "x"), groups, TrainingArguments("out", use_cpu=True, **settings), None)

    assert f"Try {tried}" in message
    assert "Learning rates: heads 0.01, encoder 1e-05 to 0.0001." in message


def of_one_task() -> Divergence:
    return Divergence(["topic"], Accelerator(cpu=True))


def add_loss(divergence: Divergence, loss: float, step: int) -> None:
    divergence.add_losses({"topic": torch.tensor(loss)}, torch.tensor(1.0), step)


def group(name: str, rate: float, trains: bool = True) -> dict[str, Any]:
    return {"name": name, "lr": 0.0, "initial_lr": rate, "params": [nn.Parameter(torch.zeros(1), requires_grad=trains)]}
