"""A message about a row of a table has the number of the row."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from modeling_multitask.errors import RowError
from modeling_multitask.training.collator import labels_of
from modeling_multitask.training.label_statistics import start_heads
from modeling_multitask.training.samplers import row_groups
from modeling_multitask.training.sampling import Sampling
from tests.conftest import WORDS, tasks_of_each_type, tiny_bert_config

ROWS = 24
WRONG = {
    "topic": ("filn", r"task 'topic': 'filn' is not one of its labels .*; did you mean 'film'\? \(text: 'the good'\)"),
    "sentiment": ("neutral", "task 'sentiment': 'neutral' is not one of its labels"),
    "tags": ([1.0], "task 'tags': 1 zeros and ones are given, but it has 2 labels"),
    "text": (None, "column 'text' is None; it must be a string; remove the rows without a text, or give an empty text"),
}
GOOD: dict[str, Any] = {"topic": "film", "sentiment": "negative", "tags": [1.0, 0.0], "text": "the good"}


def table(name: str, value: Any, place: int = 17) -> Dataset:
    """Return rows of which one has an invalid value."""
    return Dataset.from_dict(
        {
            "text": [f"the {WORDS[i % 3]}" for i in range(ROWS)],
            name: [value if i == place else GOOD[name] for i in range(ROWS)],
            **({} if name == "topic" else {"topic": ["film"] * ROWS}),
        }
    )


@pytest.fixture
def model() -> MultiTaskModel:
    """A model whose new heads are not started from the labels of all rows before training."""
    return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:3]))


def trainer_of(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: Path, train: Any, **settings: Any
) -> MultiTaskTrainer:
    tables = {name: settings.pop(name) for name in ("eval_dataset",) if name in settings}
    arguments = MultiTaskTrainingArguments(
        str(folder), num_train_epochs=1, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, **settings
    )
    return MultiTaskTrainer(model, arguments, train_dataset=train, processing_class=tokenizer, **tables)


@pytest.mark.parametrize("name", list(WRONG))
@pytest.mark.parametrize(
    "settings",
    [{}, {"train_sampling_strategy": "group_by_length"}, {"freeze": "backbone"}],
    ids=["", "length", "cache"],
)
def test_training_names_the_row(
    name: str, settings: dict, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    # P126
    value, message = WRONG[name]
    settings = {**settings, "prefix_cache": {"folder": str(tmp_path / "cache")}}

    with pytest.raises(ValueError, match=rf"^train_dataset\[17\]: {message}"):
        trainer_of(model, tokenizer, tmp_path, table(name, value), **settings).train()


def test_a_process_that_loads_rows_names_the_row(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    trainer = trainer_of(model, tokenizer, tmp_path, table("topic", "filn"), dataloader_num_workers=1)

    with pytest.raises(ValueError, match=r"^train_dataset\[17\]: task 'topic': 'filn'"):
        trainer.train()


def test_an_evaluation_names_its_table_and_row(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    wrong = table("topic", "filn", place=5)
    trainer = trainer_of(model, tokenizer, tmp_path, None, eval_dataset={"a": table("topic", "film"), "b": wrong})

    with pytest.raises(ValueError, match=r"^eval_dataset\['b'\]\[5\]: task 'topic'"):
        trainer.evaluate()
    with pytest.raises(ValueError, match=r"^eval_dataset\[5\]: task 'topic'"):
        trainer.evaluate(wrong)
    with pytest.raises(ValueError, match=r"^test_dataset\[5\]: task 'topic'"):
        trainer.predict(wrong)


def test_an_evaluation_during_training_names_its_row(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    tables = {"eval_dataset": table("topic", "filn", place=5), "eval_strategy": "epoch"}

    with pytest.raises(ValueError, match=r"^eval_dataset\[5\]: task 'topic'"):
        trainer_of(model, tokenizer, tmp_path, table("topic", "film"), **tables).train()


def test_a_stream_names_the_row_of_its_batch(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    stream = table("topic", "filn").to_iterable_dataset()

    with pytest.raises(RowError, match=r"^rows\[1\]: task 'topic': 'filn' .* \(text: 'the good'\)"):
        trainer_of(model, tokenizer, tmp_path, stream, max_steps=3, per_device_train_batch_size=8).train()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": 3}, r"column 'text' is 3; it must be a string$"),
        ({"text": float("nan")}, r"column 'text' is nan; it must be a string; remove the rows without a text"),
        ({"text": pd.NA}, r"column 'text' is <NA>; it must be a string; remove the rows without a text"),
        ({"topic": 1}, r"column 'text' is None; it must be a string; remove the rows without a text"),
        ({"text": "a", "topic": [1]}, r"task 'topic': \[1\] is not one of its class ids 0 to 2.* \(text: 'a'\)"),
        ({"text": "a", "topic": {"a": 1}}, r"task 'topic': \{'a': 1\} is not one of its class ids 0 to 2"),
        ({"text": "a", "topic": float("inf")}, "task 'topic': inf is not one of its class ids 0 to 2"),
        ({"text": "a", "rating": "high"}, "task 'rating': 'high' is not a number; a missing one is None or NaN"),
        ({"text": "a", "rating": [1.0]}, r"task 'rating': \[1.0\] is not a number"),
        ({"text": "a", "tags": 7}, "task 'tags': 7 is not a list of labels"),
        ({"text": "a", "tags": [[1, 0], [0, 1]]}, r"task 'tags': \[1, 0\] is neither 0 nor 1"),
        ({"text": "a", "tags": [1.0, 0.0, 1.0]}, "task 'tags': 3 zeros and ones are given, but it has 2 labels"),
    ],
)
def test_a_batch_names_the_row(
    row: dict, message: str, config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(RowError, match=rf"^rows\[1\]: {message}"):
        MultiTaskCollator(tokenizer, config)([{"text": "good"}, row])


def test_a_second_text_is_checked_too(config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(RowError, match=r"^rows\[1\]: column 'text_pair' is None; it must be a string"):
        MultiTaskCollator(tokenizer, config)([{"text": "a", "text_pair": "b"}, {"text": "a", "text_pair": None}])


@pytest.mark.parametrize("missing", [pd.NA, pd.NaT, torch.tensor(float("nan"))])
def test_a_missing_label_of_pandas_is_missing(missing: Any, config: MultiTaskConfig) -> None:
    labels = labels_of([{"topic": missing, "tags": missing, "rating": missing}], config.tasks)

    assert labels["topic"].tolist() == [-100]
    assert labels["tags"].tolist() == [[-100, -100]]
    assert labels["rating"].isnan().all()


def test_a_number_below_0_with_log1p_names_its_row(config: MultiTaskConfig) -> None:
    tasks = [{"name": "price", "problem_type": "regression", "transform": "log1p"}]
    model = MultiTaskModel(MultiTaskConfig(backbone_config=config.backbone_config, tasks=tasks))

    with pytest.raises(RowError, match=r"^train_dataset\[1\]: task 'price': -2.0 is not a number from 0, which"):
        start_heads(model, Dataset.from_dict({"price": [1.0, -2.0]}))


def test_the_classes_to_balance_name_the_row() -> None:
    rows = Dataset.from_dict({"topic": ["film", "food"]})

    with pytest.raises(ValueError, match="needs integers in the column 'topic', but row 0 has 'film'"):
        row_groups(rows, Sampling(strategy="balanced", task="topic"))
