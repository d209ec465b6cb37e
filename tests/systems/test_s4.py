"""S4: MPNet, four categories, binary sentiment, layer-wise rates; class weights, stages and gradual unfreezing."""

import json
from collections.abc import Callable

import pytest
import torch

from modeling_multitask.inference import predict
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.study.strategies import StudyRates, strategies
from modeling_multitask.training.freezing import trained_parameters
from tests.systems.conftest import Build, said

CATEGORIES = ["positive sentiment", "negative sentiment", "technical issues", "purchase or value concerns"]
VARIANTS = ["s4", "s4_weights", "s4_stages", "s4_unfreezing"]


@pytest.mark.parametrize("name", VARIANTS)
def test_s4_the_encoder_is_mpnet_with_mean_pooling(name: str) -> None:
    assert (said(name).backbone, said(name).pooling) == ("sentence-transformers/all-mpnet-base-v2", "mean")


def test_s4_one_task_has_four_categories_and_the_other_is_positive_or_negative(build: Build) -> None:
    tasks = build("s4").tasks

    assert [(task.name, task.problem_type) for task in tasks] == [
        ("category", "single_label_classification"),
        ("sentiment", "binary_classification"),
    ]
    assert [task.labels for task in tasks] == [CATEGORIES, ["negative", "positive"]]


@pytest.mark.parametrize("name", VARIANTS)
def test_s4_of_1000_sentences_800_train_and_200_test(build: Build, name: str) -> None:
    assert {split: len(rows) for split, rows in build(name).rows.items()} == {"train": 800, "test": 200}


def test_s4_the_upper_and_the_lower_layers_have_rates_of_their_own_and_a_schedule(build: Build) -> None:
    trainer = build("s4").trainer
    rates = {group["name"]: group["lr"] for group in trainer.create_optimizer().param_groups}

    assert rates["heads"] == 1e-4
    assert {rates[f"layers.{i}"] for i in range(6, 12)} == {5e-5}
    assert {rates[name] for name in ("embeddings", *(f"layers.{i}" for i in range(6)))} == {1e-5}
    assert trainer.args.lr_scheduler_type == "linear"


def test_s4_class_weights_make_rare_categories_count_as_much_as_the_others(build: Build) -> None:
    prepared = build("s4_weights")
    labels = torch.tensor(prepared.rows["train"]["category"])

    weights = torch.tensor(prepared.tasks[0].class_weights)
    totals = [weights[i].item() * (labels == i).sum().item() for i in range(4)]
    assert totals == pytest.approx([totals[0]] * 4)
    assert build("s4").tasks[0].class_weights is None


def test_s4_stages_ask_what_is_wrong_of_negative_sentences_alone(build: Build) -> None:
    prepared = build("s4_stages")
    rows, given = prepared.rows["train"], prepared.tasks[1].given

    assert (given.task, given.labels) == ("sentiment", ["negative"])
    for sentiment, concern in zip(rows["sentiment"], rows["concern"], strict=True):
        assert (concern is None) == (sentiment == 1)
    answers = predict(prepared.trainer.model, ["good", "bad", "the film"], tokenizer=prepared.tokenizer)
    for answer in answers:
        assert (answer["concern"]["label"] is None) == (answer["sentiment"]["label"] == "positive")


def test_s4_unfreezing_goes_from_the_heads_down(build: Build) -> None:
    trainer = build("s4_unfreezing").trainer

    parts = [trained_parameters(trainer.model, phase.train, phase.freeze) for phase in trainer.args.schedule]

    assert parts[0] < parts[1] < parts[2] == {name for name, _ in trainer.model.named_parameters()}


def test_s4_rare_categories_may_come_more_often(build: Build) -> None:
    trainer = build("s4", "sampling={strategy: balanced, task: category}").trainer
    sampler = trainer._get_train_sampler()

    drawn = torch.tensor([trainer.train_dataset["category"][i] for i in sampler]).bincount()

    assert drawn.tolist() == pytest.approx([200] * 4, abs=1)


def test_s4_sentences_that_are_misread_are_in_the_report(recipe: Callable[..., Recipe]) -> None:
    run = run_recipe(recipe("s4", "training.max_steps=1", "training.disable_tqdm=true"))

    report = json.loads((run.folder.parent / "report" / "report.json").read_text())["tasks"]["category"]["errors"]

    worst, most = report["worst"][0], report["confusions"][0]
    assert {worst["label"], worst["answer"], most["label"], most["answer"]} <= set(CATEGORIES)
    assert most["rows"] >= 1
    assert most["examples"]


def test_s4_the_study_answers_what_every_system_asks() -> None:
    metrics = {"category": "macro_f1", "sentiment": "macro_f1"}
    titles = " ".join(each.title for each in strategies(metrics, layers=12, rates=StudyRates(), steps=100))

    for word in ("everything frozen", "backbone frozen", "head of category frozen", "last", "layer-wise", "LoRA"):
        assert word in titles
