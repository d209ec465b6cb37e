"""S2: MiniLM, sentiment (one logit) and intent (four), from two tables, frozen as long as that is good enough."""

import json
from collections.abc import Callable

import pytest
from torch import nn

from datasets_builder.columns import SOURCE
from modeling_multitask.inference import predict
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.training.freezing import trained_parameters
from tests.conftest import needs_minilm
from tests.systems.conftest import Build, said

INTENTS = ["question", "statement", "command", "exclamation"]
SENTENCES = {
    "I love this product!": ("sentiment", "positive"),
    "I hate the weather today.": ("sentiment", "negative"),
    "Can you tell me the time?": ("intent", "question"),
    "This is the best day of my life!": ("intent", "exclamation"),
    "Turn off the lights.": ("intent", "command"),
    "The sky is blue today.": ("intent", "statement"),
}


def test_s2_sentiment_is_one_logit_and_intent_is_one_of_four(build: Build) -> None:
    prepared = build("s2")
    heads = prepared.trainer.model.heads

    kinds = [(task.name, task.problem_type, task.labels) for task in prepared.tasks]
    assert kinds == [
        ("sentiment", "binary_classification", ["negative", "positive"]),
        ("intent", "single_label_classification", INTENTS),
    ]
    assert [list(getattr(heads, name))[-1].out_features for name in ("sentiment", "intent")] == [1, 4]
    assert isinstance(list(heads.sentiment)[-1], nn.Linear)


def test_s2_predictions_lie_between_0_and_1_and_are_named(build: Build) -> None:
    prepared = build("s2")

    answers = predict(prepared.trainer.model, list(SENTENCES), tokenizer=prepared.tokenizer, top_k=None)

    for answer in answers:
        assert all(0 <= each["score"] <= 1 for each in answer["sentiment"])
        assert {each["label"] for each in answer["intent"]} == set(INTENTS)


def test_s2_the_tasks_come_from_two_tables_with_different_sentences(build: Build) -> None:
    prepared = build("s2")
    rows = prepared.rows["train"]

    both = [s is not None and i is not None for s, i in zip(rows["sentiment"], rows["intent"], strict=True)]
    assert len(said("s2").data.train) == 2
    assert set(rows[SOURCE]) == {0, 1}
    assert not any(both)


def test_s2_a_fifth_of_both_tables_is_held_out(build: Build) -> None:
    rows = build("s2").rows

    test = rows["test"]
    whole = {
        name: sum(label is not None for each in rows.values() for label in each[name])
        for name in ("sentiment", "intent")
    }
    held = {name: sum(label is not None for label in test[name]) for name in whole}
    assert held == {name: round(count * 0.2) for name, count in whole.items()}


def test_s2_each_batch_holds_rows_of_both_tables(build: Build) -> None:
    trainer = build("s2").trainer
    of = trainer.train_dataset[SOURCE][:]

    batches = list(trainer.get_train_dataloader().batch_sampler)[:-1]

    sources = [{of[i] for i in batch} for batch in batches]
    mixed = sum(each == {0, 1} for each in sources) / len(sources)
    assert mixed > 0.95  # a sixth of the rows are intents: of 16 rows three, and seldom none


def test_s2_ten_epochs_of_batches_of_16_by_adamw(build: Build) -> None:
    trainer = build("s2").trainer

    optimizer = trainer.create_optimizer()
    assert (trainer.args.num_train_epochs, trainer.args.per_device_train_batch_size) == (10, 16)
    assert type(optimizer).__name__ == "AdamW"


def test_s2_the_encoder_is_opened_only_where_it_has_to_be(build: Build) -> None:
    trainer = build("s2").trainer
    frozen, last, everything = trainer.args.schedule

    assert frozen.train == ("heads",)
    assert last.train == ("heads", "last_layers.2")
    assert everything.train == ("everything",)
    assert [phase.only_if for phase in (frozen, last, everything)] == [None, "score < 0.95", "score < 0.95"]
    groups = {group["name"]: group["rates"] for group in trainer.create_optimizer().param_groups}
    assert groups["layers.11"][1] < groups["heads"][1]
    assert trained_parameters(trainer.model, last.train, last.freeze) < trained_parameters(
        trainer.model, everything.train, everything.freeze
    )


def test_s2_the_encoder_stays_frozen_where_the_score_is_good(recipe: Callable[..., Recipe]) -> None:
    short = ("phases.0.until=epoch 1", "phases.1.until=epoch 2", "training.num_train_epochs=3")
    good = [f"phases.{i}.only_if=score < 0.001" for i in (1, 2)]

    run = run_recipe(recipe("s2", *short, *good, "training.disable_tqdm=true", "report=false"))

    assert json.loads((run.folder.parent / "training.json").read_text())["epochs"] == 1


@needs_minilm
@pytest.mark.long
def test_s2_it_learns_and_its_sentences_are_right_after_training(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s2")

    run = run_recipe(said("s2", f"output_dir={folder}", "report=false"))

    answers = predict(run.model, list(SENTENCES), tokenizer=run.tokenizer)
    given = {text: answer[SENTENCES[text][0]]["label"] for text, answer in zip(SENTENCES, answers, strict=True)}
    assert given == {text: label for text, (_, label) in SENTENCES.items()}
    # A half, and a quarter, is what the most frequent label would have.
    assert run.results["test"]["sentiment"]["accuracy"] >= 0.9
    assert run.results["test"]["intent"]["accuracy"] >= 0.8
