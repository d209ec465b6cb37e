"""The tokens of training rows: truncated or in windows, counted, and padded into batches."""

from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskCollator, MultiTaskConfig, MultiTaskModel
from modeling_multitask.training.tokens import IS_LONG, padded_rows, row_lengths, row_tokens
from tests.conftest import tasks_of_each_type, tiny_bert_config


def config_of(max_length: int, long_texts: str = "truncate") -> MultiTaskConfig:
    return MultiTaskConfig(
        backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=max_length, long_texts=long_texts
    )


CONFIG, WINDOWS = config_of(16), config_of(6, "windows")
LONG = "the film was not very good and the plot was boring"  # 11 words; "and" is none that the tokenizer knows


def table(**columns: Any) -> Dataset:
    return Dataset.from_dict(columns)


def test_a_long_text_is_said_to_be_long_and_is_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = row_tokens(tokenizer, config_of(6), [LONG, "the film was good"])

    assert rows[IS_LONG] == [True, False]  # with its first and last token the second has just six
    assert [len(ids) for ids in rows["input_ids"]] == [6, 6]


def test_windows_hold_every_token_once_between_the_first_and_the_last(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = row_tokens(tokenizer, WINDOWS, [LONG, "bad"])

    whole = tokenizer(LONG)["input_ids"]
    assert [token for window in rows["input_ids"][0] for token in window[1:-1]] == whole[1:-1]
    assert {(window[0], window[-1]) for window in rows["input_ids"][0]} == {(whole[0], whole[-1])}
    assert [len(window) for window in rows["input_ids"][0]] == [6, 6, 5]
    assert (len(rows["input_ids"][1]), rows[IS_LONG]) == (1, [True, False])


def test_windows_of_a_table_make_the_batch_that_its_texts_make(tokenizer: PreTrainedTokenizerBase) -> None:
    texts = ["bad", LONG, "the soup was tasty"]
    rows = Dataset.from_dict({**row_tokens(tokenizer, WINDOWS, texts)})
    collate = MultiTaskCollator(tokenizer, WINDOWS)

    from_tokens = collate([rows[i] for i in range(3)])
    from_texts = collate([{"text": text} for text in texts])

    assert from_tokens["overflow_to_sample_mapping"].tolist() == [0, 1, 1, 1, 2]
    for name in ("input_ids", "attention_mask", "overflow_to_sample_mapping"):
        assert torch.equal(from_tokens[name], from_texts[name])


def test_a_batch_of_windows_has_one_answer_and_one_label_for_each_text(tokenizer: PreTrainedTokenizerBase) -> None:
    model = MultiTaskModel(WINDOWS).eval()
    rows = [{"text": LONG, "topic": 1}, {"text": "bad", "topic": 0}]

    output = model(**MultiTaskCollator(tokenizer, WINDOWS)(rows))

    assert output.logits["topic"].shape == (2, 3)
    assert output.loss > 0


def test_rows_without_windows_are_padded_as_the_tokenizer_pads_them(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = [{"input_ids": [2, 5, 3]}, {"input_ids": [2, 3]}]

    assert padded_rows(tokenizer, rows)["input_ids"].tolist() == [[2, 5, 3], [2, 3, 0]]


def test_windows_of_pairs_are_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ValueError, match="'windows', which does not work for pairs of texts; set it to 'truncate'"):
        row_tokens(tokenizer, WINDOWS, ["good"], ["bad"])


def test_a_row_in_windows_is_as_long_as_all_of_them(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = Dataset.from_dict({**row_tokens(tokenizer, WINDOWS, ["bad", LONG])})

    assert row_lengths(rows).tolist() == row_lengths([rows[0], rows[1]]).tolist() == [3, 17]
    assert row_lengths(table(text=["bad", LONG]), tokenizer, WINDOWS).tolist() == [3, 17]


def test_a_text_is_as_long_as_its_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    # Two more than words: the first and the last token of a sentence.
    assert row_lengths(table(text=["good film", "bad"]), tokenizer, CONFIG).tolist() == [4, 3]


def test_a_text_is_no_longer_than_the_collator_lets_it_be(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.model_max_length = 8

    assert row_lengths(table(text=["good " * 50, "bad"]), tokenizer, CONFIG).tolist() == [16, 3]


def test_texts_in_a_list_have_the_same_lengths_as_in_a_table(tokenizer: PreTrainedTokenizerBase) -> None:
    assert row_lengths([{"text": "good film"}, {"text": "bad"}], tokenizer, CONFIG).tolist() == [4, 3]


def test_a_pair_is_as_long_as_both_its_texts(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = {"text": ["good film", "bad"], "text_pair": ["bad soup", ""]}

    assert row_lengths(table(**rows), tokenizer, CONFIG).tolist() == [7, 4]  # three tokens besides the words


def test_pairs_in_a_list_have_the_same_lengths_as_in_a_table(tokenizer: PreTrainedTokenizerBase) -> None:
    assert row_lengths([{"text": "good film", "text_pair": "bad soup"}], tokenizer, config_of(6)).tolist() == [6]


def test_tokens_that_are_there_are_counted() -> None:
    assert row_lengths(table(input_ids=[[1, 2, 3], [1]])).tolist() == [3, 1]


def test_tokens_in_a_list_of_rows_are_counted() -> None:
    assert row_lengths([{"input_ids": [1, 2, 3]}, {"input_ids": [1]}]).tolist() == [3, 1]


def test_the_lengths_of_a_shuffled_table_are_in_its_order() -> None:
    rows = table(input_ids=[[1, 2, 3], [1], [1, 2]]).select([2, 0, 1])

    assert row_lengths(rows).tolist() == [2, 3, 1]


def test_lengths_without_tokens_and_without_a_tokenizer_are_refused() -> None:
    with pytest.raises(ValueError, match="the rows have no input_ids, and there is no tokenizer"):
        row_lengths(table(text=["good"]))
