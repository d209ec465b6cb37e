"""S3: BERT, 28 product categories and sentiment, two phases."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.training.freezing import trained_parameters
from tests.systems.conftest import Build, said


def test_s3_the_recipe_names_bert_with_mean_pooling_and_normalised_embeddings(build: Build) -> None:
    recipe = said("s3")
    prepared = build("s3")
    given = prepared.trainer.model.eval()(**prepared.tokenizer(["the film"], return_tensors="pt")).embeddings

    assert (recipe.backbone, recipe.pooling, recipe.normalize) == ("bert-base-uncased", "mean", True)
    assert given.norm().item() == pytest.approx(1)


def test_s3_heads_are_linear_over_28_categories_and_three_sentiments(build: Build) -> None:
    heads = build("s3").trainer.model.heads

    assert [(type(each), each.out_features) for each in heads.category] == [(nn.Linear, 28)]
    assert [(type(each), each.out_features) for each in heads.sentiment] == [(nn.Linear, 3)]


def test_s3_half_of_the_rows_say_no_sentiment(build: Build) -> None:
    sentiments = build("s3").rows["train"]["sentiment"]

    assert 0.4 < sum(each is None for each in sentiments) / len(sentiments) < 0.6


def test_s3_a_third_is_held_out_with_every_category_in_both_parts(build: Build) -> None:
    rows = build("s3").rows

    assert len(rows["test"]) / (len(rows["test"]) + len(rows["train"])) == pytest.approx(0.3, abs=0.01)
    assert set(rows["test"]["category"]) == set(rows["train"]["category"]) == set(range(28))


def test_s3_first_the_heads_then_everything_the_encoder_much_more_slowly(build: Build) -> None:
    trainer = build("s3").trainer
    first, second = trainer.args.schedule

    groups = {group["name"]: group["rates"] for group in trainer.create_optimizer().param_groups}
    assert all(name.startswith("heads.") for name in trained_parameters(trainer.model, first.train, first.freeze))
    assert second.train == ("everything",)
    assert groups["layers.11"][1] <= groups["heads"][1] / 50


def test_s3_a_frozen_heads_loss_may_be_kept_or_ignored_and_changes_the_encoder_if_kept(
    recipe: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = []
    for weight in (1.0, 0.0):
        phases = f"[{{train: [everything], freeze: [heads.sentiment], weights: {{sentiment: {weight}}}}}]"
        given = recipe(
            "s3",
            f"phases={phases}",
            "training.max_steps=2",
            "learning_rates={heads: 1e-2, backbone: 1e-3}",
            "report=false",
            "training.disable_tqdm=true",
            f"output_dir={tmp_path_factory.mktemp('run')}",
        )
        found.append(run_recipe(given).model.state_dict())
    kept, ignored = found

    head, word = "heads.sentiment.0.weight", "backbone.encoder.layer.0.output.dense.weight"
    assert torch.equal(kept[head], ignored[head])  # frozen both times
    assert not torch.equal(kept[word], ignored[word])


def test_s3_another_domains_backbone_is_one_line_of_the_file() -> None:
    lines = [line for line in said("s3").path.read_text().splitlines() if line.startswith("backbone:")]

    assert len(lines) == 1
    assert "biobert" in lines[0]
