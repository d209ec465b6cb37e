"""The trainer: missing labels, missing columns, frozen parts, and readable logs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerState

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.freezing import frozen_modules
from modeling_multitask.training.progress import describe_evaluation
from tests.conftest import rows_with_gaps, tasks_of_each_type, tiny_bert_config
from tests.properties import whole_gradient

pytestmark = pytest.mark.compat

TASKS = tasks_of_each_type()[:2]  # topic and sentiment


def rows(count: int = 16, *, without: tuple[str, ...] = ()) -> Dataset:
    """Sentences with and without labels, or without a column."""
    return rows_with_gaps(count).remove_columns([*without])


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    def trainer(train: Dataset | None = None, evaluation: Dataset | None = None, **settings: Any) -> MultiTaskTrainer:
        defaults = {"num_train_epochs": 1, "per_device_train_batch_size": 8, "report_to": "none", "disable_tqdm": True}
        torch.manual_seed(0)
        dropout = settings.pop("dropout", 0.0)
        backbone = tiny_bert_config(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
        config = MultiTaskConfig(
            backbone_config=backbone, tasks=TASKS, head={"hidden_sizes": [16, 16], "dropout": dropout}, max_length=16
        )
        return MultiTaskTrainer(
            model=MultiTaskModel(config),
            args=MultiTaskTrainingArguments(str(tmp_path), dataloader_pin_memory=False, **{**defaults, **settings}),
            train_dataset=rows() if train is None else train,
            eval_dataset=rows() if evaluation is None else evaluation,
            processing_class=tokenizer,
        )

    return trainer


def test_label_columns_survive_the_removal_of_unused_columns(build: Any) -> None:
    # P11: they are no arguments of `forward`, so that training would end with "did not return a loss".
    trainer = build(remove_unused_columns=True, prefix_cache=False)  # with the cache it is batches that columns leave
    before = {name: parameter.clone() for name, parameter in trainer.model.heads.named_parameters()}

    trainer.train()

    after = dict(trainer.model.heads.named_parameters())
    assert not torch.equal(before["topic.0.weight"], after["topic.0.weight"])
    assert not torch.equal(before["sentiment.0.weight"], after["sentiment.0.weight"])


@pytest.mark.parametrize("remove", [True, False])
def test_evaluation_gives_loss_and_metrics_whatever_is_removed(build: Any, remove: bool) -> None:
    # P11: without removal stock evaluation silently has no loss and computes no metrics.
    metrics = build(remove_unused_columns=remove).evaluate()

    assert {"eval_loss", "eval_topic_accuracy", "eval_sentiment_macro_f1", "eval_topic_loss", "eval_score"} <= set(
        metrics
    )


def test_an_evaluation_set_without_a_tasks_column_still_has_a_loss_and_the_other_tasks_metrics(build: Any) -> None:
    # P12: stock evaluation demands every label and loses both, and then the best checkpoint.
    metrics = build(evaluation=rows(without=("sentiment",))).evaluate()

    assert metrics["eval_sentiment_rows"] == 0
    assert metrics["eval_topic_rows"] == 11
    assert metrics["eval_loss"] == pytest.approx(metrics["eval_topic_loss"])
    assert "eval_score" in metrics


def test_the_best_checkpoint_is_found_where_a_task_is_never_evaluated(build: Any) -> None:
    # P12
    trainer = build(
        evaluation=rows(without=("sentiment",)),
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
    )

    trainer.train()

    assert trainer.state.best_metric == trainer.state.log_history[-2]["eval_score"]


def test_a_score_of_0_keeps_the_latest_checkpoint(build: Any) -> None:
    unlabelled = Dataset.from_dict({"text": ["good"]})
    best = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    trainer = build(evaluation=unlabelled, num_train_epochs=3, **best)

    trainer.train()

    assert trainer.state.best_metric == 0
    assert trainer.state.best_global_step == trainer.state.global_step


def test_a_batch_without_labels_of_a_task_is_evaluated_among_others(build: Any) -> None:
    # P13: with a head skipped in one batch the outputs could not be joined.
    first, second = rows(4, without=("topic",)), rows(4)
    joined = Dataset.from_list([{**row, "topic": None} for row in first] + second.to_list())

    metrics = build(evaluation=joined, per_device_eval_batch_size=4).evaluate()

    assert metrics["eval_topic_rows"] == 3


def test_the_evaluation_loss_is_the_mean_over_labels_and_not_over_batches(build: Any) -> None:
    # One batch holds 1 label of a topic, the other 4.
    data = Dataset.from_dict({"text": ["good", "bad", "film", "phone", "soup"] * 1, "topic": [0, 1, 2, 0, 1]})
    whole = build(evaluation=data, per_device_eval_batch_size=8).evaluate()["eval_loss"]

    cut = build(evaluation=data, per_device_eval_batch_size=4).evaluate()["eval_loss"]

    assert cut == pytest.approx(whole, rel=1e-5)


def test_losses_of_each_task_are_logged_beside_their_sum(build: Any) -> None:
    trainer = build(logging_steps=1, max_steps=1)

    trainer.train()

    line = trainer.state.log_history[0]
    assert line["loss"] == pytest.approx(line["topic_loss"] + line["sentiment_loss"], rel=1e-5)


def test_accumulated_batches_give_the_gradient_of_one_batch(build: Any) -> None:
    # Labels are unevenly missing over the four micro-batches.
    one, four = (
        build(per_device_train_batch_size=16),
        build(per_device_train_batch_size=4, gradient_accumulation_steps=4),
    )

    gradients = [first_gradient(trainer) for trainer in (one, four)]

    assert (gradients[0] - gradients[1]).norm() <= 5e-6 * gradients[0].norm()


def first_gradient(trainer: MultiTaskTrainer) -> torch.Tensor:
    """The gradient of the first optimizer step, before the step."""
    data = trainer.get_train_dataloader()
    batches, counts = trainer.get_batch_samples(
        iter(data), trainer.args.gradient_accumulation_steps, trainer.args.device
    )
    trainer.current_gradient_accumulation_steps = len(batches)
    for batch in batches:
        trainer.training_step(trainer.model, batch, counts)
    return whole_gradient(trainer.model)


def test_a_frozen_backbone_keeps_its_weights_while_the_heads_move(build: Any) -> None:
    trainer = build(freeze="backbone", learning_rates={"heads": 1e-2, "backbone": 1e-2})
    before = {name: parameter.clone() for name, parameter in trainer.model.named_parameters()}

    trainer.train()

    moved = {name for name, parameter in trainer.model.named_parameters() if not torch.equal(before[name], parameter)}
    assert moved == {name for name in before if name.startswith("heads.")}


def test_a_frozen_backbone_runs_without_dropout_and_its_heads_with(build: Any) -> None:
    # P33, as far as this goes: what is frozen always gives the same.
    trainer = build(dropout=0.5, freeze="backbone", max_steps=1, gradient_accumulation_steps=2)

    modes = []

    class Look(TrainerCallback):
        def on_substep_end(self, args: Any, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
            modes.append(({module.training for module in model.backbone.modules()}, model.heads.topic.training))

    trainer.add_callback(Look())
    trainer.train()

    assert modes == [({False}, True)]


def test_everything_frozen_leaves_nothing_to_train(build: Any) -> None:
    with pytest.raises(ValueError, match=r"left to train in '.*without everything'; call evaluate\(\) instead"):
        build(freeze="everything").train()


def test_what_a_person_froze_stays_frozen(build: Any) -> None:
    model = build().model
    model.heads.topic.requires_grad_(False)
    before = model.heads.topic[0].weight.clone()

    MultiTaskTrainer(model, build().args, train_dataset=rows(), processing_class=build().processing_class).train()

    assert torch.equal(model.heads.topic[0].weight, before)


def test_a_module_with_one_trainable_parameter_keeps_its_dropout(model: MultiTaskModel) -> None:
    model.requires_grad_(False)
    model.heads.topic[0].bias.requires_grad_(True)

    frozen = frozen_modules(model)

    assert set(model.backbone.modules()) <= set(frozen)
    assert model.heads.topic not in frozen
    assert not set(frozen) & {each for each in model.heads.topic if isinstance(each, nn.Dropout)}


def test_smoothing_by_the_trainers_own_argument_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match=r"label_smoothing_factor is 0.1, but .* set the label_smoothing of each task"):
        build(label_smoothing_factor=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"average_tokens_across_devices": False}, "because labels are counted over all processes"),
        ({"freeze": "backbone", "ddp_find_unused_parameters": False}, "ddp_find_unused_parameters is False"),
        ({"learning_rates": {"head": 1e-3}}, "learning_rates.head: no such word; did you mean"),
    ],
)
def test_arguments_that_would_train_something_else_are_refused(build: Any, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**settings)


def test_a_loss_of_ones_own_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match="the model computes the loss of each task itself"):
        MultiTaskTrainer(build().model, build().args, processing_class=build().processing_class, compute_loss_func=len)


def test_a_trainer_without_a_tokenizer_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match="processing_class is missing; pass the tokenizer"):
        MultiTaskTrainer(build().model, build().args)


def test_losses_are_logged_per_step_after_several_micro_batches(build: Any) -> None:
    trainer = build(logging_steps=2, max_steps=2, per_device_train_batch_size=4, gradient_accumulation_steps=2)

    trainer.train()

    line = trainer.state.log_history[0]
    assert line["loss"] == pytest.approx(line["topic_loss"] + line["sentiment_loss"], rel=1e-5)


def test_an_optimizer_with_groups_of_its_own_is_refused(build: Any) -> None:
    trainer = build()
    trainer.optimizer_cls_and_kwargs = (torch.optim.SGD, {"params": []})

    with pytest.raises(ValueError, match=r"it sets \{'params'\} itself, so learning rates by layer"):
        trainer.create_optimizer()


def test_an_unknown_word_for_freezing_is_refused(build: Any) -> None:
    with pytest.raises(
        ValueError, match=r"'layer.0' is not a part of a model; it must be one of everything, backbone,"
    ):
        build(freeze=["layer.0"])


def test_one_rate_is_everyones_unless_rates_are_given(tmp_path: Path) -> None:
    rates = MultiTaskTrainingArguments(str(tmp_path), learning_rate=3e-5).rates()

    assert (rates.heads, rates.backbone, rates.layer_decay) == (3e-5, 3e-5, 1.0)


def test_an_evaluation_reads_as_one_line() -> None:
    state = TrainerState(epoch=2.0, log_history=[{"loss": 0.5}])
    logs = {"eval_topic_rows": 3, "eval_topic_accuracy": 0.75, "eval_topic_macro_f1": 0.5, "eval_tone_rows": 0}

    line = describe_evaluation({**logs, "eval_score": 0.5}, state)

    assert (
        line == "epoch 2: loss 0.5000 | topic accuracy 0.750 macro_f1 0.500 | tone has no labelled rows | score 0.500"
    )


def test_other_logs_are_no_evaluation() -> None:
    assert describe_evaluation({"loss": 0.5}, TrainerState()) is None


def test_what_was_frozen_trains_again_with_the_next_trainer(build: Any) -> None:
    trainer = build(freeze="backbone", max_steps=1)

    trainer.train()

    assert {parameter.requires_grad for parameter in trainer.model.parameters()} == {True}


def test_an_optimizer_of_ones_own_does_not_go_with_learning_rates(build: Any) -> None:
    trainer = build(learning_rates={"heads": 1e-3, "backbone": 1e-4})
    optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)

    with pytest.raises(ValueError, match="optimizers is given and has its own rates; leave it out"):
        MultiTaskTrainer(
            trainer.model, trainer.args, processing_class=trainer.processing_class, optimizers=(optimizer, None)
        )


def test_callbacks_are_not_built_anew_by_transformers(build: Any) -> None:
    with pytest.raises(ValueError, match=r"restore_callback_states_from_checkpoint is True, .* they restore"):
        build(restore_callback_states_from_checkpoint=True)


def test_predictions_come_in_the_order_of_the_rows(build: Any) -> None:
    # P73: batches of similar length are for training; transformers shuffles these rows as well.
    texts = ["good " * (1 + i * 7 % 13) for i in range(12)]
    numbered = Dataset.from_dict({"text": texts, "topic": [i % 3 for i in range(12)]})
    trainer = build(train_sampling_strategy="group_by_length", per_device_eval_batch_size=4)

    assert trainer.predict(numbered).label_ids["topic"].tolist() == numbered["topic"]


def test_the_arguments_of_transformers_are_refused_with_those_of_this_package(build: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^args is a TrainingArguments; use MultiTaskTrainingArguments, which takes"):
        MultiTaskTrainer(build().model, TrainingArguments(str(tmp_path)), processing_class=build().processing_class)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"tokens_per_batch": 64}, list),
        ({"tokens_per_batch": 64}, Dataset.to_iterable_dataset),
        ({"train_sampling_strategy": "group_by_length"}, list),
    ],
)
def test_batches_by_length_need_a_table(kind: Any, settings: dict[str, Any], build: Any) -> None:
    with pytest.raises(ValueError, match=r"needs the training rows as a datasets\.Dataset, but they are a (list|Iter)"):
        build(kind(rows_with_gaps(8)), max_steps=2, **settings)


class Fed:
    """The texts that the encoder reads in training and evaluation."""

    def __init__(self, trainer: MultiTaskTrainer) -> None:
        self.texts: set[str] = set()
        trainer.model.backbone.register_forward_pre_hook(self._read, with_kwargs=True)
        self.decode = trainer.processing_class.decode

    def _read(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        ids, mask = kwargs["input_ids"], kwargs["attention_mask"]
        self.texts |= {self.decode(row[kept.bool()]) for row, kept in zip(ids, mask, strict=True)}


@pytest.mark.parametrize("kind", [lambda rows: rows, list, Dataset.to_iterable_dataset])
@pytest.mark.parametrize("settings", [{}, {"prefix_cache": False}])
def test_the_second_text_of_a_pair_is_read(kind: Any, settings: dict[str, Any], build: Any) -> None:
    rows = rows_with_gaps(8).add_column("text_pair", ["bad soup"] * 8)
    trainer = build(kind(rows), rows, max_steps=2, **settings)
    fed = Fed(trainer)

    trainer.train()
    trainer.evaluate()

    assert fed.texts
    assert all(text.endswith("[SEP] bad soup [SEP]") for text in fed.texts)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"text": ["good"], "label": [1]}, "has no labels: each task needs a column of its name .* 'text', 'label'"),
        ({"sentence": ["good"], "topic": [1]}, r"has no column 'text'; .*rename_column\('sentence', 'text'\)"),
    ],
)
def test_a_table_without_texts_or_labels_is_refused(given: dict[str, list[Any]], cause: str, build: Any) -> None:
    with pytest.raises(ValueError, match=cause):
        build(Dataset.from_dict(given))


def test_a_trainer_needs_a_model(build: Any) -> None:
    trainer = build(rows_with_gaps(4))

    with pytest.raises(ValueError, match="model is missing; pass a model"):
        MultiTaskTrainer(None, trainer.args, processing_class=trainer.processing_class)  # type: ignore[arg-type]
