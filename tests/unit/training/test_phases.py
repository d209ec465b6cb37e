"""Phases of a training run: their settings, trained parts and learning rates, and when they end."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase, TrainerCallback

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.phases import Condition, Phase, Reached, Stalled, parse_phase, phase_problems
from modeling_multitask.training.rates import LearningRates
from tests.conftest import tasks_of_each_type, tiny_bert_config

TASKS = tasks_of_each_type()[:2]  # topic and sentiment
EVERYTHING = {"embeddings", "layers.0", "layers.1", "heads.topic", "heads.sentiment"}
METRICS = ["loss", "score", "topic_accuracy", "topic_loss"]


def clear_rows() -> Dataset:
    """One word says the topic, another the sentiment."""
    words = [("film", "bad", 0, 0), ("food", "good", 1, 1), ("phone", "bad", 2, 0), ("film", "good", 0, 1)]
    rows = [{"text": f"the {a} was {b}", "topic": topic, "sentiment": tone} for a, b, topic, tone in words]
    return Dataset.from_list(rows * 2)


def hopeless_rows() -> Dataset:
    """One text with every topic: whatever is learned, one in three is right."""
    return Dataset.from_dict({"text": ["the film"] * 3, "topic": [0, 1, 2]})


class _Snapshots(TrainerCallback):
    """The weights when training begins and after every epoch, and each step's rates and gradient norms."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.rates: list[dict[str, float]] = []
        self.gradients: list[dict[str, Tensor]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self.weights.append(weights_of(model))

    def on_epoch_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self.weights.append(weights_of(model))

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, *, model: Any, optimizer: Any, **kwargs: Any
    ) -> None:
        self.rates.append({group["name"]: group["lr"] for group in optimizer.param_groups})
        named = model.named_parameters()
        self.gradients.append({name: each.grad.clone() for name, each in named if each.grad is not None})

    def moved(self) -> list[set[str]]:
        """Of every epoch, the parts of which a weight is not bit-equal to what it was."""
        pairs = zip(self.weights, self.weights[1:], strict=False)
        return [{part_of(name) for name in old if not torch.equal(old[name], new[name])} for old, new in pairs]


def weights_of(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def part_of(name: str) -> str:
    """`embeddings`, `layers.1`, `heads.topic`."""
    if name.startswith("heads."):
        return ".".join(name.split(".")[:2])
    return f"layers.{name.split('.')[3]}" if ".layer." in name else "embeddings"


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Callable[..., tuple[MultiTaskTrainer, _Snapshots]]:
    """A trainer of one step an epoch at a constant rate, and what watches it."""

    def trainer(
        *phases: dict[str, Any],
        train: Dataset | None = None,
        evaluation: Dataset | None = None,
        dropout: float = 0.0,
        **settings: Any,
    ) -> tuple[MultiTaskTrainer, _Snapshots]:
        defaults = {
            "num_train_epochs": 3,
            "per_device_train_batch_size": 8,
            "learning_rate": None if "learning_rates" in settings else 1e-2,
            "lr_scheduler_type": "constant",
            "max_grad_norm": 0.0,  # clipping would look at the heads' gradients too
            "eval_strategy": "epoch",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        }
        torch.manual_seed(0)
        backbone = tiny_bert_config(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
        head = {"hidden_sizes": [8], "dropout": dropout}
        watching = _Snapshots()
        built = MultiTaskTrainer(
            MultiTaskModel(MultiTaskConfig(backbone_config=backbone, tasks=TASKS, head=head, max_length=16)),
            MultiTaskTrainingArguments(str(tmp_path), phases=list(phases) or None, **{**defaults, **settings}),
            train_dataset=clear_rows() if train is None else train,
            eval_dataset=clear_rows() if evaluation is None else evaluation,
            processing_class=tokenizer,
            callbacks=[watching],
        )
        return built, watching

    return trainer


def phases_entered(trainer: MultiTaskTrainer) -> list[int]:
    """The numbers, from 1, of the phases after the first, as the log has them."""
    return [line["phase"] for line in trainer.state.log_history if "phase" in line]


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("epoch 2", Reached("epoch", 2)),
        ("step 500", Reached("step", 500)),
        ("no improvement of topic_macro_f1 for 2 evaluations", Stalled("topic_macro_f1", 2)),
        ("no improvement of score for 1 evaluation", Stalled("score", 1)),
        (None, None),
    ],
)
def test_until_is_read(until: str | None, end: Reached | Stalled | None) -> None:
    assert Phase(until=until).end == end


@pytest.mark.parametrize(
    ("only_if", "condition"),
    [
        ("topic_accuracy < 0.9", Condition("topic_accuracy", "<", 0.9)),
        ("score>=.5", Condition("score", ">=", 0.5)),
        ("topic_loss <= 1e-3", Condition("topic_loss", "<=", 0.001)),
        ("rating_spearman > -1", Condition("rating_spearman", ">", -1.0)),
        (None, None),
    ],
)
def test_only_if_is_read(only_if: str | None, condition: Condition | None) -> None:
    assert Phase(only_if=only_if).condition == condition


@pytest.mark.parametrize(
    ("comparison", "holds"), [("<", False), ("<=", True), (">", False), (">=", True)], ids=["lt", "le", "gt", "ge"]
)
def test_a_condition_compares_with_the_metric_as_it_is_logged(comparison: str, holds: bool) -> None:
    assert Condition("score", comparison, 0.5).holds({"eval_score": 0.5}) is holds


def test_a_metric_that_is_not_there_fulfils_no_condition() -> None:
    assert not Condition("topic_accuracy", "<", 0.9).holds({"eval_score": 0.5})


def test_a_phase_is_read_from_a_dict() -> None:
    given = {"train": ["heads"], "until": "epoch 1", "learning_rates": {"heads": 1e-3}, "weights": {"topic": 0.5}}

    phase = parse_phase(given)

    rates = LearningRates(heads=1e-3)
    assert phase == Phase(("heads",), until="epoch 1", learning_rates=rates, weights={"topic": 0.5})


def test_what_is_null_in_a_dict_is_left_out() -> None:
    assert parse_phase({"until": None, "weights": None, "learning_rates": None}) == Phase()


def test_one_part_may_be_given_without_a_list() -> None:
    assert parse_phase({"train": "heads", "freeze": "heads.topic"}) == Phase(("heads",), ("heads.topic",))


def test_a_phase_stays_as_it_is() -> None:
    phase = Phase(("heads",))

    assert parse_phase(phase) is phase


def test_a_phase_says_what_it_trains() -> None:
    assert Phase(("heads", "layers.4-5"), ("heads.topic",)).describe() == "heads, layers.4-5 without heads.topic"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": []}, "train is empty; name at least one part, such as heads"),
        (
            {"until": "epoch two"},
            "until is 'epoch two'; write 'epoch 2', 'step 500' or 'no improvement of METRIC for 2",
        ),
        ({"until": 2}, "until is 2; write 'epoch 2'"),
        ({"until": "epoch 0"}, "until is 'epoch 0'; write 'epoch 2'"),
        ({"until": "no improvement of score for 0 evaluations"}, "for 0 evaluations'; write 'epoch 2'"),
        ({"only_if": "topic_accuracy = 0.9"}, "only_if is 'topic_accuracy = 0.9'; write 'METRIC < 0.9', or with >, <="),
        ({"only_if": "topic_accuracy < 0.9.1"}, "only_if is 'topic_accuracy < 0.9.1'; write 'METRIC < 0.9'"),
        ({"only_if": 0.9}, "only_if is 0.9; write 'METRIC < 0.9'"),
        ({"weights": {"topic": -1.0}}, "weights is {'topic': -1.0}; each must be at least 0"),
        ({"untill": "epoch 2"}, "untill: no such word; did you mean 'until'"),
        ({"learning_rates": {"head": 1e-3}}, "learning_rates.head: no such word; did you mean 'heads'"),
    ],
)
def test_a_phase_that_cannot_be_read_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_phase(given)


@pytest.mark.parametrize(
    ("phases", "problem"),
    [
        ([Phase(("layer.1",))], "phases[0].train: 'layer.1' is not a part of a model; it must be one of everything,"),
        (
            [Phase(("layers.1-2",))],
            "phases[0].train: 'layers.1-2': there are no such layers; this encoder has the layer",
        ),
        ([Phase(freeze=("heads.topics",))], "phases[0].freeze: 'heads.topics': no such task; did you mean 'topic'?"),
        ([Phase(weights={"topics": 0.5})], "phases[0].weights.topics: no such task; did you mean 'topic'?"),
        (
            [Phase(until="no improvement of topic_acuracy for 2 evaluations")],
            "phases[0]: there is no metric 'topic_acuracy'; did you mean 'topic_accuracy'?",
        ),
        (
            [Phase(until="epoch 1"), Phase(only_if="scores < 1")],
            "phases[1]: there is no metric 'scores'; did you mean 'score'?",
        ),
        ([Phase(only_if="score < 1")], "phases[0].only_if: the first phase has no evaluation before it; leave it out"),
        ([Phase(), Phase()], "phases[0].until: is missing; only the last phase may leave it out"),
        (
            [Phase(until="epoch 2"), Phase(until="epoch 2")],
            "phases[1].until: is 'epoch 2', but phases[0] ends at 'epoch 2'",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_said_with_its_place(phases: list[Phase], problem: str) -> None:
    (found,) = phase_problems(phases, ["topic", "sentiment"], METRICS, layers=2)

    assert found.startswith(problem)


def test_a_metric_is_refused_where_nothing_is_evaluated() -> None:
    problems = phase_problems([Phase(until="no improvement of score for 2 evaluations")], ["topic"], [])

    assert problems == ["phases[0]: no metric 'score': nothing is evaluated during training"]


def test_a_phase_may_end_before_one_that_is_left_out_would() -> None:
    phases = [Phase(until="epoch 1"), Phase(until="epoch 4", only_if="score < 1"), Phase(until="epoch 2")]

    assert phase_problems(phases, ["topic"], METRICS) == []


def test_every_problem_of_the_phases_is_reported_at_once(build: Any) -> None:
    with pytest.raises(ValueError, match=r"phases\[0\].train: 'head' .*; phases\[1\].weights.tone: no such task"):
        build({"train": ["head"], "until": "epoch 1"}, {"train": ["heads"], "weights": {"tone": 1.0}})


def test_a_phase_that_trains_nothing_is_refused_before_training(build: Any) -> None:
    with pytest.raises(ValueError, match="phases: no parameter is left to train in 'heads without heads'"):
        build({"train": ["heads"], "until": "epoch 1"}, {"train": ["heads"], "freeze": ["heads"]})


def test_heads_come_first_and_then_the_upper_layers_and_then_everything(build: Any) -> None:
    # As in S2. P30: what begins frozen and is unfrozen later moves.
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 1"},
        {"train": ["heads", "layers.1"], "until": "epoch 2"},
        {"train": ["everything"]},
    )

    trainer.train()

    heads = {"heads.topic", "heads.sentiment"}
    assert snapshots.moved() == [heads, heads | {"layers.1"}, EVERYTHING]


def test_every_weight_that_was_frozen_moves_once_it_is_unfrozen(build: Any) -> None:
    # P30: stock training has it in no optimizer group.
    trainer, snapshots = build({"train": ["heads"], "until": "epoch 1"}, {"train": ["everything"]})

    trainer.train()

    unmoved = {name for name, old in snapshots.weights[1].items() if torch.equal(old, snapshots.weights[-1][name])}
    assert unmoved == set()


def test_layers_are_unfrozen_one_at_a_time(build: Any) -> None:
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 1"},
        {"train": ["heads", "layers.1"], "until": "epoch 2"},
        {"train": ["heads", "layers.0-1"], "until": "epoch 3"},
        {"train": ["heads", "backbone"]},
        num_train_epochs=4,
    )

    trainer.train()

    new = [after - before for before, after in zip(snapshots.moved(), snapshots.moved()[1:], strict=False)]
    assert new == [{"layers.1"}, {"layers.0"}, {"embeddings"}]


def test_the_encoder_follows_the_heads_at_a_rate_of_its_own(build: Any) -> None:
    # As in S3: heads only, then the backbone at a much lower rate.
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 1", "learning_rates": {"heads": 1e-2}},
        {"learning_rates": {"heads": 1e-3, "backbone": 1e-5}},
        num_train_epochs=2,
    )

    trainer.train()

    assert [rates["heads"] for rates in snapshots.rates] == [1e-2, 1e-3]
    assert snapshots.rates[1]["embeddings"] == 1e-5


def test_one_head_trains_until_it_no_longer_improves_and_then_the_other(build: Any) -> None:
    # As in S1. The accuracy of a hopeless task is the same at every evaluation: the second is the first without gain.
    trainer, snapshots = build(
        {"train": ["heads.topic"], "until": "no improvement of topic_accuracy for 1 evaluation"},
        {"train": ["heads.sentiment"]},
        evaluation=hopeless_rows(),
    )

    trainer.train()

    assert snapshots.moved() == [{"heads.topic"}, {"heads.topic"}, {"heads.sentiment"}]


def test_a_head_can_be_taken_from_what_trains(build: Any) -> None:
    trainer, snapshots = build({"train": ["everything"], "freeze": ["heads.topic", "embeddings"]}, num_train_epochs=1)

    trainer.train()

    assert snapshots.moved() == [EVERYTHING - {"heads.topic", "embeddings"}]


def test_a_phase_is_entered_where_its_metric_is_poor(build: Any) -> None:
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 2"},
        {"train": ["everything"], "only_if": "topic_accuracy < 0.9"},
        train=hopeless_rows(),
        evaluation=hopeless_rows(),
    )

    trainer.train()

    assert phases_entered(trainer) == [2]
    assert snapshots.moved()[2] >= {"embeddings", "layers.0", "layers.1"}


def test_a_phase_is_left_out_where_its_metric_is_good(build: Any) -> None:
    # One text with one topic is learned at once; no phase follows, so training stops.
    film = Dataset.from_dict({"text": ["the film"] * 3, "topic": [0, 0, 0]})
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 2"},
        {"train": ["everything"], "only_if": "topic_accuracy < 0.9"},
        train=film,
        evaluation=film,
        learning_rate=0.5,
    )

    trainer.train()

    assert phases_entered(trainer) == []
    assert trainer.state.epoch == 2
    assert snapshots.moved() == [{"heads.topic"}, {"heads.topic"}]


def test_the_phase_after_one_that_is_left_out_begins(build: Any) -> None:
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 1"},
        {"train": ["layers.0"], "only_if": "topic_accuracy > 0.9", "until": "epoch 2"},
        {"train": ["layers.1"], "only_if": "topic_accuracy < 0.9"},
        train=hopeless_rows(),
        evaluation=hopeless_rows(),
        num_train_epochs=2,
    )

    trainer.train()

    assert phases_entered(trainer) == [3]
    assert snapshots.moved()[1] == {"layers.1"}


@pytest.mark.parametrize(
    ("until", "settings"),
    [
        ("epoch 2", {"eval_strategy": "epoch"}),
        ("epoch 2", {"eval_strategy": "steps", "eval_steps": 3}),
        ("step 4", {"eval_strategy": "steps", "eval_steps": 3}),
        ("step 4", {"eval_strategy": "steps", "eval_steps": 4}),
        ("step 3", {"eval_strategy": "epoch"}),
    ],
)
def test_only_if_is_judged_on_an_evaluation_at_the_very_end_of_the_phase_before(
    build: Any, until: str, settings: dict[str, Any]
) -> None:
    # Epochs have two steps; where no evaluation is due at the end of the phase, one takes place all the same.
    trainer, _ = build(
        {"train": ["heads"], "until": until},
        {"train": ["everything"], "only_if": "topic_loss > 0"},
        per_device_train_batch_size=4,
        **settings,
    )

    trainer.train()

    history = trainer.state.log_history
    begins = next(i for i, line in enumerate(history) if "phase" in line)
    judged_on = [line for line in history[:begins] if "eval_loss" in line][-1]
    assert judged_on["step"] == history[begins]["step"]


def test_the_evaluation_that_a_condition_asks_for_is_saved_where_the_best_one_is_wanted(
    build: Any, tmp_path: Path
) -> None:
    trainer, _ = build(
        {"train": ["heads"], "until": "step 2"},
        {"train": ["everything"], "only_if": "topic_loss > 0"},
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=3,
        save_steps=3,
        load_best_model_at_end=True,
    )

    trainer.train()

    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-3"]


def test_a_phases_rates_follow_the_schedule(build: Any) -> None:
    # Eight steps of which the first two warm up: at the sixth step, 3 of the 6 that go down are left.
    trainer, snapshots = build(
        {"train": ["heads"], "until": "step 4", "learning_rates": {"heads": 1e-2}},
        {"learning_rates": {"heads": 4e-3, "backbone": 8e-4}},
        num_train_epochs=8,
        lr_scheduler_type="linear",
        warmup_steps=2,
    )

    trainer.train()

    assert [rates["heads"] for rates in snapshots.rates[:4]] == pytest.approx([0, 5e-3, 1e-2, 1e-2 * 5 / 6])
    assert [rates["heads"] for rates in snapshots.rates[4:6]] == pytest.approx([4e-3 * 4 / 6, 4e-3 * 3 / 6])
    assert [rates["layers.0"] for rates in snapshots.rates[4:6]] == pytest.approx([8e-4 * 4 / 6, 8e-4 * 3 / 6])


def test_a_phases_rates_are_constant_where_the_schedule_is(build: Any) -> None:
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 1", "learning_rates": {"heads": 1e-2}},
        {"learning_rates": {"heads": 4e-3, "backbone": 8e-4}},
    )

    trainer.train()

    assert [rates["layers.1"] for rates in snapshots.rates[1:]] == [8e-4, 8e-4]


def test_what_a_plateau_took_from_the_rates_stays_off_those_of_the_next_phase(build: Any) -> None:
    # The score of hopeless rows never rises: the second evaluation halves the rates, and so does the third.
    trainer, snapshots = build(
        {"train": ["heads"], "until": "epoch 2", "learning_rates": {"heads": 1e-2}},
        {"learning_rates": {"heads": 4e-3, "backbone": 8e-4}},
        evaluation=hopeless_rows(),
        num_train_epochs=4,
        lr_scheduler_type="reduce_lr_on_plateau",
        lr_scheduler_kwargs={"factor": 0.5, "patience": 0},
        metric_for_best_model="topic_accuracy",
    )

    trainer.train()

    assert [rates["heads"] for rates in snapshots.rates] == pytest.approx([1e-2, 1e-2, 2e-3, 1e-3])
    assert [rates["embeddings"] for rates in snapshots.rates[2:]] == pytest.approx([4e-4, 2e-4])


def test_a_rate_does_not_fall_while_the_metric_rises(build: Any) -> None:
    # The schedule of torch takes every metric for a loss.
    trainer, _ = build(
        evaluation=hopeless_rows(),
        lr_scheduler_type="reduce_lr_on_plateau",
        lr_scheduler_kwargs={"factor": 0.5, "patience": 0},
        metric_for_best_model="topic_accuracy",
    )

    trainer.create_optimizer()
    trainer.create_scheduler(3)
    for accuracy in (0.1, 0.2, 0.3):
        trainer.lr_scheduler.step(accuracy)

    assert trainer.optimizer.param_groups[0]["lr"] == 1e-2


def test_the_first_logged_rate_of_a_phase_is_its_own(build: Any) -> None:
    trainer, _ = build(
        {"train": ["heads"], "until": "epoch 1", "learning_rates": {"heads": 1e-2}},
        {"train": ["heads"], "learning_rates": {"heads": 1e-3}},
        logging_steps=1,
        num_train_epochs=2,
    )

    trainer.train()

    assert [line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line] == [1e-2, 1e-3]


def encoder_gradient(gradients: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.flatten() for name, each in gradients.items() if name.startswith("backbone.")])


def test_a_weight_of_zero_leaves_a_tasks_loss_out_of_the_encoders_gradient(build: Any) -> None:
    # As in S3: with the weight 0, frozen or not, the encoder learns of the other task alone.
    phase = {"train": ["everything"], "freeze": ["heads.topic"], "weights": {"topic": 0.0}}
    trainer, weighed = build(phase, max_steps=1)
    alone, without = build({**phase, "weights": {}}, train=clear_rows().remove_columns("topic"), max_steps=1)

    trainer.train()
    alone.train()

    assert torch.equal(encoder_gradient(weighed.gradients[0]), encoder_gradient(without.gradients[0]))


def test_a_frozen_heads_loss_still_counts_for_the_encoder(build: Any) -> None:
    frozen, snapshots = build({"train": ["everything"], "freeze": ["heads.topic"]}, max_steps=1)
    free, reference = build({"train": ["everything"]}, max_steps=1)

    frozen.train()
    free.train()

    assert torch.equal(encoder_gradient(snapshots.gradients[0]), encoder_gradient(reference.gradients[0]))


def test_a_phases_weights_are_its_own(build: Any) -> None:
    trainer, snapshots = build(
        {"train": ["heads.topic"], "until": "step 1", "weights": {"topic": 2.0}},
        {"train": ["heads.topic"]},
        learning_rates={"heads": 0.0},
        max_steps=2,
    )

    trainer.train()

    first, second = (gradients["heads.topic.0.weight"] for gradients in snapshots.gradients)
    assert torch.allclose(first, 2 * second)


def test_frozen_parts_run_in_eval_mode_until_they_are_unfrozen(build: Any) -> None:
    # P33
    class Modes(TrainerCallback):
        seen: list[tuple[bool, bool]]

        def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
            layers = model.backbone.encoder.layer
            self.seen = [*getattr(self, "seen", []), (layers[0].training, layers[1].training)]

    modes = Modes()
    trainer, _ = build(
        {"train": ["heads"], "until": "epoch 1"},
        {"train": ["heads", "layers.1"], "until": "epoch 2"},
        {"train": ["everything"]},
        dropout=0.1,
        eval_strategy="no",
    )
    trainer.callback_handler.callbacks.insert(0, modes)

    trainer.train()

    assert modes.seen == [(False, False), (False, True), (True, True)]


@pytest.mark.parametrize(("until", "steps"), [("epoch 2", 4), ("step 3", 3)])
def test_training_stops_where_the_last_phase_ends(build: Any, until: str, steps: int) -> None:
    trainer, _ = build({"until": until}, per_device_train_batch_size=4)

    trainer.train()

    assert trainer.state.global_step == steps


def test_training_stops_at_the_second_evaluation_in_a_row_without_improvement(build: Any) -> None:
    trainer, _ = build(
        {"until": "no improvement of topic_accuracy for 2 evaluations"}, evaluation=hopeless_rows(), num_train_epochs=9
    )

    trainer.train()

    assert trainer.state.epoch == 3


def test_a_loss_improves_where_it_falls(build: Any) -> None:
    trainer, _ = build({"until": "no improvement of topic_loss for 1 evaluation"}, learning_rate=1e-3)

    trainer.train()

    losses = [line["eval_topic_loss"] for line in trainer.state.log_history if "eval_loss" in line]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 3


def test_a_gain_begins_the_waiting_anew(build: Any) -> None:
    # Scores 0.1, 0.0, 0.2, 0.2, 0.2: the third is better, so that two without gain are over at the fifth.
    trainer, _ = build({"until": "no improvement of score for 2 evaluations"}, num_train_epochs=9)
    scores = iter([0.1, 0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
    trainer.compute_metrics = lambda prediction: {"score": next(scores)}

    trainer.train()

    assert trainer.state.epoch == 5


def test_waiting_begins_anew_with_every_phase(build: Any) -> None:
    stalled = "no improvement of topic_accuracy for 1 evaluation"
    trainer, _ = build(
        {"train": ["heads"], "until": stalled},
        {"train": ["everything"], "until": stalled},
        evaluation=hopeless_rows(),
        num_train_epochs=9,
    )

    trainer.train()

    assert [line["epoch"] for line in trainer.state.log_history if "phase" in line] == [2]
    assert trainer.state.epoch == 4


def test_an_evaluation_before_training_is_none_to_wait_for(build: Any) -> None:
    trainer, _ = build(
        {"until": "no improvement of topic_accuracy for 2 evaluations"},
        evaluation=hopeless_rows(),
        num_train_epochs=9,
        eval_on_start=True,
    )
    trainer.evaluate()

    trainer.train()

    assert trainer.state.epoch == 3


@pytest.mark.parametrize("metric", ["topic_accuracy", "eval_topic_accuracy"])
def test_patience_stops_training_as_a_phase_would(build: Any, metric: str) -> None:
    trainer, _ = build(
        early_stopping_patience=2, metric_for_best_model=metric, evaluation=hopeless_rows(), num_train_epochs=9
    )

    trainer.train()

    assert trainer.state.epoch == 3


def test_patience_watches_the_score_where_no_metric_is_named(tmp_path: Path) -> None:
    arguments = MultiTaskTrainingArguments(str(tmp_path), early_stopping_patience=2, eval_strategy="epoch")

    assert arguments.schedule[-1].end == Stalled("score", 2)


def test_patience_is_that_of_the_last_phase(tmp_path: Path) -> None:
    arguments = MultiTaskTrainingArguments(
        str(tmp_path),
        phases=[{"train": ["heads"], "until": "epoch 1"}, {}],
        early_stopping_patience=2,
        eval_strategy="epoch",
    )

    assert [phase.end for phase in arguments.schedule] == [Reached("epoch", 1), Stalled("score", 2)]


@pytest.mark.parametrize(("metric", "greater"), [("rating_mae", False), ("topic_loss", False), ("score", True)])
def test_of_an_error_less_is_better(tmp_path: Path, metric: str, greater: bool) -> None:
    # transformers knows this of names that end with `loss` alone, and would keep the worst checkpoint.
    arguments = MultiTaskTrainingArguments(
        str(tmp_path), metric_for_best_model=metric, load_best_model_at_end=True, eval_strategy="steps"
    )

    assert arguments.greater_is_better is greater


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phases": [{}], "freeze": "backbone"}, "freeze and phases are both given; use the freeze of each"),
        (
            {"phases": [{"until": "epoch 2"}], "early_stopping_patience": 2},
            "early_stopping_patience is 2, but the last phase has its own until, 'epoch 2'; leave one of them out",
        ),
        ({"phases": [{"until": "soon"}]}, "until is 'soon'; write 'epoch 2'"),
        (
            {"phases": [{"train": ["heads"]}], "ddp_find_unused_parameters": False},
            "ddp_find_unused_parameters is False; it must be True or left out if parts",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MultiTaskTrainingArguments(str(tmp_path), **settings)


def test_phases_are_plain_in_the_arguments(tmp_path: Path) -> None:
    arguments = MultiTaskTrainingArguments(
        str(tmp_path), phases=[Phase(("heads",), learning_rates=LearningRates(1e-3))]
    )

    assert '"heads": 0.001' in arguments.to_json_string()
    assert arguments.schedule == [Phase(("heads",), learning_rates=LearningRates(1e-3))]


def test_a_second_training_begins_with_the_first_phase(build: Any) -> None:
    trainer, snapshots = build({"train": ["heads"], "until": "epoch 1"}, {"train": ["everything"]}, num_train_epochs=2)
    trainer.train()
    snapshots.weights.clear()

    trainer.train()

    assert snapshots.moved() == [{"heads.topic", "heads.sentiment"}, EVERYTHING]
