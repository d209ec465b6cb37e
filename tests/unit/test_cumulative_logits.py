"""The head of an ordinal regression: its cut points stay ascending during training."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.output_layers_multitask import CumulativeLogits

LN2 = math.log(2)
any_parameters = st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=8)

RANKS = TaskConfig("t", "ordinal_regression", num_labels=4)


def head_with(cuts: list[float]) -> CumulativeLogits:
    """Of width 2, with a random score and the given parameters of its cut points."""
    head = CumulativeLogits(2, len(cuts))
    head.cuts.data = torch.tensor(cuts)
    return head


@settings(max_examples=200, deadline=None)
@given(any_parameters)
def test_logits_never_ascend_whatever_the_parameters(cuts: list[float]) -> None:
    # Equal they may be: a gap of softplus(-1000) is 0 in float32.
    logits = head_with(cuts)(torch.randn(4, 2))

    assert (logits.diff(dim=-1) <= 0).all()


@settings(max_examples=200, deadline=None)
@given(any_parameters, st.sampled_from([torch.float32, torch.bfloat16]))
def test_no_rank_has_a_negative_probability(cuts: list[float], dtype: torch.dtype) -> None:
    logits = head_with(cuts).to(dtype)(torch.randn(4, 2, dtype=dtype))

    assert (RANKS.kind.probabilities(logits, RANKS) >= 0).all()


@settings(max_examples=200, deadline=None)
@given(any_parameters)
def test_the_probabilities_of_all_ranks_sum_to_1(cuts: list[float]) -> None:
    sums = RANKS.kind.probabilities(head_with(cuts)(torch.randn(4, 2)), RANKS).sum(dim=-1)

    # Each of at most 9 differences rounds by at most 2 ** -24.
    assert torch.allclose(sums, torch.ones(4), rtol=0, atol=1e-6)


def test_there_is_one_logit_less_than_there_are_ranks() -> None:
    assert CumulativeLogits(2, 3)(torch.randn(5, 2)).shape == (5, 3)


def test_logits_are_the_score_less_each_cut_point() -> None:
    head = head_with([1.0, 0.0, 0.0])
    head.score.weight.data = torch.tensor([[2.0, -1.0]])

    # The score of (3, 1) is 5; a gap is softplus(0) = ln 2.
    assert head(torch.tensor([[3.0, 1.0]])).tolist() == [pytest.approx([4, 4 - LN2, 4 - 2 * LN2])]


def test_every_parameter_gets_a_gradient() -> None:
    head = head_with([0.5, 0.0, -1.0])

    head(torch.randn(3, 2)).square().sum().backward()

    assert all(parameter.grad.count_nonzero() == parameter.numel() for parameter in head.parameters())


def test_ranks_along_a_line_are_learned() -> None:
    # Four ranks with uneven bounds, -1, 0.2 and 0.5.
    place = torch.linspace(-2, 2, 41).unsqueeze(1)
    ranks = (place > torch.tensor([-1.0, 0.2, 0.5])).sum(dim=1)
    task, head = TaskConfig("t", "ordinal_regression", num_labels=4), CumulativeLogits(1, 3)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.3)

    for _ in range(300):
        optimizer.zero_grad()
        masked_loss(head(place), ranks, task).backward()
        optimizer.step()

    assert task.kind.probabilities(head(place), task).argmax(dim=-1).tolist() == ranks.tolist()


def test_cut_points_of_a_new_model_are_evenly_spaced(model: MultiTaskModel) -> None:
    assert model.heads.grade[-1].cuts.tolist() == [0, 0]


def test_cut_points_come_back_as_they_were_saved(tmp_path: Path, model: MultiTaskModel) -> None:
    # P41
    model.heads.grade[-1].cuts.data = torch.tensor([-0.75, 1.5])
    model.save_pretrained(tmp_path)

    assert MultiTaskModel.from_pretrained(tmp_path).heads.grade[-1].cuts.tolist() == [-0.75, 1.5]


def test_cut_points_of_another_number_are_zeros_and_not_garbage(tmp_path: Path, model: MultiTaskModel) -> None:
    # P40
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    changed = {n: torch.ones(5) if ".cuts" in n else value for n, value in load_file(path).items()}
    save_file(changed, path, {"format": "pt"})

    loaded = MultiTaskModel.from_pretrained(tmp_path, ignore_mismatched_sizes=True)
    assert loaded.heads.grade[-1].cuts.tolist() == [0, 0]
