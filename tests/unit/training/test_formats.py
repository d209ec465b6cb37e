"""Rows of `datasets` train and are evaluated in the same way in every format of `with_format`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch.utils.data import Subset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.training.class_weights import with_resolved_weights
from modeling_multitask.training.tokens import row_lengths
from tests.conftest import rows_of_each_type, tasks_of_each_type

FORMATS = ["torch", "numpy", "pandas", "polars", "arrow"]
SETTINGS: dict[str, dict[str, Any]] = {
    "by tokens": {"tokens_per_batch": 60},
    "by length": {"train_sampling_strategy": "group_by_length"},
    "balanced": {"sampling": {"strategy": "balanced", "task": "topic"}},
    "cached": {"freeze": "backbone"},
}


def trained(
    config: MultiTaskConfig, rows: Any, tokenizer: PreTrainedTokenizerBase, folder: Path, **settings: Any
) -> Any:
    """Train one epoch and return all figures: of training, of an evaluation, and the predictions."""
    torch.manual_seed(0)
    arguments = MultiTaskTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        learning_rates={"heads": 1e-2, "backbone": 1e-4},
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        prefix_cache={"folder": str(folder / "cache")},
        **settings,
    )
    model = MultiTaskModel(MultiTaskConfig(**config.to_dict()))
    trainer = MultiTaskTrainer(model, arguments, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer)
    loss = trainer.train().training_loss
    metrics = {name: each for name, each in trainer.evaluate().items() if "runtime" not in name and "per_" not in name}
    return loss, metrics, trainer.predict(rows).predictions["rating"].tolist()


@pytest.mark.parametrize(
    ("how", "kind"), [*(("plain", each) for each in FORMATS), *((how, "torch") for how in SETTINGS)]
)
def test_a_format_changes_no_figure(
    how: str, kind: str, config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    # P125
    rows = rows_of_each_type()

    found = trained(config, rows.with_format(kind), tokenizer, tmp_path / "one", **SETTINGS.get(how, {}))

    assert found == trained(config, rows, tokenizer, tmp_path / "other", **SETTINGS.get(how, {}))


def test_columns_that_a_format_hides_are_not_trained(
    config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows = rows_of_each_type()
    fewer = rows.select_columns(["text", "topic"])

    found = trained(config, rows.with_format("torch", columns=["text", "topic"]), tokenizer, tmp_path / "one")

    assert found == trained(config, fewer, tokenizer, tmp_path / "other")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_stream_of_any_format_is_trained(
    kind: str, config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    stream = rows_of_each_type().to_iterable_dataset()

    found = trained(config, stream.with_format(kind), tokenizer, tmp_path / "one", max_steps=2)

    assert found == trained(config, stream, tokenizer, tmp_path / "other", max_steps=2)


def test_a_loader_of_formatted_rows_has_plain_labels(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    arguments = MultiTaskTrainingArguments(str(tmp_path), use_cpu=True, report_to=[])
    trainer = MultiTaskTrainer(model, arguments, processing_class=tokenizer)

    batch = next(iter(trainer.get_test_dataloader(rows_of_each_type().with_format("torch"))))

    assert batch["labels"]["topic"].tolist()[:5] == [0, 1, 2, 0, -100]


def test_a_part_of_formatted_rows_is_trained(
    config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows = rows_of_each_type()

    found = trained(config, Subset(rows.with_format("torch"), range(8)), tokenizer, tmp_path / "one")

    assert found == trained(config, Subset(rows, range(8)), tokenizer, tmp_path / "other")


@pytest.mark.parametrize(
    "row",
    [
        {"text": np.str_("good"), "topic": np.int64(1), "tags": np.array([1.0, 0.0]), "rating": np.float32(0.5)},
        {"text": np.array("good"), "topic": np.array(1), "tags": np.array(["long"]), "rating": np.array(0.5)},
        {"text": "good", "topic": torch.tensor(1), "tags": torch.tensor([True, False]), "rating": torch.tensor(0.5)},
        {
            "text": "good",
            "topic": np.str_("food"),
            "tags": {"long": torch.tensor(1), "loud": np.int8(0)},
            "rating": 0.5,
        },
        {"text": "good", "topic": torch.tensor(1.0), "tags": [torch.tensor(1.0), torch.tensor(0.0)], "rating": 0.5},
    ],
    ids=["scalars", "arrays", "tensors", "names", "floats"],
)
def test_labels_of_numpy_and_torch_are_those_of_python(
    row: dict[str, Any], config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase
) -> None:
    batch = MultiTaskCollator(tokenizer, config)([row])

    assert batch["input_ids"].tolist() == [tokenizer("good")["input_ids"]]
    assert {name: batch["labels"][name].tolist() for name in ("topic", "tags", "rating")} == {
        "topic": [1],
        "tags": [[1, 0]],
        "rating": [0.5],
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_lengths_and_class_weights_need_no_plain_rows(kind: str, tokenizer: PreTrainedTokenizerBase) -> None:
    rows = rows_of_each_type()
    tokens = Dataset.from_dict({"input_ids": [[2, 7, 3], [2, 3]]})
    topic = TaskConfig(**tasks_of_each_type()[0])

    assert row_lengths(tokens.with_format(kind)).tolist() == [3, 2]
    weighted = [with_resolved_weights(topic, each, class_weights="balanced") for each in (rows, rows.with_format(kind))]
    assert weighted[0] == weighted[1]
