"""Arguments that would end a run at its first evaluation are refused before training, and the others do as they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

WORDS = ["film", "food", "phone"]
Make = Callable[..., MultiTaskTrainer]
BEST = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}


def rows(count: int) -> Dataset:
    words = [WORDS[i % 3] for i in range(count)]
    return Dataset.from_dict({"text": [f"the good {word}" for word in words], "topic": words})


@pytest.fixture
def make(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Make:
    """Returns a trainer with 10 rows of training and 5 of evaluation."""

    def build(
        train: Dataset | None = None, evaluated: Any = None, compute_metrics: Callable | None = None, **words: Any
    ) -> MultiTaskTrainer:
        settings = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, "use_cpu": True, **words}
        return MultiTaskTrainer(
            model=model,
            args=MultiTaskTrainingArguments(
                str(tmp_path), report_to="none", disable_tqdm=True, num_train_epochs=1, **settings
            ),
            train_dataset=rows(10) if train is None else train,
            eval_dataset=rows(5) if evaluated is None else evaluated,
            processing_class=tokenizer,
            compute_metrics=compute_metrics,
        )

    return build


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({**BEST, "metric_for_best_model": "topic_acuracy"}, "is 'topic_acuracy'; .*; did you mean 'topic_accuracy'?"),
        ({**BEST, "metric_for_best_model": "eval_f1"}, "metric_for_best_model is 'f1'; it must be one of loss, score"),
        ({"label_names": []}, r"label_names is \[\]; leave it out, because the labels are columns"),
        (
            {"lr_scheduler_type": "inverse_sqrt", "lr_scheduler_kwargs": {"timescale": 0}},
            "which is refused: .*division by zero; 'inverse_sqrt' takes timescale",
        ),
        (
            {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": "x"}},
            "which is refused: .*'cosine_with_restarts' takes num_cycles",
        ),
        (
            {
                "lr_scheduler_type": "reduce_lr_on_plateau",
                "eval_strategy": "epoch",
                "lr_scheduler_kwargs": {"factr": 1},
            },
            "has 'factr', but 'reduce_lr_on_plateau' takes mode, factor,.*did you mean 'factor'",
        ),
        ({"label_names": ["x"]}, r"label_names is \['x'\]; leave it out, because the labels are columns"),
        ({"eval_do_concat_batches": False}, "eval_do_concat_batches is False; leave it out"),
        ({"prediction_loss_only": True, "eval_strategy": "epoch"}, "prediction_loss_only is True, but metrics need"),
        ({"accelerator_config": {"dispatch_batches": True}}, "dispatch_batches is True, but it needs batches of equal"),
        (
            {"lr_scheduler_kwargs": {"min_lr": 1e-5}},
            "lr_scheduler_kwargs has 'min_lr', but 'linear' takes no arguments",
        ),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_ned": 0}},
            "lr_scheduler_kwargs has 'lr_ned', but 'polynomial' takes lr_end, power; did you mean 'lr_end'?",
        ),
        (
            {"lr_scheduler_type": "cosine_with_min_lr"},
            "which is refused: .*; 'cosine_with_min_lr' takes num_cycles, min_lr",
        ),
        (
            {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-2}},
            "lr_scheduler_kwargs.min_lr is 0.01; it must be below the highest learning rate, 0.001",
        ),
        ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 1}}, "which is refused: .*lr_end"),
    ],
)
def test_what_would_fail_late_is_refused(make: Make, words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**words)


def test_without_training_rows_there_is_an_error(make: Make) -> None:
    with pytest.raises(ValueError, match="the training data set has no rows; give it at least one row with a label"):
        make(train=rows(10).select([]))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cosine_with_min_lr", {"min_lr": 1e-4}),
        ("polynomial", {"lr_end": 1e-4}),
        ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ],
)
def test_a_minimum_rate_is_a_share_of_each_rate(make: Make, kind: str, words: dict[str, float]) -> None:
    rates = {"heads": 1e-3, "backbone": 5e-5}
    trainer = make(lr_scheduler_type=kind, lr_scheduler_kwargs=words, warmup_steps=0, learning_rates=rates)

    trainer.create_optimizer_and_scheduler(10)
    for _ in range(10):
        trainer.optimizer.step()
        trainer.lr_scheduler.step()

    last = {group["name"]: group["lr"] for group in trainer.optimizer.param_groups}
    assert last["heads"] == pytest.approx(1e-4)
    assert last["layers.0"] == pytest.approx(5e-6)
    assert last["cut_points"] == pytest.approx(1e-3)


@pytest.mark.parametrize("word", ["bf16_full_eval", "fp16_full_eval"])
def test_an_evaluation_in_half_precision_leaves_the_weights_as_they_are(make: Make, word: str) -> None:
    trainer = make(**{word: True})
    before = {name: each.clone() for name, each in trainer.model.state_dict().items()}
    exact = make().predict(rows(5)).predictions["topic"]

    rough = trainer.predict(rows(5)).predictions["topic"]
    trainer.evaluate()

    assert all(torch.equal(each, before[name]) for name, each in trainer.model.state_dict().items())
    assert getattr(trainer.args, word)
    assert 0 < abs(rough - exact).max() < 0.05


def test_only_training_rows_are_dropped(make: Make) -> None:
    trainer = make(dataloader_drop_last=True)

    assert len(trainer.get_train_dataloader()) == 2
    assert trainer.args.dataloader_drop_last
    assert trainer.evaluate()["eval_topic_rows"] == 5
    assert len(trainer.predict(rows(7)).predictions["topic"]) == 7


def test_the_best_of_several_evaluations_is_that_of_the_first_table(make: Make) -> None:
    trainer = make(evaluated={"easy": rows(5), "hard": rows(6)}, **BEST)

    trainer.train()

    assert trainer.args.metric_for_best_model == "easy_score"
    assert trainer.state.best_metric is not None
    names = {name for logs in trainer.state.log_history for name in logs}
    assert {"eval_easy_topic_accuracy", "eval_hard_topic_accuracy"} <= names
    with pytest.raises(ValueError, match="it must be one of easy_loss, easy_score"):
        make(evaluated={"easy": rows(5)}, metric_for_best_model="score", **BEST)


def test_with_metrics_of_ones_own_the_lowest_loss_is_the_best(make: Make) -> None:
    trainer = make(compute_metrics=lambda output: {"count": len(output.label_ids["topic"])}, **BEST)

    trainer.train()

    assert (trainer.args.metric_for_best_model, trainer.args.greater_is_better) == ("loss", False)
    losses = [logs["eval_loss"] for logs in trainer.state.log_history if "eval_loss" in logs]
    assert trainer.state.best_metric == min(losses)
