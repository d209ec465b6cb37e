"""Padded batches of texts of similar length."""

import numpy as np
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig
from modeling_multitask.inference.batches import batches_of, padded, tokenized_blocks


def test_batches_take_the_longest_first_and_keep_to_their_tokens() -> None:
    batches = batches_of(np.array([3, 9, 4, 9, 2]), tokens_per_batch=18)

    assert [batch.tolist() for batch in batches] == [[1, 3], [2, 0, 4]]


def test_a_text_longer_than_a_batch_is_one_by_itself() -> None:
    assert [batch.tolist() for batch in batches_of(np.array([50, 3]), tokens_per_batch=10)] == [[0], [1]]


def test_a_batch_without_padding_has_no_mask(config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    (block,) = tokenized_blocks(tokenizer, config, ["good film", "bad soup", "bad"])

    assert set(padded(block, np.array([0, 1]), tokenizer)) == {"input_ids", "token_type_ids"}
    assert padded(block, np.array([0, 2]), tokenizer)["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_padding_is_where_the_tokenizer_wants_it(config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    (block,) = tokenized_blocks(tokenizer, config, ["good film", "bad"])
    tokenizer.padding_side = "left"

    batch = padded(block, np.array([0, 1]), tokenizer)

    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert batch["input_ids"][1].tolist() == [tokenizer.pad_token_id, *tokenizer("bad")["input_ids"]]
