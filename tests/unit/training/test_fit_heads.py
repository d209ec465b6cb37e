"""`fit_heads`: a linear head becomes a logistic regression on the embeddings of all training rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, IterableDataset
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.inference import encode
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.training.head_fitting import INVERSE_PENALTY, fit_heads
from modeling_multitask.training.lora import add_lora
from modeling_multitask.training.phase_fitting import HeadFittingCallback
from tests.conftest import tasks_of_each_type, tiny_bert_config

ROWS = 60
LINEAR = {"hidden_sizes": []}
PHASE = {"train": ["heads"], "fit_heads": True, "learning_rates": {"heads": 1e-9}}
CONTRASTIVE = {"objective": "contrastive", "train": ["backbone"], "until": "epoch 2"}


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), head=LINEAR))


@pytest.fixture
def embeddings(model: MultiTaskModel) -> Tensor:
    return F.normalize(torch.randn(ROWS, model.config.hidden_size, generator=torch.Generator().manual_seed(1)), dim=-1)


@pytest.fixture
def labels(embeddings: Tensor) -> dict[str, Tensor]:
    """Return labels that depend on the embeddings, with missing ones."""
    seen = embeddings + 0.05 * torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(2))
    known = {
        "topic": seen[:, :3].argmax(dim=1),
        "sentiment": (seen[:, 3] > 0).long(),
        "tags": (seen[:, 4:6] > 0).float(),
        "rating": 3 + 10 * seen[:, 6],
        "grade": (seen[:, 7] > -0.1).long() + (seen[:, 7] > 0.1).long(),
    }
    known["topic"][::7] = -100
    known["tags"][::5] = -100
    known["rating"][::4] = torch.nan
    return known


def logits(model: MultiTaskModel, embeddings: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return model.heads(embeddings)


@pytest.mark.parametrize("name", ["topic", "sentiment"])
def test_a_linear_head_is_the_logistic_regression_of_scikit_learn(
    model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor], name: str
) -> None:
    fit_heads(model, embeddings, labels)

    known = labels[name] >= 0
    expected = LogisticRegression(C=INVERSE_PENALTY, tol=1e-8, max_iter=10_000).fit(
        embeddings[known], labels[name][known]
    )
    found = logits(model, embeddings)[name]
    chances = found.softmax(dim=1) if name == "topic" else torch.cat([-found, found], dim=1).sigmoid()
    np.testing.assert_allclose(chances.numpy(), expected.predict_proba(embeddings), atol=2e-3)


@pytest.mark.parametrize("name", ["topic", "sentiment", "tags", "rating", "grade"])
def test_no_step_lowers_the_penalised_loss_further(
    model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor], name: str
) -> None:
    fit_heads(model, embeddings, labels)

    task = next(each for each in model.config.tasks if each.name == name)
    parameters = dict(getattr(model.heads, name).named_parameters())
    entries = int((labels[name] >= 0).sum()) if name != "rating" else int((~labels[name].isnan()).sum())
    penalty = sum(each.square().sum() for each in parameters.values() if each.ndim > 1) / (
        2 * INVERSE_PENALTY * entries
    )
    loss = masked_loss(model.heads(embeddings)[name], labels[name], task) + penalty
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    assert max(each.abs().max() for each in gradients) < 1e-4


def test_a_row_that_weighs_two_counts_twice(
    model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor]
) -> None:
    weights = torch.ones(ROWS)
    weights[:10] = 2
    fit_heads(model, embeddings, labels, weights)
    weighted = logits(model, embeddings)

    twice = torch.cat([torch.arange(ROWS), torch.arange(10)])
    fit_heads(model, embeddings[twice], {name: each[twice] for name, each in labels.items()})
    for name, each in logits(model, embeddings).items():
        assert torch.allclose(each, weighted[name], atol=2e-2), name


def test_soft_labels_are_fitted(model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor]) -> None:
    hard = F.one_hot(labels["topic"].clamp(min=0), 3).float()
    soft = (0.8 * hard + 0.2 / 3).where(labels["topic"][:, None] >= 0, torch.nan)
    fit_heads(model, embeddings, {**labels, "topic": soft})
    chances = logits(model, embeddings)["topic"].softmax(dim=1)[labels["topic"] >= 0]
    expected = soft[labels["topic"] >= 0].mean(dim=0)
    assert torch.allclose(chances.mean(dim=0), expected, atol=1e-3)  # as at the minimum over the biases


def test_a_task_without_labels_and_a_frozen_head_stay_as_they_are(
    model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor]
) -> None:
    before = logits(model, embeddings)
    model.heads.sentiment.requires_grad_(False)
    fit_heads(model, embeddings, {**labels, "topic": torch.full((ROWS,), -100)})
    after = logits(model, embeddings)
    assert [name for name in before if torch.equal(before[name], after[name])] == ["topic", "sentiment"]


def test_a_deeper_head_is_fitted_as_well(embeddings: Tensor, labels: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    head = {"hidden_sizes": [16], "dropout": 0.5}
    deep = MultiTaskModel(
        MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:1], head=head)
    )
    fit_heads(deep, embeddings, labels)
    known = labels["topic"] >= 0
    assert (logits(deep.eval(), embeddings)["topic"].argmax(dim=1) == labels["topic"])[known].float().mean() > 0.95


def rows(count: int = 20) -> Dataset:
    words = [("film", "bad", 0, 0), ("food", "good", 1, 1), ("phone", "bad", 2, 0), ("film", "good", 0, None)]
    each = [{"text": f"the {a} was {b}", "topic": topic, "sentiment": tone} for a, b, topic, tone in words]
    return Dataset.from_list([each[i % 4] for i in range(count)])


def trainer(folder: Path, tokenizer: PreTrainedTokenizerBase, **arguments: Any) -> MultiTaskTrainer:
    torch.manual_seed(0)
    model = MultiTaskModel(
        MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:2], head=LINEAR)
    )
    if lora := arguments.pop("lora", None):
        model = add_lora(model, lora)
    given = {"train_dataset": rows(), **{name: arguments.pop(name) for name in {"train_dataset"} & set(arguments)}}
    settings = {"phases": [PHASE], "num_train_epochs": 1, "report_to": "none", "disable_tqdm": True, "use_cpu": True}
    args = MultiTaskTrainingArguments(str(folder), **{**settings, "save_strategy": "no", **arguments})
    return MultiTaskTrainer(model=model, args=args, processing_class=tokenizer, **given)


@pytest.mark.parametrize("lora", [None, {"r": 2}])
def test_the_heads_of_a_phase_are_fitted_to_the_embeddings_of_the_training_rows(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, lora: Any
) -> None:
    run = trainer(tmp_path, tokenizer, lora=lora)
    before = {name: each.clone() for name, each in run.model.named_parameters() if "heads" not in name}
    run.train()

    model = run.model.get_base_model() if lora else run.model
    embeddings = encode(model.eval(), rows()["text"], tokenizer=tokenizer)
    known = [i for i in range(20) if rows()[i]["sentiment"] is not None]
    tones = [rows()[i]["sentiment"] for i in known]
    expected = LogisticRegression(C=INVERSE_PENALTY, tol=1e-8).fit(embeddings[known], tones)
    found = model.heads(torch.tensor(embeddings))["sentiment"].sigmoid()[:, 0].detach().numpy()
    np.testing.assert_allclose(found, expected.predict_proba(embeddings)[:, 1], atol=5e-3)
    assert all(torch.equal(each, before[name]) for name, each in run.model.named_parameters() if name in before)


def test_heads_are_fitted_after_the_contrastive_phase_and_only_once(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    run = trainer(tmp_path, tokenizer, phases=[CONTRASTIVE, PHASE], num_train_epochs=4)
    steps = []
    fit = run.fit_heads
    callback = next(each for each in run.callback_handler.callbacks if isinstance(each, HeadFittingCallback))
    callback.fit = lambda: (steps.append(run.state.global_step), fit())
    run.train()
    assert steps == [6]  # three steps in each of two epochs


@pytest.mark.parametrize("average", [{"ema": 0.9}, {"last": 2}])
def test_an_average_begins_with_the_fitted_heads(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, average: dict[str, Any]
) -> None:
    weights = []
    for name, settings in (("plain", {}), ("average", {"average": average, "save_strategy": "epoch"})):
        run = trainer(tmp_path / name, tokenizer, num_train_epochs=2, **settings)
        run.train()
        weights.append({key: each.clone() for key, each in run.model.heads.named_parameters()})
    assert all(torch.allclose(each, weights[1][key], atol=1e-6) for key, each in weights[0].items())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"phases": [{"train": ["backbone"], "fit_heads": True}]}, r"phases\[0\].fit_heads: this phase trains no head"),
        ({"phases": [{**CONTRASTIVE, "fit_heads": True}, PHASE]}, r"phases\[0\].fit_heads: this phase trains no head"),
        (
            {"train_dataset": IterableDataset.from_generator(lambda: iter(rows())), "max_steps": 1},
            "fit_heads: needs the training rows as a datasets.Dataset, but they are a IterableDataset",
        ),
        ({"train_dataset": Dataset.from_dict({"input_ids": [[2, 3]], "topic": [0]})}, "fit_heads: the training data"),
    ],
)
def test_problems_of_fit_heads(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        trainer(tmp_path, tokenizer, **arguments)
