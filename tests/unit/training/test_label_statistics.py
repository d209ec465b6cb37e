"""New heads start from the training labels, so that no task depends on the scale of its numbers."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoModel, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments, TaskConfig
from modeling_multitask.answers_multitask import answers, decide
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.output_layers_multitask import StandardizedLinear
from modeling_multitask.tasks_multitask import TargetStatistics, parse_task
from modeling_multitask.training import label_statistics
from modeling_multitask.training.growing import grow, inherited_tasks
from modeling_multitask.training.label_statistics import start_heads, target_statistics
from modeling_multitask.training.lora import add_lora
from tests.conftest import random_batch, rows_of_each_type, tiny_bert_config

RATING = {"name": "rating", "problem_type": "regression"}
PRICE = {"name": "price", "problem_type": "regression", "transform": "log1p"}
GRADE = {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]}
TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]}


def model_of(*tasks: Any) -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks), max_length=16)).eval()


def trained(
    model: Any, rows: Any, folder: Path, tokenizer: PreTrainedTokenizerBase, **settings: Any
) -> MultiTaskTrainer:
    arguments = MultiTaskTrainingArguments(
        folder,
        learning_rates={"heads": 1e-2, "backbone": 1e-3},
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **{"num_train_epochs": 3, "per_device_train_batch_size": 8, **settings},
    )
    trainer = MultiTaskTrainer(model, arguments, train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    return trainer


def scaled(rows: Dataset, factor: float, shift: float) -> Dataset:
    return rows.map(lambda row: {"rating": None if row["rating"] is None else factor * row["rating"] + shift})


def test_neither_the_task_nor_its_neighbour_depends_on_the_scale(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    batch, logits = random_batch(vocab_size=23), []
    for factor, shift in ((1.0, 0.0), (1e5, 7e4)):
        rows = scaled(rows_of_each_type(), factor, shift)
        trainer = trained(model_of(TOPIC, RATING), rows, tmp_path, tokenizer)
        logits.append(trainer.model.eval().cpu()(**batch).logits)

    (small, large) = logits
    torch.testing.assert_close(large["topic"], small["topic"], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(large["rating"], 1e5 * small["rating"] + 7e4, atol=100, rtol=1e-3)


def test_an_untrained_head_answers_about_the_mean() -> None:
    model = model_of(RATING)
    start_heads(model, Dataset.from_dict({"rating": [2019.0, 2021.0, None, 2023.0]}))

    assert model(**random_batch()).logits["rating"].flatten().tolist() == pytest.approx([2021] * 6, abs=1)


def test_statistics_are_those_of_the_known_targets() -> None:
    model = model_of(RATING)
    start_heads(model, Dataset.from_dict({"rating": [1.0, 2.0, None, 6.0]}))

    targets, std = model.config.tasks[0].targets, np.std([1, 2, 6])
    assert (targets.mean, targets.minimum, targets.median, targets.maximum) == (3, 1, 2, 6)
    assert (targets.std, model.heads.rating[-1].target_std.item()) == pytest.approx((std, std))


def test_equal_targets_have_a_deviation_of_1() -> None:
    assert target_statistics(torch.full((3,), 5.0), TaskConfig(**RATING)).std == 1


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_before_training(number: float) -> None:
    with pytest.raises(ValueError, match=r"^train_dataset\[1\]: task 'rating': the number is -?inf; it must be finite"):
        start_heads(model_of(RATING), Dataset.from_dict({"rating": [1.0, number]}))


def test_a_stream_is_read_as_far_as_needed() -> None:
    model = model_of(RATING)
    start_heads(model, Dataset.from_dict({"rating": [1.0, 3.0]}).to_iterable_dataset())

    assert model.config.tasks[0].targets.mean == 2


def test_a_stream_is_read_until_each_task_has_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_statistics, "LEAST_STREAMED", 2)
    model = model_of(RATING)
    start_heads(model, Dataset.from_dict({"rating": [None] * 5 + [8.0]}).to_iterable_dataset())

    assert model.config.tasks[0].targets.mean == 8


@pytest.mark.parametrize("rows", [None, Dataset.from_dict({"text": ["a"]}), Dataset.from_dict({"rating": [None]})])
def test_without_labels_nothing_changes(rows: Any) -> None:
    model = model_of(RATING, GRADE)
    start_heads(model, rows)

    assert model.config.tasks[0].targets is None
    assert not model.heads.grade[-1].cuts.any()


def test_the_loss_is_in_units_of_the_deviation() -> None:
    task = TaskConfig(**RATING, targets=TargetStatistics(mean=100, std=10))

    loss = masked_loss(torch.tensor([[110.0], [80.0]]), torch.tensor([100.0, 100.0]), task)

    assert loss.item() == (1 + 4) / 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_numbers_in_half_precision_have_the_digits_of_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    model = model_of({**RATING, "targets": TargetStatistics(mean=260_001, std=0.5)})
    model.save_pretrained(tmp_path)

    for each in (model.to(dtype), MultiTaskModel.from_pretrained(tmp_path, dtype=dtype)):
        assert each.dtype == dtype
        logits = each(**random_batch()).logits["rating"]
        assert logits.dtype == torch.float32
        assert logits.flatten().tolist() == pytest.approx([260_001] * 6, abs=0.5)


def test_a_saved_model_keeps_its_scale(tmp_path: Path) -> None:
    model = model_of(RATING, GRADE)
    start_heads(model, Dataset.from_dict({"rating": [1.0, 2.0, 6.0], "grade": [0, 2, 2]}))
    model.save_pretrained(tmp_path)

    loaded = AutoModel.from_pretrained(tmp_path)

    assert loaded.config.tasks == model.config.tasks
    torch.testing.assert_close(loaded(**(batch := random_batch())).logits, model(**batch).logits)


def test_a_trained_head_keeps_its_scale_on_other_rows() -> None:
    model = model_of(RATING, GRADE)
    start_heads(model, Dataset.from_dict({"rating": [1.0, 3.0], "grade": [0, 2]}))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    start_heads(model, Dataset.from_dict({"rating": [100.0, 300.0], "grade": [1, 1]}))

    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_a_kept_task_of_another_model_keeps_scale_and_decision() -> None:
    trained_model = model_of(PRICE, {**GRADE, "decision": "mode"})
    start_heads(trained_model, Dataset.from_dict({"price": [1.0, 300.0], "grade": [0, 2]}))
    bare = [
        {"name": name, "problem_type": kind}
        for name, kind in (("price", "regression"), ("grade", GRADE["problem_type"]))
    ]

    grown = grow(trained_model, inherited_tasks(bare, trained_model.config.tasks, {}))

    assert [task.targets for task in grown.config.tasks] == [task.targets for task in trained_model.config.tasks]
    assert [(task.transform, task.decision) for task in grown.config.tasks] == [("log1p", None), (None, "mode")]
    torch.testing.assert_close(grown(**(batch := random_batch())).logits, trained_model(**batch).logits)


def test_another_transform_is_refused_for_a_trained_task() -> None:
    with pytest.raises(
        ValueError, match=r"'price': its transform is none, but it was trained with log1p; give the new"
    ):
        inherited_tasks([{**PRICE, "transform": "none"}], [TaskConfig(**PRICE)], {})


def test_adapters_train_heads_with_the_same_scale() -> None:
    wrapped = add_lora(model_of(RATING), {"r": 2})
    start_heads(wrapped, Dataset.from_dict({"rating": [2019.0, 2023.0]}))

    scales = [each.target_mean.item() for each in wrapped.modules() if isinstance(each, StandardizedLinear)]
    assert scales == [2021, 2021]
    assert wrapped.merge_and_unload().heads.rating[-1].target_std.item() == 2


def test_each_trial_of_a_search_starts_from_the_labels(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    trainer = MultiTaskTrainer(
        model_of(RATING),
        MultiTaskTrainingArguments(tmp_path, report_to="none"),
        train_dataset=rows_of_each_type(),
        processing_class=tokenizer,
    )
    trainer.model_init = lambda: model_of(RATING)

    assert trainer.call_model_init().config.tasks == trainer.model.config.tasks


def test_with_log1p_logits_are_logarithms_and_answers_are_in_the_units_of_the_targets() -> None:
    task = TaskConfig(**PRICE)
    logits = {"price": torch.tensor([[math.log1p(999.0)], [0.0]])}

    assert decide(logits, [task])["price"].chosen.tolist() == pytest.approx([999, 0], rel=1e-5)
    assert [each["price"]["score"] for each in answers(logits, [task])] == pytest.approx([999, 0], rel=1e-5)


def test_with_log1p_the_loss_compares_logarithms() -> None:
    task = TaskConfig(**PRICE, targets=TargetStatistics(mean=3, std=2))

    loss = masked_loss(torch.tensor([[4.0]]), torch.tensor([math.expm1(2)]), task)

    assert loss.item() == pytest.approx(1)


def test_with_log1p_statistics_are_those_of_the_logarithms_and_the_range_is_in_own_units() -> None:
    found = target_statistics(torch.tensor([0.0, 9.0, 99.0]).double(), TaskConfig(**PRICE))

    assert (found.minimum, found.median, found.maximum) == (0, 9, 99)
    assert found.mean == pytest.approx(np.log1p([0, 9, 99]).mean())


def test_with_log1p_equal_targets_have_a_deviation_of_1() -> None:
    assert target_statistics(torch.full((300,), 9.99).double(), TaskConfig(**PRICE)).std == 1


def test_a_kept_task_is_read_with_its_transform() -> None:
    (inherited,) = inherited_tasks([{"name": "price", "problem_type": "regression"}], [TaskConfig(**PRICE)], {})

    assert inherited["transform"] == "log1p"


def test_with_log1p_an_absurd_logit_gives_a_finite_number() -> None:
    task = TaskConfig(**PRICE)

    assert decide({"price": torch.tensor([[1e4]])}, [task])["price"].chosen.isfinite()


def test_with_log1p_a_negative_target_is_refused() -> None:
    with pytest.raises(ValueError, match=r"task 'price': -1.0 is not a number from 0, which transform: log1p needs"):
        masked_loss(torch.zeros(1, 1), torch.tensor([-1.0]), TaskConfig(**PRICE))


def test_a_transform_is_for_regression() -> None:
    with pytest.raises(
        StrictDataclassClassValidationError,
        match="task 'topic': transform is for regression; this is single_label_class",
    ):
        parse_task({**TOPIC, "transform": "log1p"})


def test_a_score_of_0_gives_the_training_frequencies() -> None:
    model = model_of(GRADE)
    start_heads(model, Dataset.from_dict({"grade": [0] * 600 + [1] * 100 + [2] * 300 + [None] * 50}))
    layer = model.heads.grade[-1]

    logits = layer(torch.zeros(1, layer.score.in_features))

    (task,) = model.config.tasks
    assert task.kind.probabilities(logits, task)[0].tolist() == pytest.approx([0.6, 0.1, 0.3], abs=1e-3)


def test_a_label_without_a_training_row_has_a_small_share() -> None:
    model = model_of(GRADE)
    start_heads(model, Dataset.from_dict({"grade": [0] * 50 + [2] * 50}))

    assert model.heads.grade[-1].cuts.isfinite().all()


def test_an_ordinal_answer_is_the_median_or_the_mode() -> None:
    scores = torch.tensor([[0.4, 0.25, 0.35], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])

    chosen = {name: TaskConfig(**GRADE, decision=name) for name in ("median", "mode")}
    decided = {name: task.kind.decide(scores, task).tolist() for name, task in chosen.items()}

    assert decided == {"median": [1, 0, 2], "mode": [0, 0, 2]}


def test_the_median_is_the_default_and_the_middle_label_is_answered() -> None:
    # Gaps of ln 2, as in a head without training labels: the mode is never the middle label.
    task, ln2 = TaskConfig(**GRADE), math.log(2)
    logits = torch.stack([torch.tensor([score, score - ln2]) for score in (-3.0, ln2 / 2, 3.0)])

    assert decide({"grade": logits}, [task])["grade"].chosen.tolist() == [0, 1, 2]


def test_top_k_of_an_ordinal_task_is_sorted_by_probability() -> None:
    scores = torch.tensor([[0.4, 0.25, 0.35]])
    above = scores.flip(-1).cumsum(-1).flip(-1)[:, 1:].logit()

    (answer,) = answers({"grade": above}, [TaskConfig(**GRADE)])
    (ranked,) = answers({"grade": above}, [TaskConfig(**GRADE)], top_k=None)

    assert answer["grade"]["label"] == "fair"
    assert answer["grade"]["score"] == pytest.approx(0.25)
    assert [each["label"] for each in ranked["grade"]] == ["poor", "fine", "fair"]


def test_an_ordinal_task_that_depends_on_another_uses_the_mode() -> None:
    above = torch.tensor([[0.6, 0.35]]).logit()
    given = {**GRADE, "given": {"task": "topic", "labels": ["food"]}}
    tasks = model_of(TOPIC, given).config.tasks

    decided = decide({"topic": torch.tensor([[0.0, 9.0, 0.0]]), "grade": above}, tasks)

    assert decided["grade"].chosen.tolist() == [0]


def test_a_decision_is_for_ordinal_tasks() -> None:
    with pytest.raises(
        StrictDataclassClassValidationError,
        match="task 'rating': decision is for ordinal_regression; this is regression",
    ):
        parse_task({**RATING, "decision": "mode"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_of_an_ordinal_task_is_the_logarithm_of_the_scores(dtype: torch.dtype) -> None:
    task = TaskConfig(**GRADE)
    logits = torch.tensor([[3.0, 1.0], [-2.0, -2.5], [0.5, 0.5 - 1e-3], [60.0, -60.0]], dtype=dtype)

    for labels in (torch.tensor([0, 1, 2, 1]), torch.tensor([2, -100, 1, 1])):
        known = labels >= 0
        expected = -task.kind.probabilities(logits.double(), task)[known, labels[known]].log().mean()
        torch.testing.assert_close(masked_loss(logits, labels, task), expected.to(dtype), rtol=1e-3, atol=1e-3)


def test_the_loss_of_equal_cut_points_is_finite_with_a_gradient() -> None:
    logits = torch.zeros(3, 2, requires_grad=True)

    masked_loss(logits, torch.tensor([0, 1, 2]), TaskConfig(**GRADE)).backward()

    assert logits.grad.isfinite().all()
