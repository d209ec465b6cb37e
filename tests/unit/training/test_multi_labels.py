"""The labels of multi-label tasks from Python: names, ids, zeros and ones, and texts with separated names."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
    TaskConfig,
)
from modeling_multitask.training.collator import labels_of
from tests.conftest import tiny_bert_config

TWO = TaskConfig("tags", "multi_label_classification", labels=["money", "question"])
FOUR = TaskConfig("tags", "multi_label_classification", labels=["money", "question", "praise", "late"])


def read(cells: list[Any], task: TaskConfig = FOUR) -> list[list[int]]:
    return labels_of([{"tags": cell} for cell in cells], [task])["tags"].tolist()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["money", "praise"], [1, 0, 1, 0]),
        (("late",), [0, 0, 0, 1]),
        ({"money", "praise"}, [1, 0, 1, 0]),
        (np.array(["money", "praise"]), [1, 0, 1, 0]),
        ([0, 2], [1, 0, 1, 0]),
        ([3], [0, 0, 0, 1]),
        (np.array([0, 2]), [1, 0, 1, 0]),
        ([np.int64(0), np.int64(2)], [1, 0, 1, 0]),
        ([0, 1, 2, 3], [1, 1, 1, 1]),
        ([], [0, 0, 0, 0]),
        ([1, 0, 1, 0], [1, 0, 1, 0]),
        ([1.0, 0.0, 1.0, 0.0], [1, 0, 1, 0]),
        (np.array([1.0, 0.0, np.nan, 0.0]), [1, 0, -100, 0]),
        (torch.tensor([1.0, 0.0, 1.0, 0.0]), [1, 0, 1, 0]),
        ([True, False, True, False], [1, 0, 1, 0]),
        ([1, 0, None, -1], [1, 0, -100, -100]),
        ("money;praise", [1, 0, 1, 0]),
        (" money , praise,", [1, 0, 1, 0]),
        (" ; ", [0, 0, 0, 0]),
        ("money | praise", [1, 0, 1, 0]),
        ("late", [0, 0, 0, 1]),
        ("", [-100] * 4),
        ({"money": 1, "praise": 0}, [1, -100, 0, -100]),
    ],
)
def test_several_labels_may_be_written_in_each_of_these_ways(given: Any, expected: list[int]) -> None:
    assert read([given]) == [expected]


def test_two_names_are_two_labels() -> None:
    assert read([["money", "question"]], TWO) == [[1, 1]]


def test_a_label_may_contain_a_separator() -> None:
    task = TaskConfig("tags", "multi_label_classification", labels=["a, b", "c"])

    assert read(["a, b", "a, b; c"], task) == [[1, 0], [1, 1]]


@pytest.mark.parametrize("given", [[0, 1], [1, 0], np.array([0, 1])])
def test_a_list_that_may_be_ids_or_zeros_and_ones_is_refused(given: Any) -> None:
    message = (
        r"task 'tags': \[\d, \d\] may be ids of labels, or zeros and ones; write names of labels, such as "
        r"\['money', 'question'\], or zeros and ones as floats, such as \[(0.0, 1.0|1.0, 0.0)\]"
    )

    with pytest.raises(ValueError, match=message):
        read([given, None], TWO)


@pytest.mark.parametrize("other", [[0], [1]])
def test_a_list_of_another_length_makes_a_column_of_ids(other: list[int]) -> None:
    assert read([[0, 1], other], TWO)[0] == read([other, [0, 1]], TWO)[1] == [1, 1]


@pytest.mark.parametrize(("other", "expected"), [([0], [1, 1]), ([0, 0], [0, 1]), ([1.0, 0.0], [0, 1])])
def test_an_empty_list_has_no_label_and_decides_nothing(other: list[Any], expected: list[int]) -> None:
    assert read([[], [0, 1], other], TWO)[:2] == [[0, 0], expected]
    with pytest.raises(ValueError, match=r"\[0, 1\] may be ids of labels, or zeros and ones"):
        read([[], [0, 1]], TWO)


@pytest.mark.parametrize("other", [[0, 0], [1, 1], [1, None], [1.0, 0.0]])
def test_a_list_with_repeats_or_gaps_makes_a_column_of_zeros_and_ones(other: list[Any]) -> None:
    assert read([[0, 1], other], TWO)[0] == read([other, [0, 1]], TWO)[1] == [0, 1]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([["mony"]], r"task 'tags': 'mony' is not one of its labels .*; did you mean 'money'"),
        (["money;prase"], r"task 'tags': 'prase' is not one of its labels .*; did you mean 'praise'"),
        ([["money", 1]], r"task 'tags': 1 is not one of its labels"),
        ([[0, 4]], r"task 'tags': 4 is not one of its class ids 0 to 3, in the list \[0, 4\]"),
        ([[-2]], r"task 'tags': -2 is not one of its class ids 0 to 3"),
        ([[2, 2]], r"the class id 2 is twice in \[2, 2\]"),
        ([[3], [0, 0, 1, 0]], r"the class id 0 is twice in \[0, 0, 1, 0\]; other rows show that lists are class ids"),
        ([[0, 0, 1, 0], [3]], r"1 zeros and ones are given, but it has 4 labels: \[3\]"),
        ([[0.5, 0.0, 0.0, 0.0]], r"0.5 is neither 0 nor 1, in the list"),
        ([[1.0]], r"1 zeros and ones are given, but it has 4 labels"),
        ([3], "3 is not a list of labels, a text with separated labels, or a dict by label"),
    ],
)
def test_several_labels_that_cannot_be_are_refused(cells: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(cells)


def test_the_message_has_the_text_of_the_row() -> None:
    with pytest.raises(ValueError, match=r"'mony' is not .* \(text: 'a film'\)"):
        labels_of([{"text": "a film", "tags": ["mony"]}], [FOUR])


@pytest.fixture
def trainer_of(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    def build(train: Any, evaluation: Any = None, **settings: Any) -> MultiTaskTrainer:
        return MultiTaskTrainer(
            model=_model(),
            args=MultiTaskTrainingArguments(str(tmp_path), max_steps=1, report_to="none", use_cpu=True),
            train_dataset=train,
            eval_dataset=evaluation,
            processing_class=tokenizer,
            **settings,
        )

    return build


def _model() -> MultiTaskModel:
    return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[TWO], max_length=16))


def table(*cells: Any, kind: Any = None) -> Dataset:
    rows = {"text": ["good"] * len(cells), "tags": list(cells)}
    features = Features({"text": Value("string"), "tags": List(kind)}) if kind else None
    return Dataset.from_dict(rows, features=features)


@pytest.mark.parametrize(
    ("last", "expected"), [([0], [1, 1]), ([0, 0], [0, 1])], ids=["a column of ids", "a column of zeros and ones"]
)
def test_the_trainer_reads_a_list_by_its_whole_column(trainer_of: Any, last: list[int], expected: list[int]) -> None:
    trainer = trainer_of(table([0, 1], [0, 1], last))

    batch = trainer.data_collator([{"text": "good", "tags": [0, 1]}])

    assert batch["labels"]["tags"].tolist() == [expected]


class OnDemand:
    """A table in the way of torch: rows by their place, and a length."""

    def __init__(self, rows: Dataset) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.rows[place % len(self.rows)]


@pytest.mark.parametrize("kind", [list, OnDemand, Dataset.to_iterable_dataset])
@pytest.mark.parametrize(("last", "expected"), [([0], [1, 1]), ([0, 0], [0, 1])])
def test_rows_of_each_kind_are_read_by_their_whole_column(
    trainer_of: Any, kind: Any, last: list[int], expected: list[int]
) -> None:
    trainer = trainer_of(kind(table([0, 1], [0, 1], last)))

    assert trainer.data_collator.targets_of([{"tags": [0, 1]}])["labels"]["tags"].tolist() == [expected]


@pytest.mark.parametrize("evaluated", ["evaluate", "predict"])
def test_rows_that_are_evaluated_alone_are_read_by_their_whole_column(trainer_of: Any, evaluated: str) -> None:
    trainer = trainer_of(None)

    getattr(trainer, evaluated)(table([0, 1], [0]))

    assert trainer.data_collator.list_forms == {"tags": "ids"}


def test_the_validation_rows_belong_to_the_column(trainer_of: Any) -> None:
    trainer = trainer_of(table([0, 1], [1, 0]), {"own": table([1, 0]), "other": table([1])})

    assert trainer.data_collator.list_forms == {"tags": "ids"}


def test_the_trainer_refuses_a_column_that_may_be_both(trainer_of: Any) -> None:
    with pytest.raises(ValueError, match=r"task 'tags': \[0, 1\] may be ids of labels, or zeros and ones"):
        trainer_of(table([0, 1], None, [1, 0]))


def test_floats_are_zeros_and_ones(trainer_of: Any) -> None:
    trainer = trainer_of(table([0, 1], [1, 0], kind=Value("float32")))

    assert trainer.data_collator.list_forms == {"tags": "multi_hot"}


def test_a_given_collator_learns_the_column_and_is_not_changed(
    trainer_of: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    given = MultiTaskCollator(tokenizer, _model().config)

    trainer = trainer_of(table([0, 1], [1]), data_collator=given)

    assert trainer.data_collator.list_forms == {"tags": "ids"}
    assert given.list_forms == {}


def test_a_given_collator_is_the_trainers_own_if_no_list_tells_anything(
    trainer_of: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    given = MultiTaskCollator(tokenizer, _model().config)

    assert trainer_of(table(["good"]), data_collator=given).data_collator is given


def test_a_form_that_is_given_to_the_collator_holds(trainer_of: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    collate = MultiTaskCollator(tokenizer, _model().config, list_forms={"tags": "multi_hot"})

    trainer = trainer_of(table([0, 1], [1, 0]), data_collator=collate)

    assert trainer.data_collator.targets_of([{"tags": [0, 1]}])["labels"]["tags"].tolist() == [[0, 1]]


def test_the_targets_of_a_new_head_are_read_from_rows_that_the_validation_rows_explain(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    rating = TaskConfig("rating", "regression")
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[TWO, rating], max_length=16))
    args = MultiTaskTrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    rows = table([0, 1]).add_column("rating", [3.0])

    MultiTaskTrainer(model, args, train_dataset=rows, eval_dataset=table([1]), processing_class=tokenizer)

    assert model.config.tasks[1].targets.mean == 3.0


@pytest.mark.parametrize(
    "cells",
    [
        [["money"], ["money", "question"]],
        [[0], [0, 1]],
        ["money", "money; question"],
        [[1.0, 0.0], [1.0, 1.0]],
        [[1, 0], [1, 1]],
    ],
    ids=["names", "ids", "texts", "floats", "zeros and ones"],
)
@pytest.mark.parametrize("source", [Dataset.from_dict, lambda rows: Dataset.from_pandas(pd.DataFrame(rows))])
def test_training_takes_each_way_to_write_several_labels(trainer_of: Any, source: Any, cells: list[Any]) -> None:
    trainer = trainer_of(source({"text": ["good", "bad"], "tags": cells}))

    batch = next(iter(trainer.get_train_dataloader()))

    assert sorted(batch["labels"]["tags"].tolist()) == [[1, 0], [1, 1]]
