"""Contrastive phases: the similarity of labels, the loss of pairs, the batches, and what such a phase trains."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from transformers import PreTrainedTokenizerBase, TrainerCallback

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
    TaskConfig,
)
from modeling_multitask.tasks_multitask import TargetStatistics
from modeling_multitask.training.contrastive import contrastive_losses, supervised_contrastive_loss
from modeling_multitask.training.label_similarity import label_classes, label_similarity
from modeling_multitask.training.lora import add_lora
from modeling_multitask.training.phases import Phase, phase_problems
from modeling_multitask.training.samplers import pair_by_label
from tests.conftest import tasks_of_each_type, tiny_bert_config

NAN = float("nan")
CONTRASTIVE = {"objective": "contrastive", "train": ["backbone"], "until": "epoch 2"}
HEADS = {"train": ["heads"], "learning_rates": {"heads": 1e-2}}


def task(problem_type: str, **words: Any) -> TaskConfig:
    return TaskConfig(name="mood", problem_type=problem_type, **words)


def equal(found: Tensor, expected: list[list[float]]) -> bool:
    return torch.allclose(found, torch.tensor(expected), atol=1e-6, equal_nan=True)


def test_equal_labels_are_similar_and_missing_labels_are_unknown() -> None:
    three = task("single_label_classification", labels=["a", "b", "c"])
    found = label_similarity(torch.tensor([0, 0, 2, -100]), three)
    assert equal(found, [[1, 1, 0, NAN], [1, 1, 0, NAN], [0, 0, 1, NAN], [NAN] * 4])


def test_soft_labels_are_as_similar_as_their_common_share() -> None:
    binary = task("binary_classification", labels=["no", "yes"])
    found = label_similarity(torch.tensor([[0.7, 0.3], [0.2, 0.8], [NAN, NAN]]), binary)
    assert equal(found, [[1, 0.5, NAN], [0.5, 1, NAN], [NAN] * 3])


def test_ordinal_labels_lose_similarity_with_each_step() -> None:
    stars = task("ordinal_regression", labels=["1", "2", "3"])
    assert equal(label_similarity(torch.tensor([0, 1, 2]), stars), [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])


def test_sets_are_as_similar_as_their_jaccard_index() -> None:
    tags = task("multi_label_classification", labels=["a", "b", "c"])
    sets = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert equal(label_similarity(sets, tags), [[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])


def test_sets_are_compared_by_the_labels_that_are_known_for_both() -> None:
    tags = task("multi_label_classification", labels=["a", "b"])
    found = label_similarity(torch.tensor([[1, 1], [1, -100], [-100, -100]]), tags)
    assert equal(found, [[1, 1, NAN], [1, 1, NAN], [NAN] * 3])


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
def test_memory_does_not_grow_with_the_labels_of_all_pairs(problem_type: str) -> None:
    labels = [f"l{i}" for i in range(1000)]
    ids = torch.arange(64) % 8
    given = ids if problem_type.startswith("single") else F.one_hot(ids, len(labels))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        label_similarity(given, task(problem_type, labels=labels))
    most = max(each.cpu_memory_usage for each in profiled.events())
    assert most < 64 * 64 * len(labels)  # a number of each label of each pair would need four times as many bytes


def test_soft_sets_are_as_similar_as_the_common_share_of_their_union() -> None:
    tags = task("multi_label_classification", labels=["a", "b"])
    found = label_similarity(torch.tensor([[0.5, 1.0], [1.0, 0.5], [0.5, NAN]]), tags)
    assert equal(found, [[1, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 1]])


def test_numbers_are_compared_in_standard_deviations_of_the_targets() -> None:
    price = task("regression", targets=TargetStatistics(mean=10.0, std=2.0))
    expected = float(np.exp(-1.5))
    assert equal(
        label_similarity(torch.tensor([4.0, 7.0, NAN]), price), [[1, expected, NAN], [expected, 1, NAN], [NAN] * 3]
    )


EMBEDDINGS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]])  # divided by the temperature, the cosines are 0 or 10


def test_the_loss_is_the_cross_entropy_of_each_row_that_is_similar_to_another_one() -> None:
    similar = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    loss = supervised_contrastive_loss(EMBEDDINGS, similar)  # row 1 is not counted
    assert loss.item() == pytest.approx(np.log(1 + np.exp(-10)), rel=1e-2)
    loss = supervised_contrastive_loss(EMBEDDINGS, torch.ones(3, 3))
    assert loss.item() == pytest.approx((2 * (np.log(1 + np.exp(10)) - 10 / 2) + np.log(2)) / 3)


def test_a_similarity_between_zero_and_one_is_a_share_of_the_target() -> None:
    similar = torch.tensor([[1.0, 0.25, 0.5], [NAN, NAN, NAN], [NAN, NAN, NAN]])
    loss = supervised_contrastive_loss(EMBEDDINGS, similar)
    assert loss.item() == pytest.approx(np.log(1 + np.exp(10)) - 10 * 0.5 / 0.75)


def test_the_loss_is_that_of_khosla_et_al() -> None:
    embeddings = F.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    labels = torch.tensor([0, 1, 0, 2, 1, 1, 2, 0])
    rows = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        total = sum(torch.exp(embeddings[i] @ embeddings[j] / 0.1) for j in others)
        positives = [j for j in others if labels[j] == labels[i]]
        rows += [-sum(torch.log(torch.exp(embeddings[i] @ embeddings[j] / 0.1) / total) for j in positives)]
        rows[-1] /= len(positives)
    found = supervised_contrastive_loss(embeddings, (labels[:, None] == labels).float())
    assert found.item() == pytest.approx(torch.stack(rows).mean().item(), rel=1e-5)


def test_a_row_counts_by_its_weight() -> None:
    loss = supervised_contrastive_loss(EMBEDDINGS, torch.ones(3, 3), torch.tensor([1.0, 0.5, 2.0]))
    of_rows = [
        np.log(0.5 + 2 * np.exp(10)) - 10 * 2 / 2.5,
        np.log(1 + 2),
        np.log(np.exp(10) + 0.5) - 10 * 1 / 1.5,
    ]
    assert loss.item() == pytest.approx((of_rows[0] + 0.5 * of_rows[1] + 2 * of_rows[2]) / 3.5)


def test_a_row_with_the_weight_zero_changes_nothing() -> None:
    embeddings = torch.randn(4, 3, requires_grad=True)
    loss = supervised_contrastive_loss(embeddings, torch.ones(4, 4), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert torch.allclose(loss, supervised_contrastive_loss(embeddings[:3], torch.ones(3, 3)))
    gradient = torch.autograd.grad(loss, embeddings)[0]
    assert gradient.isfinite().all()
    assert not gradient[3].any()


def test_without_pairs_the_loss_is_zero_and_differentiable() -> None:
    embeddings = torch.randn(2, 4, requires_grad=True)
    tasks = [TaskConfig(**each) for each in tasks_of_each_type()[:2]]
    losses = contrastive_losses(embeddings, {"topic": torch.tensor([0, -100])}, tasks)
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0, 0]
    assert not embeddings.grad.any()


def test_unlabelled_rows_change_neither_value_nor_gradient() -> None:
    topic = TaskConfig(**tasks_of_each_type()[0])
    labelled = torch.randn(3, 4, requires_grad=True)
    more = torch.cat([labelled.detach(), torch.randn(2, 4)]).requires_grad_()
    losses = [
        supervised_contrastive_loss(each, label_similarity(torch.tensor(ids), topic))
        for each, ids in ((labelled, [0, 0, 1]), (more, [0, 0, 1, -100, -1]))
    ]
    gradients = [torch.autograd.grad(loss, each)[0] for loss, each in zip(losses, (labelled, more), strict=True)]
    assert torch.allclose(*losses)
    assert torch.allclose(gradients[0], gradients[1][:3])
    assert not gradients[1][3:].any()


def test_rows_are_paired_by_label() -> None:
    classes = np.array([[i % 4, -1] for i in range(16)])
    order = pair_by_label(np.random.default_rng(0).permutation(16), classes, np.random.default_rng(1))
    assert sorted(order) == list(range(16))
    assert [a % 4 for a in order[::2]] == [b % 4 for b in order[1::2]]


def test_rows_without_labels_are_in_no_pair_and_every_row_is_drawn() -> None:
    classes = np.array([[0, -1], [-1, -1], [0, 2], [-1, 2], [1, -1]])
    orders = [pair_by_label(np.arange(5), classes, np.random.default_rng(seed)) for seed in range(20)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 5


def test_a_label_with_an_odd_number_of_rows_splits_no_pair() -> None:
    labels = [0] * 3 + [1] * 5 + [2] * 4 + [3]
    orders = [pair_by_label(np.arange(13), np.array(labels)[:, None], np.random.default_rng(seed)) for seed in range(9)]
    for order in orders:
        assert sorted(order) == list(range(13))
        assert sum(labels[a] == labels[b] for a, b in zip(order[::2], order[1::2], strict=False)) == 1 + 2 + 2


def test_a_row_that_is_drawn_several_times_is_not_paired_with_itself() -> None:
    drawn = np.array([0, 1, 1, 1, 2, 0, 3, 3, 3, 3])  # row 3 alone has its label
    classes = np.array([[0], [0], [0], [1]])
    for seed in range(20):
        order = pair_by_label(np.random.default_rng(seed).permutation(drawn), classes, np.random.default_rng(seed))
        pairs = list(zip(order[::2], order[1::2], strict=True))
        assert sorted(order) == sorted(drawn)
        assert sum(classes[a, 0] == classes[b, 0] == 0 and a != b for a, b in pairs) == 3


def test_a_soft_label_counts_as_its_most_probable_label() -> None:
    three = TaskConfig(name="topic", problem_type="single_label_classification", labels=["a", "b"])
    tags = TaskConfig(name="tags", problem_type="multi_label_classification", labels=["x", "y"])
    rows = Dataset.from_list(
        [
            {"topic_distribution": {"a": a, "b": 1 - a}, "tags_distribution": {"x": x, "y": 0.9}}
            for a, x in ((0.7, 0.1), (0.9, 0.2), (0.2, 0.8), (0.5, 0.6))
        ]
    )
    found = label_classes(rows, [three, tags])
    assert found[:, 0].tolist() == [0, 0, 1, -100]
    assert found[0, 1] == found[1, 1] != found[2, 1] == found[3, 1]


def test_classes_are_the_labels_and_equal_sets() -> None:
    topic, tags, price = (
        TaskConfig(name="topic", problem_type="single_label_classification", labels=["a", "b"]),
        TaskConfig(name="tags", problem_type="multi_label_classification", labels=["x", "y"]),
        TaskConfig(name="price", problem_type="regression"),
    )
    rows = Dataset.from_dict({"topic": [1, None, 0], "tags": [[1, 0], [1, 0], [0, 0]], "price": [1.0, 2.0, None]})
    found = label_classes(rows, [topic, tags, price])
    assert found[:, 0].tolist() == [1, -100, 0]
    assert found[0, 1] == found[1, 1] != found[2, 1]
    assert found[:, 2].tolist() == [-1] * 3


def rows() -> Dataset:
    words = [("film", "bad", 0, 0), ("food", "good", 1, 1), ("phone", "bad", 2, 0), ("film", "good", 0, 1)]
    given = [{"text": f"the {a} was {b}", "topic": topic, "sentiment": tone} for a, b, topic, tone in words]
    given += [{"text": "the service was bad", "topic": None, "sentiment": None}]
    return Dataset.from_list(given * 4)


def trainer(
    folder: Path, tokenizer: PreTrainedTokenizerBase, *, lora: dict[str, Any] | None = None, **arguments: Any
) -> MultiTaskTrainer:
    torch.manual_seed(0)
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:2])
    model = MultiTaskModel(config)
    settings = {"phases": [CONTRASTIVE, HEADS], "num_train_epochs": 3, "per_device_train_batch_size": 4}
    settings |= {"learning_rates": {"heads": 1e-3, "backbone": 1e-3}, "report_to": "none", "disable_tqdm": True}
    settings |= {"use_cpu": True, "logging_steps": 1, "save_strategy": "no"}
    return MultiTaskTrainer(
        model=model if lora is None else add_lora(model, lora),
        args=MultiTaskTrainingArguments(str(folder), **{**settings, **arguments}),
        train_dataset=rows(),
        processing_class=tokenizer,
    )


def test_a_contrastive_phase_trains_the_encoder_and_no_head(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    run = trainer(tmp_path, tokenizer, phases=[{**CONTRASTIVE, "until": "epoch 1"}, HEADS], num_train_epochs=1)
    before = {name: each.clone() for name, each in run.model.named_parameters()}
    run.train()
    moved = {
        name.partition(".")[0] for name, each in run.model.named_parameters() if not torch.equal(each, before[name])
    }
    assert moved == {"backbone"}


def test_adapters_train_on_pairs_and_the_heads_after_them(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    run = trainer(tmp_path, tokenizer, lora={"r": 2}, phases=[{**CONTRASTIVE, "until": "epoch 1"}, HEADS])
    seen: list[dict[str, Tensor]] = []

    class Keep(TrainerCallback):
        def on_epoch_end(self, *args: Any, model: Any, **kwargs: Any) -> None:
            seen.append({name: each.detach().clone() for name, each in model.named_parameters()})

    run.add_callback(Keep())
    before = {name: each.clone() for name, each in run.model.named_parameters()}
    run.train()

    moved = [
        {name for name in one if not torch.equal(one[name], other[name])}
        for one, other in ((before, seen[0]), (seen[0], seen[-1]))
    ]
    assert {"lora_B" in name or "lora_A" in name for name in moved[0]} == {True}
    assert {"heads." in name for name in moved[1]} == {True}


def test_texts_of_one_topic_become_similar_and_others_dissimilar(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    run = trainer(tmp_path, tokenizer, phases=[{**CONTRASTIVE, "until": "epoch 20"}, HEADS], num_train_epochs=20)
    batch = MultiTaskCollator(tokenizer, run.model.config)(rows().select(range(4)).to_list())
    similar = label_similarity(batch["labels"]["topic"], run.model.config.tasks[0]) - torch.eye(4)  # 1 pair of 6

    def lead() -> float:
        with torch.no_grad():
            directions = F.normalize(run.model.eval()(**batch).embeddings, dim=-1)
        cosines = directions @ directions.T
        return (cosines[similar == 1].mean() - cosines[similar == 0][1:].mean()).item()

    before = lead()
    run.train()
    assert lead() > before + 0.1


def test_the_loss_of_a_step_is_the_mean_of_its_micro_batches(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    run = trainer(tmp_path, tokenizer, gradient_accumulation_steps=5, num_train_epochs=1)
    run.train()
    logged = next(entry for entry in run.state.log_history if "topic_loss" in entry)
    assert logged["loss"] == pytest.approx(logged["topic_loss"] + logged["sentiment_loss"], rel=1e-4)
    assert 0 < logged["topic_loss"] < np.log(3) + 20  # that of a row with three others is at most this


def test_a_phase_of_pairs_has_weights_of_tasks(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    phases = [{**CONTRASTIVE, "weights": {"sentiment": 0}}, HEADS]
    run = trainer(tmp_path, tokenizer, phases=phases, num_train_epochs=1)
    run.train()
    logged = next(entry for entry in run.state.log_history if "topic_loss" in entry)
    assert logged["loss"] == pytest.approx(logged["topic_loss"], rel=1e-4)


PAIRS = Phase(objective="contrastive", train=("backbone",), until="epoch 1")
ONLY_HEADS = Phase(train=("heads",))
IF_BAD = "topic_accuracy < 0.9"


@pytest.mark.parametrize(
    ("phases", "problems"),
    [
        ([replace(PAIRS, train=("embeddings", "layers.0", "last_layers.1")), ONLY_HEADS], []),
        (
            [replace(PAIRS, train=("layers.1", "heads.topic")), ONLY_HEADS],
            [
                "phases[0].train: 'heads.topic' has heads, but a contrastive phase trains only the encoder; write "
                "backbone, embeddings, layers.K, layers.A-B, last_layers.N"
            ],
        ),
        ([replace(PAIRS, train=("everything",), freeze=("heads",)), ONLY_HEADS], ["'everything' has heads, but"]),
        ([PAIRS], ["phases[0]: is contrastive, so its encoder no longer fits the heads; add a later phase without"]),
        ([PAIRS, Phase(train=("everything",), freeze=("heads",))], ["phases[0]: is contrastive, so its encoder"]),
        ([PAIRS, replace(ONLY_HEADS, only_if=IF_BAD)], ["phases[0]: is contrastive, so its encoder no longer fits"]),
        (
            [PAIRS, replace(ONLY_HEADS, only_if=IF_BAD, until="epoch 2"), ONLY_HEADS],
            ["phases[1].only_if: is 'topic_accuracy < 0.9', but the heads do not fit the encoder after a contrastive"],
        ),
        ([PAIRS, replace(ONLY_HEADS, until="epoch 2"), Phase(only_if=IF_BAD)], []),
        (
            [replace(PAIRS, until="no improvement of topic_accuracy for 2 evaluations"), ONLY_HEADS],
            ["phases[0].until: is 'no improvement of topic_accuracy for 2 evaluations', but every metric is one of"],
        ),
    ],
)
def test_problems_of_a_contrastive_phase(phases: list[Phase], problems: list[str]) -> None:
    found = phase_problems(phases, ["topic"], ["topic_accuracy"])
    assert len(found) == len(problems)
    assert all(problem in each for problem, each in zip(problems, found, strict=True))


@pytest.mark.parametrize("balancing", ["dwa", "uncertainty"])
def test_a_balancing_learns_nothing_from_pairs(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, balancing: str
) -> None:
    run = trainer(tmp_path, tokenizer, balancing=balancing, phases=[CONTRASTIVE, HEADS], num_train_epochs=2)
    before = run.balancing.attributes()
    run.train()
    assert run.balancing.attributes() == before


def test_lists_of_numbers_are_read_as_in_the_batches(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    tags = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["x", "y"]}
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[tags]))
    settings = {"phases": [CONTRASTIVE, HEADS], "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    run = MultiTaskTrainer(
        model=model,
        args=MultiTaskTrainingArguments(str(tmp_path), max_steps=1, save_strategy="no", **settings),
        train_dataset=Dataset.from_dict({"text": ["the film", "the food"], "tags": [[0, 1], [1, 0]]}),
        data_collator=MultiTaskCollator(tokenizer, model.config, list_forms={"tags": "multi_hot"}),
    )
    run.train()
    assert run.state.global_step == 1


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="objective is 'contrast'; it must be labels or contrastive; did you mean"):
        Phase(objective="contrast")  # type: ignore[arg-type]
