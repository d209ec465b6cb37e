"""Pooling: it gives the values of sentence-transformers for any padding."""

import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from modeling_multitask.modeling_multitask import pool
from modeling_multitask.sentence_transformers_multitask import POOLING_KEYS

RIGHT = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
LEFT = RIGHT.flip(1)

each_pooling = pytest.mark.parametrize("pooling", POOLING_KEYS)


def theirs(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    mode = "mean_sqrt_len_tokens" if pooling == "mean_sqrt_len" else pooling
    module = Pooling(states.shape[-1], pooling_mode=mode)
    return module({"token_embeddings": states, "attention_mask": mask})["sentence_embedding"]


@each_pooling
@pytest.mark.parametrize("mask", [RIGHT, LEFT], ids=["padded right", "padded left"])
def test_each_pooling_equals_that_of_sentence_transformers(pooling: str, mask: Tensor) -> None:
    # P59
    states = torch.randn(3, 5, 8)

    assert torch.allclose(pool(states, mask, pooling), theirs(states, mask, pooling), rtol=0, atol=1e-6)


@each_pooling
def test_padding_changes_nothing(pooling: str) -> None:
    states = torch.randn(1, 3, 8)
    padded = torch.cat([torch.randn(1, 2, 8), states, torch.randn(1, 4, 8)], dim=1)
    mask = torch.tensor([[0, 0, 1, 1, 1, 0, 0, 0, 0]])

    assert torch.allclose(pool(padded, mask, pooling), pool(states, None, pooling), atol=1e-6)


@each_pooling
def test_a_row_of_padding_alone_is_zeros(pooling: str) -> None:
    # P59: sentence-transformers gives -inf for max.
    assert torch.equal(pool(torch.randn(1, 4, 8), torch.zeros(1, 4, dtype=torch.long), pooling), torch.zeros(1, 8))


def test_cls_takes_the_first_token_behind_left_padding() -> None:
    # P59
    states = torch.arange(4.0).reshape(1, 4, 1)

    assert pool(states, torch.tensor([[0, 0, 1, 1]]), "cls").item() == 2


def test_the_tokens_of_bfloat16_states_are_counted_in_float32() -> None:
    # P60: in bfloat16 257 ones add up to 256, and this mean would be 1.
    states = torch.tensor([2.0] * 128 + [0.0] * 129, dtype=torch.bfloat16).reshape(1, 257, 1)

    mean = pool(states, torch.ones(1, 257, dtype=torch.long), "mean")

    assert mean.dtype == torch.bfloat16
    assert mean.item() == 0.99609375  # 256 / 257 in bfloat16
