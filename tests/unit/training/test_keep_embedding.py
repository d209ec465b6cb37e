"""`keep_embedding`: the embedding of each text stays near that of the model before training."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from modeling_multitask.inference import encode
from modeling_multitask.training import keeping_mixin
from modeling_multitask.training.keep_embedding import KeepEmbedding
from modeling_multitask.training.lora import add_lora
from tests.conftest import rows_with_gaps, tasks_of_each_type, tiny_bert_config
from tests.properties import whole_gradient
from tests.unit.training.test_trainer import first_gradient

TASKS = tasks_of_each_type()[:2]  # topic and sentiment
needs_torchjd = pytest.mark.skipif(importlib.util.find_spec("torchjd") is None, reason="needs torchjd")


def elsewhere(count: int = 16) -> Dataset:
    """Rows that say that their embedding was another one before training."""
    torch.manual_seed(1)
    return rows_with_gaps(count).add_column("start_embedding", torch.randn(count, 32).tolist())


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    def trainer(rows: Any = None, *, lora: bool = False, tasks: Any = None, **settings: Any) -> MultiTaskTrainer:
        torch.manual_seed(0)
        backbone = tiny_bert_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        config = MultiTaskConfig(
            backbone_config=backbone, tasks=tasks or TASKS, max_length=16, head={"hidden_sizes": [16], "dropout": 0.0}
        )
        model = MultiTaskModel(config)
        collator = settings.pop("data_collator", None)
        defaults = {"num_train_epochs": 1, "per_device_train_batch_size": 8, "learning_rate": 1e-2, "report_to": "none"}
        settings = {"logging_steps": 1, "save_strategy": "no", "disable_tqdm": True, **defaults, **settings}
        return MultiTaskTrainer(
            model=add_lora(model, {"r": 2}) if lora else model,
            args=MultiTaskTrainingArguments(str(tmp_path), dataloader_pin_memory=False, **settings),
            data_collator=collator,
            train_dataset=rows_with_gaps() if rows is None else rows,
            processing_class=tokenizer,
        )

    return trainer


def kept_losses(trainer: MultiTaskTrainer) -> list[float | None]:
    """The term in each line of the log with a training loss."""
    return [line.get("keep_embedding_loss") for line in trainer.state.log_history if "loss" in line]


def nearness(trainer: MultiTaskTrainer) -> float:
    """The mean cosine between the embeddings after and before training, after training with this trainer."""
    texts, tokenizer = rows_with_gaps()["text"], trainer.processing_class
    before = torch.from_numpy(encode(trainer.model, texts, tokenizer=tokenizer))
    trainer.train()
    after = torch.from_numpy(encode(trainer.model.eval(), texts, tokenizer=tokenizer))
    return float(F.cosine_similarity(before, after).mean())


def gradient_of_distance(trainer: MultiTaskTrainer, rows: Dataset) -> Tensor:
    """The gradient of the mean of 1 - cosine over these rows."""
    batch = MultiTaskCollator(trainer.processing_class, trainer.model.config)(list(rows))
    start = batch.pop("start_embedding")
    trainer.model.zero_grad()
    (1 - F.cosine_similarity(trainer.model(**batch).embeddings, start)).mean().backward()
    return whole_gradient(trainer.model)


def far_from(one: Tensor, other: Tensor) -> float:
    """The norm of the difference over the norm of the second."""
    return ((one - other).norm() / other.norm()).item()


def test_the_distance_is_0_at_the_first_step_and_above_0_later(build: Any) -> None:
    trainer = build(keep_embedding={"weight": 0.1})

    trainer.train()

    first, second = kept_losses(trainer)
    assert first == pytest.approx(0, abs=1e-6)
    assert second > 1e-4


def test_a_higher_weight_keeps_the_embedding_nearer(build: Any) -> None:
    found = [nearness(build(keep_embedding=each, num_train_epochs=8)) for each in (None, {"weight": 1}, {"weight": 20})]

    assert found == sorted(found)
    assert found[2] > found[0] + 0.01


def test_without_the_word_nothing_is_logged(build: Any) -> None:
    trainer = build()

    trainer.train()

    assert kept_losses(trainer) == [None, None]


def test_the_loss_has_the_weighted_mean_of_1_minus_the_cosine(build: Any) -> None:
    rows = elsewhere()
    plain, kept = (build(rows, keep_embedding=each, per_device_train_batch_size=16) for each in (None, {"weight": 0.5}))

    difference = first_gradient(kept) - first_gradient(plain)

    # float32 sums in another order
    assert far_from(difference, 0.5 * gradient_of_distance(plain, rows)) < 1e-4


def test_accumulated_batches_give_the_gradient_of_one_batch(build: Any) -> None:
    settings = {"keep_embedding": {"weight": 5.0}, "train_sampling_strategy": "sequential"}
    one = build(elsewhere(), per_device_train_batch_size=16, **settings)
    four = build(elsewhere(), per_device_train_batch_size=5, gradient_accumulation_steps=4, **settings)

    assert far_from(first_gradient(four), first_gradient(one)) < 5e-6


@needs_torchjd
def test_the_gradient_of_the_term_is_added_to_the_balanced_gradient(build: Any) -> None:
    rows = elsewhere()
    plain, kept = (
        build(rows, balancing="upgrad", keep_embedding=each, per_device_train_batch_size=16)
        for each in (None, {"weight": 0.5})
    )

    difference = first_gradient(kept) - first_gradient(plain)

    assert far_from(difference, 0.5 * gradient_of_distance(plain, rows)) < 1e-4


@pytest.mark.parametrize("cached", [True, False])
def test_a_phase_with_a_frozen_encoder_has_no_term(build: Any, tmp_path: Path, cached: bool) -> None:
    phases = [{"train": "heads", "until": "epoch 2"}, {"train": "everything"}]
    cache = {"folder": str(tmp_path / "cache")} if cached else False
    trainer = build(keep_embedding={"weight": 1}, phases=phases, num_train_epochs=3, prefix_cache=cache)

    trainer.train()

    *frozen, first, second = kept_losses(trainer)
    assert frozen == [None] * 4
    # Also in a batch that was prefetched before the phase began: the sum over its rows is a mean.
    assert first == pytest.approx(0, abs=1e-6)
    assert 0 < second < 1


def test_a_batch_that_was_prefetched_before_its_phase_has_the_mean_of_its_rows(build: Any, tmp_path: Path) -> None:
    # P176: the phase ends within an epoch of two steps.
    phases = [{"train": "heads", "until": "step 5"}, {"train": "everything"}]
    settings = {"keep_embedding": {"weight": 1}, "phases": phases, "num_train_epochs": 4, "learning_rate": 1e-3}
    cached, whole = (
        build(elsewhere(), prefix_cache=each, **settings) for each in ({"folder": str(tmp_path / "cache")}, False)
    )

    for trainer in (cached, whole):
        trainer.train()

    assert kept_losses(cached)[5] == pytest.approx(kept_losses(whole)[5], abs=1e-4)
    assert 0.5 < kept_losses(cached)[5] < 1.5


def test_the_cache_of_frozen_layers_changes_nothing(build: Any, tmp_path: Path) -> None:
    settings = {"keep_embedding": {"weight": 1}, "freeze": ["embeddings", "layers.0"], "num_train_epochs": 3}
    cached, whole = (build(prefix_cache=each, **settings) for each in ({"folder": str(tmp_path / "cache")}, False))

    for trainer in (cached, whole):
        trainer.train()

    assert kept_losses(cached) == pytest.approx(kept_losses(whole), abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"lora": True}, id="lora"),
        pytest.param({"bf16": True, "use_cpu": True}, id="bf16"),
        pytest.param({"balancing": "uncertainty"}, id="uncertainty"),
        pytest.param({"tokens_per_batch": 64}, id="tokens_per_batch"),
        pytest.param({"train_sampling_strategy": "group_by_length"}, id="group_by_length"),
        pytest.param({"conflict": "log"}, id="conflict"),
        pytest.param({"remove_unused_columns": False}, id="all columns"),
    ],
)
def test_the_term_is_small_and_logged_with_every_way_to_train(build: Any, settings: dict[str, Any]) -> None:
    trainer = build(keep_embedding={"weight": 1}, num_train_epochs=2, learning_rate=1e-3, **settings)

    trainer.train()

    found = kept_losses(trainer)
    assert found[0] == pytest.approx(0, abs=1e-4)  # bf16 rounds the embeddings
    assert all(0 <= each < 0.5 for each in found[1:])
    assert found[-1] > 0


def test_rows_keep_their_start_embeddings_for_the_next_training(build: Any) -> None:
    trainer = build(keep_embedding={"weight": 1})

    trainer.train()
    before = trainer.train_dataset["start_embedding"][:]
    trainer.train()

    assert trainer.train_dataset["start_embedding"][:] == before


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(build: Any, tmp_path: Path) -> None:
    settings = {"keep_embedding": {"weight": 2}, "num_train_epochs": 3, "save_strategy": "steps", "save_steps": 3}
    whole = build(**settings)
    whole.train()
    resumed = build(**settings)

    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))

    pairs = zip(whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert kept_losses(resumed) == kept_losses(whole)


def test_a_run_is_not_resumed_with_the_embeddings_of_its_checkpoint(build: Any, tmp_path: Path) -> None:
    # P175
    settings = {"keep_embedding": {"weight": 2}, "save_strategy": "steps", "save_steps": 1}
    build(**settings).train()
    resumed = build(**settings)
    resumed.model = MultiTaskModel.from_pretrained(tmp_path / "checkpoint-1")

    with pytest.raises(ValueError, match="build the model as before the run, not from its checkpoint"):
        resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


def test_a_run_without_the_word_is_resumed_with_it(build: Any, tmp_path: Path) -> None:
    build(save_strategy="steps", save_steps=1).train()
    resumed = build(save_strategy="steps", save_steps=1, keep_embedding={"weight": 2})

    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))

    assert kept_losses(resumed)[-1] > 0


def test_evaluation_takes_the_rows_of_training(build: Any) -> None:
    trainer = build(keep_embedding={"weight": 1})
    trainer.train()

    found = trainer.evaluate(trainer.train_dataset)

    assert found["eval_loss"] == pytest.approx(found["eval_topic_loss"] + found["eval_sentiment_loss"], rel=1e-5)


def test_a_row_without_a_text_is_named(build: Any) -> None:
    rows = rows_with_gaps().to_list()
    rows[5]["text"] = None

    with pytest.raises(ValueError, match=r"train_dataset\[5\]: column 'text' is None"):
        build(Dataset.from_list(rows), keep_embedding={"weight": 1}).train()


@pytest.mark.parametrize("settings", [{"freeze": "backbone"}, {"phases": [{"train": "heads"}]}])
def test_a_frozen_encoder_is_refused(build: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keep_embedding: no phase trains the encoder, .* leave keep_embedding out"):
        build(keep_embedding={"weight": 1}, **settings)


def test_streamed_rows_are_refused(build: Any) -> None:
    with pytest.raises(ValueError, match=r"keep_embedding: needs the training rows .*, but they are a IterableDataset"):
        build(rows_with_gaps().to_iterable_dataset(), keep_embedding={"weight": 1}, max_steps=1)


def test_rows_that_are_made_during_training_are_refused(build: Any) -> None:
    rows = rows_with_gaps().with_transform(lambda batch: batch)

    with pytest.raises(ValueError, match=r"keep_embedding: with_transform makes the training rows .* use map instead"):
        build(rows, keep_embedding={"weight": 1})


def test_rows_without_their_texts_are_refused(build: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    rows = rows_with_gaps()
    rows = rows.add_column("input_ids", tokenizer(rows["text"][:])["input_ids"]).remove_columns("text")

    with pytest.raises(ValueError, match="keep_embedding: the training data set has no column 'text'"):
        build(rows, keep_embedding={"weight": 1})


def test_a_collator_of_ones_own_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match=r"keep_embedding: data_collator is a function, .* use a MultiTaskCollator"):
        build(keep_embedding={"weight": 1}, data_collator=lambda rows: rows)


def test_a_task_with_the_name_of_the_term_is_refused(build: Any) -> None:
    tasks = [{**TASKS[0], "name": "keep_embedding"}]

    with pytest.raises(ValueError, match="a task cannot be called 'keep_embedding' with this word; rename the task"):
        build(rows_with_gaps().rename_column("topic", "keep_embedding"), tasks=tasks, keep_embedding={"weight": 1})


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan")])
def test_a_weight_that_is_not_above_0_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=f"weight is {weight}; it must be above 0"):
        KeepEmbedding(weight)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"keep_embedding\.wight: no such word; did you mean 'weight'\?"):
        MultiTaskTrainingArguments(str(tmp_path), keep_embedding={"wight": 1})


def test_texts_are_embedded_after_the_model_is_on_its_device(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # With bf16_full_eval, transformers moves the model only when training begins.
    trainer = build(keep_embedding={"weight": 1}, bf16_full_eval=True, use_cpu=True)
    calls: list[str] = []

    def remember(owner: Any, name: str) -> None:
        method = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **words: [calls.append(name), method(*args, **words)][1])

    remember(trainer, "_move_model_to_device")
    remember(keeping_mixin, "with_start_embeddings")

    trainer.train()

    assert calls == ["_move_model_to_device", "with_start_embeddings"]
