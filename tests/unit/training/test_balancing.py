"""The loss balancing methods: learned variances, dynamic weights, and the plain sum."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.training.balancing import DynamicWeightAverage, LossBalancing, UncertaintyWeighting
from tests.conftest import WORDS, tiny_bert_config
from tests.properties import whole_gradient

TASKS = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]},
    {"name": "rating", "problem_type": "regression"},
]


class Gradients(TrainerCallback):
    """Record the gradients of every optimizer step: those of the model and of the learned weights."""

    def __init__(self, trainer: MultiTaskTrainer) -> None:
        self.trainer = trainer
        self.of_model: list[Tensor] = []
        self.of_heads: list[Tensor] = []
        self.of_balancing: list[Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """They are all there now, and none is cleared yet."""
        self.of_model.append(whole_gradient(self.trainer.model))
        self.of_heads.append(whole_gradient(self.trainer.model.heads))
        self.of_balancing += [parameter.grad.clone() for parameter in self.trainer.balancing.parameters()]


def rows(count: int = 16, *, without: tuple[str, ...] = ()) -> Dataset:
    """Sentences of three words, with labels unevenly missing."""
    columns: dict[str, list[Any]] = {
        "text": [" ".join(WORDS[(i * k) % len(WORDS)] for k in (1, 3, 5)) for i in range(count)],
        "topic": [i % 3 if i % 3 != 1 else None for i in range(count)],
        "rating": [i / 8 if i % 4 < 2 or i < 4 else None for i in range(count)],
    }
    return Dataset.from_dict({name: values for name, values in columns.items() if name not in without})


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    def trainer(**settings: Any) -> MultiTaskTrainer:
        return tiny_trainer(tmp_path, tokenizer, TASKS, settings.pop("train", None) or rows(), **settings)

    return trainer


def tiny_trainer(
    folder: Path, tokenizer: PreTrainedTokenizerBase, tasks: list[dict], train: Dataset, **settings: Any
) -> MultiTaskTrainer:
    """A trainer of a tiny BERT that takes 16 rows a step, in their order, without clipping."""
    defaults = {"per_device_train_batch_size": 16, "max_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no"}
    quiet = {"report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False, "use_cpu": True}
    torch.manual_seed(0)
    dropout = settings.pop("dropout", 0.0)
    backbone = tiny_bert_config(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    config = MultiTaskConfig(
        backbone_config=backbone, tasks=tasks, head={"hidden_sizes": [16], "dropout": dropout}, max_length=16
    )
    settings = {"train_sampling_strategy": "sequential", **defaults, **quiet, **settings}
    return MultiTaskTrainer(
        model=MultiTaskModel(config),
        args=MultiTaskTrainingArguments(str(folder), **settings),
        train_dataset=train,
        processing_class=tokenizer,
    )


def train(trainer: MultiTaskTrainer, **settings: Any) -> Gradients:
    """Trains, and gives the gradients that every step was taken with."""
    gradients = Gradients(trainer)
    trainer.add_callback(gradients)
    trainer.train(**settings)
    return gradients


def whole_state(trainer: MultiTaskTrainer) -> Tensor:
    """Every weight of the model, and what the balancing has learned."""
    parameters = [*trainer.model.parameters(), *trainer.balancing.parameters()]
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


def numbers(**values: float) -> dict[str, Tensor]:
    """Each as a tensor, ()."""
    return {name: torch.tensor(value) for name, value in values.items()}


def of_tasks(kind: type[LossBalancing]) -> Any:
    """A balancing of this kind, of a topic and a rating, on one process."""
    return kind([TaskConfig(**task) for task in TASKS], Accelerator(cpu=True))


@pytest.fixture
def uncertainty() -> UncertaintyWeighting:
    """With the variances 2 of the topic and 4 of the rating."""
    weighting = of_tasks(UncertaintyWeighting)
    weighting.log_variances.data = torch.tensor([2.0, 4.0]).log()
    return weighting


def test_a_sum_is_the_sum_of_the_losses_times_their_weights() -> None:
    loss = of_tasks(LossBalancing).combine(
        numbers(topic=2.0, rating=3.0), {"topic": 1.0, "rating": 0.5}, numbers(topic=1.0, rating=1.0)
    )

    assert loss == 2.0 + 0.5 * 3.0


def test_uncertainty_divides_a_loss_of_classes_by_the_variance_and_one_of_numbers_by_twice_it(
    uncertainty: UncertaintyWeighting,
) -> None:
    loss = uncertainty.combine(
        numbers(topic=6.0, rating=8.0), {"topic": 1.0, "rating": 1.0}, numbers(topic=1.0, rating=1.0)
    )

    by_hand = (6.0 / 2 + math.log(2) / 2) + (8.0 / (2 * 4) + math.log(4) / 2)
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_a_tasks_weight_multiplies_its_loss_and_the_logarithm_of_its_variance(
    uncertainty: UncertaintyWeighting,
) -> None:
    loss = uncertainty.combine(
        numbers(topic=6.0, rating=8.0), {"topic": 3.0, "rating": 0.0}, numbers(topic=1.0, rating=1.0)
    )

    assert loss.item() == pytest.approx(3 * (6.0 / 2 + math.log(2) / 2), rel=1e-6)


def test_a_variance_is_left_alone_by_a_step_without_labels_of_its_task(uncertainty: UncertaintyWeighting) -> None:
    loss = uncertainty.combine(
        numbers(topic=6.0, rating=0.0), {"topic": 1.0, "rating": 1.0}, numbers(topic=1.0, rating=0.0)
    )
    loss.backward()

    assert uncertainty.log_variances.grad.tolist() == pytest.approx([0.5 - 6.0 / 2, 0.0])


def test_a_column_that_is_not_there_leaves_its_tasks_variance_alone(build: Any) -> None:
    gradients = train(build(balancing="uncertainty", train=rows(without=("rating",))))

    assert gradients.of_balancing[0][1] == 0.0


def test_variances_are_in_the_optimizer_without_weight_decay(build: Any) -> None:
    # P10: decay would draw every variance to 1.
    trainer = build(balancing="uncertainty", weight_decay=0.1)

    groups = trainer.create_optimizer().param_groups

    holding = [group for group in groups if any(each is trainer.balancing.log_variances for each in group["params"])]
    assert [group["weight_decay"] for group in holding] == [0.0]


def test_variances_move(build: Any) -> None:
    # P10
    trainer = build(balancing="uncertainty")

    trainer.train()

    assert torch.count_nonzero(trainer.balancing.log_variances) == 2


def test_variances_move_where_the_heads_are_frozen_and_have_no_rate(build: Any) -> None:
    # P10: the first group of the optimizer is the heads', and its rate is 0 here.
    trainer = build(balancing="uncertainty", freeze=["heads"], learning_rates={"backbone": 1e-3})

    trainer.train()

    assert torch.count_nonzero(trainer.balancing.log_variances) == 2


def test_a_steps_gradient_of_the_variances_holds_nothing_of_the_step_before(build: Any) -> None:
    # The Trainer clears the gradients of the model alone. Nothing moves at this rate, so that both steps are the same.
    gradients = train(build(balancing="uncertainty", max_steps=2, learning_rate=1e-20)).of_balancing

    assert torch.equal(gradients[0], gradients[1])


def test_variances_are_saved_and_reloaded_equal(build: Any, tmp_path: Path) -> None:
    # P10
    trainer = build(balancing="uncertainty", max_steps=2, save_strategy="steps", save_steps=2)
    trainer.train()
    learned = trainer.balancing.log_variances.tolist()

    resumed = build(balancing="uncertainty", max_steps=2)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))

    saved = json.loads((tmp_path / "checkpoint-2" / "trainer_state.json").read_text())["stateful_callbacks"]
    assert saved["UncertaintyWeighting"]["attributes"] == {"log_variances": learned}
    assert resumed.balancing.log_variances.tolist() == learned


def test_the_gradient_of_the_variances_does_not_depend_on_how_a_step_is_cut(build: Any) -> None:
    # Four times the addend would be a gradient too large by 1.5. Float32 sums in another order: 1e-6.
    whole = train(build(balancing="uncertainty")).of_balancing[0]

    cut = train(
        build(balancing="uncertainty", per_device_train_batch_size=4, gradient_accumulation_steps=4)
    ).of_balancing[0]

    assert cut.tolist() == pytest.approx(whole.tolist(), rel=1e-6)


def pass_epoch(dwa: DynamicWeightAverage, *steps: dict[str, float]) -> None:
    """An epoch of these steps, each with the losses of the tasks that have labels in it."""
    control, state = TrainerControl(), TrainerState()
    for step in steps:
        losses = {task.name: torch.tensor(step.get(task.name, 0.0)) for task in dwa.tasks}
        parts = {task.name: torch.tensor(float(task.name in step)) for task in dwa.tasks}
        dwa.combine(losses, dict.fromkeys(losses, 1.0), parts)
        dwa.on_pre_optimizer_step(None, state, control)
    dwa.on_epoch_end(None, state, control)


@pytest.fixture
def dwa() -> DynamicWeightAverage:
    """Of a topic and a rating, before the first step."""
    return of_tasks(DynamicWeightAverage)


@pytest.mark.parametrize("epochs", [0, 1])
def test_dynamic_weights_are_1_in_the_first_two_epochs(dwa: DynamicWeightAverage, epochs: int) -> None:
    for _ in range(epochs):
        pass_epoch(dwa, {"topic": 4.0, "rating": 2.0})

    assert dwa.task_weights == {"topic": 1.0, "rating": 1.0}


def test_dynamic_weights_are_the_softmax_of_half_the_ratios_of_the_last_two_epochs(dwa: DynamicWeightAverage) -> None:
    pass_epoch(dwa, {"topic": 8.0, "rating": 1.0})
    pass_epoch(dwa, {"topic": 4.0, "rating": 2.0})
    pass_epoch(dwa, {"topic": 2.0, "rating": 2.0})

    # Ratios 2 / 4 and 2 / 2: 2 e^0.25 / (e^0.25 + e^0.5) = 0.8756, and what is left of 2.
    assert dwa.task_weights == pytest.approx({"topic": 0.8756, "rating": 1.1244}, abs=1e-4)


def test_the_mean_of_an_epoch_is_over_the_steps_that_have_labels_of_the_task(dwa: DynamicWeightAverage) -> None:
    pass_epoch(dwa, {"topic": 4.0, "rating": 2.0}, {"topic": 2.0})

    assert dwa.means == [{"topic": 3.0, "rating": 2.0}]


def test_micro_batches_of_one_step_make_one_loss(dwa: DynamicWeightAverage) -> None:
    dwa.combine(numbers(topic=1.0, rating=2.0), {"topic": 1.0, "rating": 1.0}, numbers(topic=0.25, rating=1.0))
    dwa.combine(numbers(topic=3.0, rating=0.0), {"topic": 1.0, "rating": 1.0}, numbers(topic=0.75, rating=0.0))
    dwa.on_pre_optimizer_step(None, TrainerState(), TrainerControl())
    dwa.on_epoch_end(None, TrainerState(), TrainerControl())

    assert dwa.means == [{"topic": 4.0, "rating": 2.0}]


def test_a_task_without_labels_in_an_epoch_keeps_its_last_mean(dwa: DynamicWeightAverage) -> None:
    pass_epoch(dwa, {"topic": 8.0, "rating": 3.0})
    pass_epoch(dwa, {"topic": 4.0})

    assert dwa.means[-1] == {"topic": 4.0, "rating": 3.0}


def test_a_task_that_comes_late_counts_as_unchanged_in_its_first_epoch(dwa: DynamicWeightAverage) -> None:
    pass_epoch(dwa, {"topic": 8.0})
    pass_epoch(dwa, {"topic": 8.0, "rating": 3.0})

    assert dwa.task_weights == {"topic": 1.0, "rating": 1.0}


def test_dynamic_weights_multiply_the_tasks_own(dwa: DynamicWeightAverage) -> None:
    dwa.means = [{"topic": 4.0, "rating": 2.0}, {"topic": 2.0, "rating": 2.0}]

    loss = dwa.combine(numbers(topic=10.0, rating=100.0), {"topic": 1.0, "rating": 0.5}, numbers(topic=1.0, rating=1.0))

    assert loss.item() == pytest.approx(0.8756 * 10.0 + 1.1244 * 0.5 * 100.0, rel=1e-4)


def test_dynamic_weights_of_a_run_follow_its_logged_losses(build: Any) -> None:
    # One step is one epoch.
    trainer = build(balancing="dwa", max_steps=3, logging_steps=1, learning_rate=1e-2)

    trainer.train()

    logged = [{name: line[f"{name}_loss"] for name in ("topic", "rating")} for line in trainer.state.log_history[1:3]]
    assert [pytest.approx(means, rel=1e-6) for means in trainer.balancing.means] == logged


@pytest.mark.parametrize("balancing", ["uncertainty", "dwa"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(build: Any, tmp_path: Path, balancing: str) -> None:
    # P19: the checkpoint is in the middle of the third epoch, the first in which dynamic weights are not 1.
    settings = {"balancing": balancing, "per_device_train_batch_size": 8, "max_steps": 8}
    whole = build(**settings, save_strategy="steps", save_steps=5)
    whole.train()

    resumed = build(**settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))

    assert torch.equal(whole_state(resumed), whole_state(whole))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"balancing": "pcgard"}, r"balancing is 'pcgard'; it must be one of sum, .*; did you mean 'pcgrad'\?"),
        ({"conflict": "plot"}, "conflict is 'plot'; it must be log, or left out"),
        ({"conflict": "log", "conflict_steps": 0}, "conflict_steps is 0; it must be at least 1"),
    ],
)
def test_words_for_balancing_that_cannot_be_are_refused(build: Any, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**settings)
