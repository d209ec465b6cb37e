"""The frozen part of an encoder: its extent in every family, and equal outputs for passes that start after it."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from modeling_multitask import MultiTaskModel
from modeling_multitask.training.freezing import train_only, trained_parameters
from modeling_multitask.training.prefix.frozen import FrozenPrefix, encoder_layers, frozen_layers
from tests.conftest import random_batch
from tests.unit.test_modeling import FAMILIES, of_family

LISTED = [family for family in FAMILIES if family != "albert"]


def of_family_training(family: str, *parts: str) -> MultiTaskModel:
    model = of_family(family).eval()
    train_only(model, trained_parameters(model, parts, ()))
    return model


@pytest.mark.parametrize(
    ("parts", "layers"),
    [
        (("everything",), None),
        (("embeddings", "heads"), None),
        (("layers.0", "heads"), 0),
        (("layers.4", "heads"), 4),
        (("last_layers.1",), 5),
        (("heads",), 6),
    ],
)
def test_layers_are_frozen_from_the_bottom_up_to_the_first_that_trains(
    parts: tuple[str, ...], layers: int | None
) -> None:
    assert frozen_layers(of_family_training("minilm", *parts)) == layers


def test_adapters_train_where_they_are() -> None:
    model = of_family("minilm")
    adapted: Any = get_peft_model(model, LoraConfig(target_modules=r".*layer\.[45]\.attention\.self\.query"))

    assert frozen_layers(adapted) == 4


@pytest.mark.parametrize("family", LISTED)
def test_the_layers_of_an_encoder_are_found_in_their_order(family: str) -> None:
    model = of_family(family)
    seen = []
    for i, layer in enumerate(encoder_layers(model)):
        layer.register_forward_hook(lambda *_called, number=i: seen.append(number))

    model(**random_batch())

    assert seen == list(range(6 if family == "minilm" else 2))


def test_layers_that_are_shared_cannot_be_entered_in_the_middle() -> None:
    model = of_family_training("albert", "heads")

    assert encoder_layers(model) != []
    with pytest.raises(ValueError, match="cannot start at a middle layer, because its layers are not one list"):
        FrozenPrefix(model, 1)


@pytest.mark.parametrize("family", LISTED)
def test_a_pass_that_starts_behind_the_frozen_layers_is_the_same(family: str) -> None:
    model = of_family_training(family, "last_layers.1", "heads")
    prefix, batch = FrozenPrefix(model, frozen_layers(model) or 0), random_batch()
    whole = model(**batch)
    whole.logits["topic"].sum().backward()
    expected = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad()

    states = prefix.states(batch)
    with prefix.entered_with(states):
        entered = model(**batch)
    entered.logits["topic"].sum().backward()

    assert torch.equal(entered.last_hidden_state, whole.last_hidden_state)
    found = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_frozen_layers_do_not_run() -> None:
    model = of_family_training("minilm", "last_layers.2", "heads")
    prefix, batch = FrozenPrefix(model, 4), random_batch()
    states = prefix.states(batch)
    run: list[Any] = []
    for layer in encoder_layers(model)[:4]:
        layer.attention.register_forward_hook(lambda *called: run.append(called))

    with prefix.entered_with(states):
        model(**batch)

    assert run == []
    model(**batch)
    assert len(run) == 4


def test_checkpointed_layers_are_computed_again_from_the_same_states() -> None:
    # Their inputs are only known until the forward pass ends.
    model = of_family_training("minilm", "last_layers.2", "heads")
    prefix, batch = FrozenPrefix(model, 4), random_batch()
    states = prefix.states(batch)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            # As transformers calls it since 5.23, and before.
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
        with prefix.entered_with(states):
            model(**batch).logits["topic"].sum().backward()
        gradients.append(model.backbone.encoder.layer[4].output.dense.weight.grad.clone())
        model.zero_grad()

    assert torch.allclose(*gradients, atol=1e-6)
    assert gradients[0].abs().max() > 0


def test_positions_that_all_layers_share_belong_to_the_lowest_part() -> None:
    # They are registered behind the layers; trained with the topmost, they would change what all others give.
    model = of_family_training("mpnet", "last_layers.1")

    assert not model.backbone.encoder.relative_attention_bias.weight.requires_grad
    assert frozen_layers(model) == 1


def test_frozen_layers_that_depend_on_something_that_trains_are_refused() -> None:
    # P78
    model = of_family_training("mpnet", "last_layers.1")
    model.backbone.encoder.relative_attention_bias.requires_grad_(True)

    with pytest.raises(ValueError, match=r"depends on 'encoder.relative_attention_bias.weight', which trains"):
        FrozenPrefix(model, 1)


def test_an_encoder_that_does_something_between_its_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = of_family_training("minilm", "last_layers.2")
    encoder = type(model.backbone.encoder)

    def forward(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions as Output

        for layer in self.layer:
            hidden_states = layer(hidden_states.roll(1, dims=-1), *args, **kwargs)
        return Output(last_hidden_state=hidden_states)

    monkeypatch.setattr(encoder, "forward", forward)

    with pytest.raises(ValueError, match="because its layers pass on more than states"):
        FrozenPrefix(model, 4)


def test_the_model_is_left_in_the_mode_it_was_in() -> None:
    model = of_family_training("minilm", "last_layers.2").train()
    model.backbone.embeddings.eval()

    FrozenPrefix(model, 4)

    assert model.training
    assert not model.backbone.embeddings.training
    assert "forward" not in vars(encoder_layers(model)[0])
