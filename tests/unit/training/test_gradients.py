"""The tasks' gradients on the encoder: their comparison, and their combination into one."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torchjd.aggregation as jd
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.balancing_methods import GRADIENT_BALANCING
from modeling_multitask.training.gradients import GradientBalancing, TaskGradients, gradient_cosines, set_gradient
from tests.unit.training.test_balancing import TASKS, rows, tiny_trainer, train, whole_state

# Two tasks in conflict, a third at right angles to both.
CONFLICT = torch.tensor([[3.0, 1.0, 0.0, 0.0], [-1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
# The same aggregator of torchjd, and how large its result is made.
DIRECT = {
    "pcgrad": (jd.PCGrad, 1.0),
    "cagrad": (lambda: jd.CAGrad(c=0.5), 3 / 1.5),  # of a mean over three tasks to which 0.5 of one is added
    "upgrad": (jd.UPGrad, 3.0),
    "mgda": (jd.MGDA, 3.0),
    "nash_mtl": (lambda: jd.NashMTL(n_tasks=3, max_norm=0.0), CONFLICT.norm()),  # by itself of one length for all
    "aligned_mtl": (jd.AlignedMTL, 3.0),
}
# transformers 5.23 gives it a new name, and the old one a warning.
CHECKPOINTING = next(
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in MultiTaskTrainingArguments.__dataclass_fields__
)


@pytest.fixture
def shared() -> list[nn.Parameter]:
    """Two parameters, 1 and (2, 3)."""
    return [nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor([2.0, 3.0]))]


@pytest.fixture
def build(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    def trainer(**settings: Any) -> MultiTaskTrainer:
        return tiny_trainer(tmp_path, tokenizer, TASKS, settings.pop("train", None) or rows(), **settings)

    return trainer


@pytest.fixture
def build_twins(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Two tasks with heads of the same weights: with the same labels they agree, with others they do not."""
    tasks = [{"name": name, "problem_type": "binary_classification", "labels": ["no", "yes"]} for name in ("a", "b")]
    labels = [i % 2 for i in range(16)]

    def trainer(*, agree: bool, **settings: Any) -> MultiTaskTrainer:
        columns = {"text": rows()["text"], "a": labels, "b": labels if agree else [1 - label for label in labels]}
        trainer = tiny_trainer(tmp_path, tokenizer, tasks, Dataset.from_dict(columns), **settings)
        trainer.model.heads.b.load_state_dict(trainer.model.heads.a.state_dict())
        return trainer

    return trainer


def balancing(name: str) -> GradientBalancing:
    """On one process."""
    return GradientBalancing(name, Accelerator(cpu=True))


def task_gradients() -> TaskGradients:
    """Of the tasks a and b, on one process."""
    return TaskGradients(["a", "b"], Accelerator(cpu=True))


def recorded(trainer: MultiTaskTrainer) -> list[dict]:
    """The lines of the log that hold a cosine."""
    return [line for line in trainer.state.log_history if any(name.endswith("_cosine") for name in line)]


def far_from(one: Tensor, other: Tensor) -> float:
    """The norm of the difference over the norm of the second."""
    return ((one - other).norm() / other.norm()).item()


def test_each_row_is_the_gradient_of_one_task_over_all_shared_parameters(shared: list[nn.Parameter]) -> None:
    gradients = task_gradients()

    gradients.add({"a": shared[0] ** 2 + shared[1].sum(), "b": shared[1][0] * shared[1][1]}, shared)

    assert gradients.take().tolist() == [[2.0, 1.0, 1.0], [0.0, 3.0, 2.0]]


def test_micro_batches_add_up(shared: list[nn.Parameter]) -> None:
    gradients = task_gradients()

    gradients.add({"a": shared[0] ** 2, "b": shared[1].sum()}, shared)
    gradients.add({"a": shared[0] * 5, "b": shared[1][0] ** 2}, shared)

    assert gradients.take().tolist() == [[7.0, 0.0, 0.0], [0.0, 5.0, 1.0]]


def test_a_step_that_was_taken_is_not_in_the_next(shared: list[nn.Parameter]) -> None:
    gradients = task_gradients()
    gradients.add({"a": shared[0] ** 2, "b": shared[1].sum()}, shared)
    gradients.take()

    gradients.add({"a": shared[0] * 5, "b": shared[1].sum()}, shared)

    assert gradients.take().tolist() == [[5.0, 0.0, 0.0], [0.0, 1.0, 1.0]]


def test_there_is_something_to_take_after_adding_and_nothing_after_taking(shared: list[nn.Parameter]) -> None:
    gradients = task_gradients()
    before = bool(gradients)
    gradients.add({"a": shared[0] ** 2, "b": shared[1].sum()}, shared)
    between = bool(gradients)
    gradients.take()

    assert (before, between, bool(gradients)) == (False, True, False)


def test_comparing_leaves_no_gradient_on_the_parameters(shared: list[nn.Parameter]) -> None:
    task_gradients().add({"a": shared[0] ** 2, "b": shared[1].sum()}, shared)

    assert [parameter.grad for parameter in shared] == [None, None]


def test_a_flat_gradient_is_laid_over_the_parameters_in_their_shapes(shared: list[nn.Parameter]) -> None:
    set_gradient(shared, torch.tensor([7.0, 8.0, 9.0]))

    assert [parameter.grad.tolist() for parameter in shared] == [7.0, [8.0, 9.0]]


@pytest.mark.parametrize(
    ("other", "cosine"), [([2.0, 0.0], 1.0), ([-3.0, 0.0], -1.0), ([0.0, 4.0], 0.0), ([1.0, 1.0], math.sqrt(0.5))]
)
def test_the_cosine_is_that_between_two_directions(other: list[float], cosine: float) -> None:
    found = gradient_cosines(torch.tensor([[1.0, 0.0], other]), ["a", "b"])

    assert found == {"a_b_cosine": pytest.approx(cosine, rel=1e-6)}


def test_very_small_gradients_have_a_cosine_too() -> None:
    # In float32 their product alone would be 0.
    assert gradient_cosines(torch.tensor([[1e-18, 0.0], [1e-18, 0.0]]), ["a", "b"]) == {
        "a_b_cosine": pytest.approx(1.0)
    }


def test_a_task_without_a_gradient_has_no_cosine() -> None:
    found = gradient_cosines(torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), ["a", "b", "c"])

    assert found == {"a_c_cosine": 1.0}


@pytest.mark.filterwarnings("ignore:.*parameterized problem that is not DPP")  # of Nash-MTL, called directly
@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_gradients_are_combined_as_torchjd_does(name: str) -> None:
    make, scale = DIRECT[name]
    torch.manual_seed(1)  # PCGrad draws an order
    direct = make()(CONFLICT)
    torch.manual_seed(1)

    combined = balancing(name).combine(CONFLICT)

    # The solvers see the matrix at another length; in float32 that is felt in the fifth digit.
    assert far_from(combined, direct * scale) < 1e-4


@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_the_combination_grows_and_shrinks_with_the_gradients(name: str) -> None:
    # torchjd takes gradients shorter than 0.01 for none: CAGrad would give zeros, UPGrad the plain sum.
    torch.manual_seed(1)
    combined = balancing(name).combine(CONFLICT)
    torch.manual_seed(1)

    small = balancing(name).combine(CONFLICT * 1e-4)

    assert far_from(small * 1e4, combined) < 1e-4


@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_a_task_without_labels_has_no_say(name: str) -> None:
    two = CONFLICT[:2]
    with_a_third = torch.stack([two[0], torch.zeros(4), two[1]])

    assert torch.equal(balancing(name).combine(with_a_third), balancing(name).combine(two))


@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_one_task_alone_gives_its_own_gradient(name: str) -> None:
    alone = torch.tensor([[0.0, 0.0], [3.0, -4.0], [0.0, 0.0]])

    assert balancing(name).combine(alone).tolist() == [3.0, -4.0]


def test_a_step_without_any_label_gives_a_gradient_of_zeros() -> None:
    assert balancing("upgrad").combine(torch.zeros(2, 3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_where_gradients_are_the_same_the_combination_is_their_sum(name: str) -> None:
    # To 1e-3, at which MGDA and the solvers stop; float32 rounding alone is seen.
    same = torch.tensor([0.3, -0.4, 1.2]).expand(3, 3)

    assert far_from(balancing(name).combine(same), same.sum(dim=0)) < 1e-3


@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_no_task_loses_by_the_combination(name: str) -> None:
    combined = balancing(name).combine(CONFLICT)

    assert (CONFLICT @ combined).min() > -1e-3 * combined.norm()


@pytest.mark.compat
@pytest.mark.parametrize("name", GRADIENT_BALANCING)
def test_a_model_trains_on_combined_gradients(build: Any, name: str) -> None:
    trainer = build(balancing=name, max_steps=2, per_device_train_batch_size=8, gradient_accumulation_steps=2)
    before = whole_state(trainer)

    trainer.train()

    moved = (whole_state(trainer) - before).abs()
    assert moved.isfinite().all()
    assert moved.max() > 0


@pytest.mark.parametrize("name", ["pcgrad", "upgrad"])
def test_the_combined_gradient_does_not_depend_on_how_a_step_is_cut(build: Any, name: str) -> None:
    whole = train(build(balancing=name)).of_model[0]

    cut = train(build(balancing=name, per_device_train_batch_size=4, gradient_accumulation_steps=4)).of_model[0]

    assert far_from(cut, whole) <= 5e-6


def test_gradients_are_combined_in_float32_where_the_model_runs_in_bfloat16(build: Any) -> None:
    # bfloat16 has 8 bits: the gradients of a pass in it are 1 % off, and were they kept in it, no sum would be closer.
    exact = train(build(balancing="pcgrad")).of_model[0]

    rounded = train(build(balancing="pcgrad", bf16=True)).of_model[0]

    assert rounded.dtype == torch.float32
    assert 0 < far_from(rounded, exact) < 0.05


def test_the_heads_gradients_are_those_of_the_plain_sum(build: Any) -> None:
    plain = train(build()).of_heads[0]

    assert torch.equal(train(build(balancing="mgda")).of_heads[0], plain)


def test_the_encoders_gradient_is_the_combination_of_the_tasks(build: Any) -> None:
    trainer = build(balancing="mgda")
    kept = train(trainer).of_model[0]
    by_hand = build()
    shared = list(by_hand.model.backbone.parameters())
    outputs = by_hand.model(**by_hand.data_collator(rows().to_list()))
    each = [torch.autograd.grad(outputs.task_losses[t["name"]], shared, retain_graph=True) for t in TASKS]
    matrix = torch.stack([torch.cat([part.flatten() for part in parts]) for parts in each])

    combined = jd.MGDA()(matrix) * 2

    assert far_from(kept[: matrix.shape[1]], combined) < 5e-6


def test_pcgrad_of_tasks_that_agree_is_their_sum(build_twins: Any) -> None:
    plain = train(build_twins(agree=True)).of_model[0]

    combined = train(build_twins(agree=True, balancing="pcgrad")).of_model[0]

    assert far_from(combined, plain) <= 5e-6


def test_pcgrad_of_tasks_at_right_angles_is_their_sum() -> None:
    assert balancing("pcgrad").combine(torch.tensor([[2.0, 0.0], [0.0, 3.0]])).tolist() == pytest.approx([2.0, 3.0])


def test_pcgrad_of_tasks_in_conflict_is_not_their_sum(build_twins: Any) -> None:
    plain = train(build_twins(agree=False)).of_model[0]

    combined = train(build_twins(agree=False, balancing="pcgrad")).of_model[0]

    assert far_from(combined, plain) > 0.1


def test_a_frozen_encoder_has_no_gradients_to_combine(build: Any) -> None:
    plain, combined = build(freeze="backbone"), build(freeze="backbone", balancing="upgrad", conflict="log")
    plain.train()

    combined.train()

    assert torch.equal(whole_state(combined), whole_state(plain))


@pytest.mark.parametrize("settings", [{"balancing": "pcgrad"}, {"conflict": "log"}])
def test_gradient_checkpointing_changes_no_gradient(build: Any, settings: dict) -> None:
    plain = train(build(**settings, dropout=0.1)).of_model[0]

    spared = train(build(**settings, dropout=0.1, **{CHECKPOINTING: True})).of_model[0]

    assert far_from(spared, plain) <= 5e-6


def test_checkpointing_that_cannot_give_the_gradient_of_each_task_says_so(build: Any) -> None:
    trainer = build(balancing="pcgrad", **{CHECKPOINTING: True, f"{CHECKPOINTING}_kwargs": {"use_reentrant": True}})

    with pytest.raises(RuntimeError, match=r"(?s)use_reentrant=True.*set\s+use_reentrant=False"):
        trainer.train()


def test_what_the_bargain_starts_from_survives_resume(build: Any, tmp_path: Path) -> None:
    # P19
    settings = {"balancing": "nash_mtl", "max_steps": 4}
    whole = build(**settings, save_strategy="steps", save_steps=2)
    whole.train()

    resumed = build(**settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))

    assert torch.equal(whole_state(resumed), whole_state(whole))


def test_a_second_training_bargains_anew(build: Any) -> None:
    trainer = build(balancing="nash_mtl")
    trainer.train()

    trainer.gradient_balancing.on_train_begin(trainer.args, type(trainer.state)(), trainer.control)

    assert trainer.gradient_balancing.state()["attributes"] == {}


def test_a_missing_torchjd_is_an_error_with_its_extra_before_training(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)

    with pytest.raises(ImportError, match=r"torchjd is not installed; .* extra 'balancing'"):
        build(balancing="pcgrad")


def test_other_balancings_need_no_torchjd(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)

    trainer = build(balancing="uncertainty", conflict="log")
    trainer.train()

    assert len(recorded(trainer)) == 1


@pytest.mark.parametrize("compiles", [{"torch_compile": True}, {"torch_compile_backend": "eager"}])
@pytest.mark.parametrize(
    ("settings", "what"), [({"balancing": "pcgrad"}, "balancing: pcgrad"), ({"conflict": "log"}, "conflict: log")]
)
def test_a_compiled_model_and_gradients_of_each_task_are_mutually_exclusive(
    build: Any, compiles: dict, settings: dict, what: str
) -> None:
    # P20
    with pytest.raises(
        ValueError, match=f"{what} needs the gradient of each task, which torch_compile does not support"
    ):
        build(**settings, **compiles)


def test_fp16_and_combined_gradients_are_mutually_exclusive(build: Any) -> None:
    # The combined gradient would not be scaled as the heads' is.
    with pytest.raises(ValueError, match="balancing: pcgrad does not work with fp16, which scales the loss; use bf16"):
        build(balancing="pcgrad", fp16=True)


def test_fp16_that_accelerate_was_launched_with_is_refused_as_well(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")

    with pytest.raises(ValueError, match="balancing: pcgrad does not work with fp16"):
        build(balancing="pcgrad")


def test_the_cosine_of_every_pair_is_logged_at_the_steps_asked_for(build: Any) -> None:
    trainer = build(conflict="log", conflict_steps=2, max_steps=5)

    trainer.train()

    assert [(line["step"], -1 <= line["topic_rating_cosine"] <= 1) for line in recorded(trainer)] == [
        (0, True),
        (2, True),
        (4, True),
    ]


@pytest.mark.parametrize(("agree", "cosine"), [(True, 1.0), (False, -1.0)])
def test_tasks_of_the_same_or_opposite_labels_agree_or_do_not(build_twins: Any, agree: bool, cosine: float) -> None:
    # A head that says 0.5 of every row: opposite labels give the same gradient but for its sign.
    trainer = build_twins(agree=agree, conflict="log")
    trainer.model.heads.requires_grad_(False)
    for head in (trainer.model.heads.a, trainer.model.heads.b):
        head[-1].weight.mul_(1e-3)

    trainer.train()

    assert recorded(trainer)[0]["a_b_cosine"] == pytest.approx(cosine, abs=1e-3)


def test_the_cosine_does_not_depend_on_how_a_step_is_cut(build: Any) -> None:
    whole = build(conflict="log")
    whole.train()

    cut = build(conflict="log", per_device_train_batch_size=4, gradient_accumulation_steps=4)
    cut.train()

    assert recorded(cut)[0]["topic_rating_cosine"] == pytest.approx(recorded(whole)[0]["topic_rating_cosine"], abs=5e-6)


@pytest.mark.parametrize(("steps", "lines"), [(3, 3), (51, 26)])
def test_at_most_fifty_cosines_are_logged_unless_said_otherwise(build: Any, steps: int, lines: int) -> None:
    trainer = build(conflict="log", max_steps=steps, train=rows(4))

    trainer.train()

    assert len(recorded(trainer)) == lines


def test_a_step_with_labels_of_one_task_alone_logs_no_line(build: Any) -> None:
    trainer = build(conflict="log", train=rows(without=("rating",)))

    trainer.train()

    assert [line for line in trainer.state.log_history if "train_loss" not in line] == []


@pytest.mark.parametrize("settings", [{}, {"balancing": "upgrad"}, {"balancing": "uncertainty", "bf16": True}])
def test_logging_the_conflict_changes_no_weight(build: Any, settings: dict) -> None:
    plain = build(max_steps=3, dropout=0.1, **settings)
    plain.train()

    logging = build(max_steps=3, dropout=0.1, conflict="log", conflict_steps=2, **settings)
    logging.train()

    assert torch.equal(whole_state(logging), whole_state(plain))


def test_logging_the_conflict_changes_no_gradient(build: Any) -> None:
    plain = train(build(dropout=0.1)).of_model[0]

    assert torch.equal(train(build(dropout=0.1, conflict="log")).of_model[0], plain)
