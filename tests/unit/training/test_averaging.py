"""A run evaluates, chooses, saves and ends with the average of its weights, and trains on with the weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertTokenizer, TrainerCallback

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.averages import moving_decay
from modeling_multitask.training.averaging import Averaging
from modeling_multitask.training.averaging_mixin import FILE
from modeling_multitask.training.checks import check_processes
from modeling_multitask.training.lora import add_lora
from tests.conftest import rows_with_gaps, tasks_of_each_type, tiny_bert_config

pytestmark = pytest.mark.compat

TASKS = tasks_of_each_type()[:2]  # topic and sentiment
STEPS = 4  # of an epoch
EMA, LAST = {"ema": 0.9}, {"last": 2}
EACH_EPOCH = {"eval_strategy": "epoch", "save_strategy": "epoch"}
PHASES = [{"train": ["heads", "layers.1"], "until": "epoch 2"}, {"train": ["heads"]}]
each_average = pytest.mark.parametrize("average", [EMA, LAST], ids=["ema", "last"])


class _Weights(TrainerCallback):
    """The weights of the model before the first step, after every step, and at the end."""

    def __init__(self) -> None:
        self.first: dict[str, Tensor] = {}
        self.steps: list[dict[str, Tensor]] = []
        self.end: dict[str, Tensor] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self.first = self.first or weights_of(model)

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self.steps.append(weights_of(model))

    def on_train_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self.end = weights_of(model)


def weights_of(model: Any) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.named_parameters()}


@pytest.fixture
def build(tmp_path: Path, backbone: Path) -> Callable[..., MultiTaskTrainer]:
    """A trainer of a run; what its `weights` remembers are those of the steps."""
    tokenizer = BertTokenizer.from_pretrained(backbone)

    def trainer(
        *, output: str = "run", lora: dict[str, Any] | None = None, dtype: torch.dtype = torch.float32, **settings: Any
    ) -> MultiTaskTrainer:
        defaults = {
            "num_train_epochs": 3,
            "per_device_train_batch_size": 4,
            "learning_rate": 5e-3,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            "prefix_cache": False,
        }
        torch.manual_seed(0)
        config = MultiTaskConfig(
            backbone_config=tiny_bert_config(),
            tasks=TASKS,
            head={"hidden_sizes": [8, 8], "dropout": 0.2},
            max_length=16,
        )
        model: Any = MultiTaskModel(config).to(dtype)
        weights = _Weights()
        built = MultiTaskTrainer(
            model if lora is None else add_lora(model, lora),
            MultiTaskTrainingArguments(str(tmp_path / output), **{**defaults, **settings}),
            train_dataset=rows_with_gaps(16),
            eval_dataset=rows_with_gaps(12),
            processing_class=tokenizer,
            callbacks=[weights],
        )
        built.weights = weights  # type: ignore[attr-defined]
        return built

    return trainer


def moving(first: dict[str, Tensor], steps: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    """The moving average of these steps, in double precision."""
    means = {name: each.double() for name, each in first.items()}
    for count, weights in enumerate(steps):
        share = moving_decay(decay, count)
        means = {name: share * each + (1 - share) * weights[name].double() for name, each in means.items()}
    return means


def mean(*weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.stack([each[name].double() for each in weights]).mean(0) for name in weights[0]}


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


def saved(trainer: MultiTaskTrainer, step: int) -> dict[str, Tensor]:
    return load_file(Path(trainer.args.output_dir) / f"checkpoint-{step}" / "model.safetensors")


def evaluated(trainer: MultiTaskTrainer, step: int) -> dict[str, float]:
    """The line of the log of the evaluation at a step."""
    (line,) = [each for each in trainer.state.log_history if each["step"] == step and "eval_score" in each]
    return {name: each for name, each in line.items() if name.endswith(("_loss", "_accuracy", "_score"))}


def test_a_run_ends_with_the_moving_average_of_its_steps(build: Callable) -> None:
    trainer = build(average=EMA)

    trainer.train()

    expected = moving(trainer.weights.first, trainer.weights.steps, 0.9)
    assert len(trainer.weights.steps) == 3 * STEPS
    assert distance(weights_of(trainer.model), expected) <= 1e-6  # rounding of float32


def test_a_run_ends_with_the_mean_of_its_last_evaluations(build: Callable) -> None:
    trainer = build(average=LAST, eval_strategy="epoch")

    trainer.train()

    expected = mean(trainer.weights.steps[2 * STEPS - 1], trainer.weights.steps[3 * STEPS - 1])
    assert distance(weights_of(trainer.model), expected) <= 1e-6


def test_without_evaluations_a_run_ends_with_the_mean_of_its_last_checkpoints(build: Callable) -> None:
    # Older checkpoints are removed: the mean does not need them.
    trainer = build(average={"last": 3}, save_strategy="epoch", save_total_limit=1)

    trainer.train()

    expected = mean(*(trainer.weights.steps[epoch * STEPS - 1] for epoch in (1, 2, 3)))
    assert [path.name for path in Path(trainer.args.output_dir).glob("checkpoint-*")] == [f"checkpoint-{3 * STEPS}"]
    assert distance(weights_of(trainer.model), expected) <= 1e-6


def test_the_weights_of_the_last_step_count_if_they_were_not_evaluated(build: Callable) -> None:
    trainer = build(average=LAST, eval_strategy="steps", eval_steps=3, max_steps=5)

    trainer.train()

    assert distance(weights_of(trainer.model), mean(trainer.weights.steps[2], trainer.weights.steps[4])) <= 1e-6


def test_micro_batches_are_one_step_of_the_average(build: Callable) -> None:
    trainer = build(average=EMA, gradient_accumulation_steps=2)

    trainer.train()

    assert len(trainer.weights.steps) == 3 * STEPS // 2
    expected = moving(trainer.weights.first, trainer.weights.steps, 0.9)
    assert distance(weights_of(trainer.model), expected) <= 1e-6


@each_average
def test_callbacks_see_the_average_when_training_ends(build: Callable, average: dict[str, Any]) -> None:
    # They may save or upload the model.
    trainer = build(average=average, eval_strategy="epoch")

    trainer.train()

    assert distance(trainer.weights.end, weights_of(trainer.model)) == 0


@each_average
def test_averaging_does_not_change_training(build: Callable, average: dict[str, Any]) -> None:
    plain = build(output="plain", **EACH_EPOCH)
    plain.train()

    averaged = build(average=average, **EACH_EPOCH)
    averaged.train()

    pairs = zip(plain.weights.steps, averaged.weights.steps, strict=True)
    assert [distance(one, other) for one, other in pairs] == [0.0] * 3 * STEPS


@each_average
def test_a_metric_is_that_of_the_weights_in_its_checkpoint(build: Callable, average: dict[str, Any]) -> None:
    # P171
    trainer = build(average=average, **EACH_EPOCH)
    trainer.train()
    logged = evaluated(trainer, 2 * STEPS)

    trainer.model.load_state_dict(saved(trainer, 2 * STEPS))

    again = trainer.evaluate()
    assert logged.keys() <= again.keys()
    assert logged == {name: again[name] for name in logged}


@each_average
def test_the_best_checkpoint_is_that_of_the_best_average(build: Callable, average: dict[str, Any]) -> None:
    # The best is the one with the greatest loss here, which is the first.
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    trainer = build(average=average, **EACH_EPOCH, **best)

    trainer.train()

    assert trainer.state.best_global_step == STEPS
    assert distance(weights_of(trainer.model), saved(trainer, STEPS)) == 0
    assert trainer.evaluate()["eval_loss"] == trainer.state.best_metric


@each_average
def test_save_model_during_training_writes_the_average(build: Callable, tmp_path: Path, average: dict) -> None:
    class Save(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            trainer.save_model(str(tmp_path / f"at-{state.global_step}"))

    trainer = build(average=average, **EACH_EPOCH)
    trainer.add_callback(Save())

    trainer.train()

    written = load_file(tmp_path / f"at-{2 * STEPS}" / "model.safetensors")
    assert distance(written, saved(trainer, 2 * STEPS)) == 0


def test_a_checkpoint_has_the_weights_of_its_step_too(build: Callable) -> None:
    trainer = build(average=EMA, **EACH_EPOCH)

    trainer.train()

    there = load_file(Path(trainer.args.output_dir) / f"checkpoint-{STEPS}" / FILE)
    weights = {name: there[f"weights.{name}"] for name in trainer.weights.steps[0]}
    assert distance(weights, trainer.weights.steps[STEPS - 1]) == 0


@each_average
def test_a_phase_begins_with_the_average_of_the_one_before(build: Callable, average: dict[str, Any]) -> None:
    # P173: what is frozen would otherwise have other weights when it is evaluated than when its output is cached.
    trainer = build(average=average, phases=PHASES, **EACH_EPOCH)
    trainer.train()

    frozen = "backbone.encoder.layer.1.output.dense.weight"

    ended, later = saved(trainer, 2 * STEPS), trainer.weights.steps[2 * STEPS]
    assert torch.equal(later[frozen], ended[frozen])
    assert torch.equal(saved(trainer, 3 * STEPS)[frozen], ended[frozen])
    assert not torch.equal(trainer.weights.steps[2 * STEPS - 1][frozen], ended[frozen])


def test_a_phase_has_an_average_of_its_own(build: Callable) -> None:
    trainer = build(average={"last": 3}, phases=PHASES, num_train_epochs=4, **EACH_EPOCH)

    trainer.train()

    expected = mean(trainer.weights.steps[3 * STEPS - 1], trainer.weights.steps[4 * STEPS - 1])
    assert distance(weights_of(trainer.model), expected) <= 1e-6


@each_average
def test_the_cached_output_of_frozen_layers_fits_the_average(build: Callable, tmp_path: Path, average: dict) -> None:
    # P173
    settings = {"average": average, "phases": PHASES, "num_train_epochs": 4, **EACH_EPOCH}
    plain = build(output="plain", **settings)
    plain.train()

    cached = build(output="cached", prefix_cache={"folder": str(tmp_path / "cache")}, **settings)
    cached.train()

    assert len(list((tmp_path / "cache").iterdir())) == 2  # of each phase
    assert evaluated(cached, 4 * STEPS) == pytest.approx(evaluated(plain, 4 * STEPS), abs=1e-5)


@each_average
def test_adapters_and_heads_are_averaged(build: Callable, average: dict[str, Any]) -> None:
    trainer = build(average=average, lora={"r": 2}, **EACH_EPOCH, save_total_limit=1, load_best_model_at_end=False)
    trainer.train()

    steps = [{name: each for name, each in step.items() if "default" in name} for step in trainer.weights.steps]
    first = {name: trainer.weights.first[name] for name in steps[0]}
    expected = moving(first, steps, 0.9) if "ema" in average else mean(steps[2 * STEPS - 1], steps[3 * STEPS - 1])

    ends = weights_of(trainer.model)
    assert len(steps[0]) == len([name for name, each in trainer.model.named_parameters() if each.requires_grad])
    assert distance({name: ends[name] for name in expected}, expected) <= 1e-6


def test_the_checkpoint_of_an_adapter_has_its_average(build: Callable) -> None:
    trainer = build(average=EMA, lora={"r": 2}, **EACH_EPOCH)

    trainer.train()

    written = load_file(f"{trainer.args.output_dir}/checkpoint-{3 * STEPS}/adapter_model.safetensors")
    assert distance(written, get_peft_model_state_dict(trainer.model)) == 0


@each_average
def test_a_model_in_bf16_is_averaged_in_float32(build: Callable, average: dict[str, Any]) -> None:
    # P170
    trainer = build(average=average, dtype=torch.bfloat16, eval_strategy="epoch")

    trainer.train()

    steps = trainer.weights.steps
    expected = (
        moving(trainer.weights.first, steps, 0.9)
        if "ema" in average
        else mean(steps[2 * STEPS - 1], steps[3 * STEPS - 1])
    )
    ends = weights_of(trainer.model)
    assert all(each.dtype == torch.bfloat16 for each in ends.values())
    assert (
        distance(ends, {name: each.bfloat16() for name, each in expected.items()}) <= 2**-8
    )  # one unit of numbers < 2


def test_early_stopping_counts_the_evaluations_of_the_average(build: Callable) -> None:
    hopeless = Dataset.from_dict({"text": ["the film"] * 3, "topic": [0, 1, 2]})
    trainer = build(average=LAST, early_stopping_patience=1, metric_for_best_model="topic_accuracy", **EACH_EPOCH)
    trainer.eval_dataset = hopeless

    trainer.train()

    assert trainer.state.global_step == 2 * STEPS
    assert distance(weights_of(trainer.model), mean(*trainer.weights.steps[STEPS - 1 :: STEPS])) <= 1e-6


def test_a_second_run_begins_a_new_average(build: Callable) -> None:
    trainer = build(average=EMA, num_train_epochs=1)
    trainer.train()
    trainer.weights.first, trainer.weights.steps = {}, []

    trainer.train()

    expected = moving(trainer.weights.first, trainer.weights.steps, 0.9)
    assert distance(weights_of(trainer.model), expected) <= 1e-6


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (EMA, None, r"it was written with average \{'ema': 0.9\}, but this run has no average; use the average of"),
        (None, EMA, r"it was written with no average, but this run has average \{'ema': 0.9\}; use the average of"),
        (LAST, EMA, r"it was written with average \{'last': 2\}, but this run has average \{'ema': 0.9\}"),
    ],
)
def test_a_checkpoint_with_another_average_is_refused(build: Callable, before: Any, now: Any, message: str) -> None:
    # P171: the average would silently go on as the weights of the step.
    build(average=before, max_steps=2, save_strategy="steps", save_steps=2).train()
    trainer = build(output="again", average=now)

    with pytest.raises(ValueError, match=r"checkpoint-2 cannot be resumed: " + message):
        trainer.train(resume_from_checkpoint=f"{Path(trainer.args.output_dir).parent}/run/checkpoint-2")


def test_a_checkpoint_with_only_the_model_is_refused(build: Callable) -> None:
    build(average=EMA, max_steps=2, save_strategy="steps", save_steps=2, save_only_model=True).train()
    trainer = build(average=EMA)

    with pytest.raises(ValueError, match=r"it has only the model, .* \(was save_only_model set\?\); start the run"):
        trainer.train(resume_from_checkpoint=f"{trainer.args.output_dir}/checkpoint-2")


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"num_train_epochs": 1, **EACH_EPOCH}, True),
        ({"num_train_epochs": 2, "eval_strategy": "epoch"}, False),
        ({"max_steps": 4, "eval_strategy": "steps", "eval_steps": 4}, True),
        ({"max_steps": 5, "eval_strategy": "steps", "eval_steps": 4}, False),
        ({"num_train_epochs": 1, "eval_strategy": "epoch", "save_strategy": "steps", "save_steps": 2}, False),
        ({"num_train_epochs": 1, "eval_strategy": "epoch", "save_strategy": "best"}, True),
    ],
)
def test_a_run_with_one_evaluation_says_that_nothing_is_averaged(
    build: Callable, settings: dict[str, Any], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = build(average={"last": 5}, **settings)

    trainer.train()

    assert ("average.last is 5, but this run has only one evaluation or checkpoint" in caplog.text) == warned
    assert (distance(weights_of(trainer.model), trainer.weights.steps[-1]) == 0) == warned


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"average": EMA, "freeze": "everything"}, "average is set, but nothing trains with freeze 'everything'"),
        ({"average": EMA, "optim": "schedule_free_adamw"}, "optim 'schedule_free_adamw' averages the weights itself"),
        ({"average": LAST, "save_strategy": "no"}, "average.last is 2, but there are no evaluations and checkpoints"),
        ({"average": {"first": 2}}, "average.first: no such word; words here: last, ema"),
        ({"average": {}}, "average.last or ema is required"),
        ({"average": 5}, "average is 5; it must be a dict of these: last, ema"),
    ],
)
def test_an_average_that_has_no_effect_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTaskTrainingArguments(str(tmp_path), **settings)


def test_an_average_of_a_sharded_model_is_refused(tmp_path: Path, model: MultiTaskModel) -> None:
    args = MultiTaskTrainingArguments(str(tmp_path), average=EMA)

    with pytest.raises(ValueError, match="average does not work with FSDP or DeepSpeed, which shard the weights"):
        check_processes(args, model, sharded=True)


def test_the_arguments_of_a_run_are_plain_json(tmp_path: Path) -> None:
    args = MultiTaskTrainingArguments(str(tmp_path), average=Averaging(ema=0.9))

    assert json.loads(args.to_json_string())["average"] == {"last": None, "ema": 0.9}
    assert args.averaging() == Averaging(ema=0.9)
