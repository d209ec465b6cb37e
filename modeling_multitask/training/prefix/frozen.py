"""The frozen layers at the bottom of an encoder: their number, their output, and forward passes that start after them.

The code assumes only that the layers of an encoder are numbered and called one after the other.

Shapes: B rows, T tokens, D width of the encoder, L layers, K frozen layers at the bottom.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...modeling_multitask import MultiTaskModel
from ..parameter_groups import FIRST_NUMBER, parameter_depths


def frozen_layers(model: MultiTaskModel) -> int | None:
    """Return K, the number of frozen layers: L if the whole encoder is frozen, `None` if the embeddings train.

    Args:
        model: The model, with or without adapters of peft.
    """
    depths, top = parameter_depths(model)
    trained = [depths[name] for name, each in model.named_parameters() if each.requires_grad and depths[name] <= top]
    return (None if min(trained) == 0 else min(trained) - 1) if trained else top


def encoder_layers(model: MultiTaskModel) -> list[nn.Module]:
    """Return the L layers of the encoder, in order. The list is empty without one list of layers, as in ALBERT."""
    modules: dict[int, set[str]] = {}
    for name, _ in model.backbone.named_parameters():
        if number := FIRST_NUMBER.search(name):
            modules.setdefault(int(number[1]), set()).add(name[: number.end(1)])
    paths = [modules.get(i, set()) for i in range(len(modules))]
    lists = {path.rpartition(".")[0] for each in paths for path in each}
    if len(lists) != 1 or any(len(each) != 1 for each in paths):
        return []
    return [model.backbone.get_submodule(*each) for each in paths]


class FrozenPrefix:
    """The frozen part of an encoder whose upper layers train.

    Args:
        model: The model, with or without adapters of peft.
        layers: K, at least 1 and less than L.

    Raises:
        ValueError: If the layers of the encoder are not found, or the output of the frozen layers depends on trainable
            parameters, such as relative positions that all layers share.
    """

    def __init__(self, model: MultiTaskModel, layers: int) -> None:
        self.model = model
        self._layers = encoder_layers(model)
        if not 1 <= layers < len(self._layers):
            raise ValueError("the encoder cannot start at a middle layer, because its layers are not one list")
        self._frozen, self._first = self._layers[:layers], self._layers[layers]
        self._passing = self._try_out()

    def states(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the hidden states that enter the first trainable layer, (B, T, D). The layers above do not run.

        Args:
            batch: The inputs of the encoder.
        """
        with ExitStack() as stack:
            handle = self._first.register_forward_pre_hook(_stop, with_kwargs=True)
            stack.callback(handle.remove)
            try:
                self.model.backbone(**batch)
            except _Reached as reached:
                return reached.states
        raise ValueError("the layers of this encoder are not called one after the other")

    @contextmanager
    def entered_with(self, states: Tensor) -> Iterator[None]:
        """Skip the frozen layers within this context: the last one returns these states, (B, T, D)."""
        given = [None] * (len(self._frozen) - 1) + [states]
        try:
            for layer, form, each in zip(self._frozen, self._passing, given, strict=True):
                layer.forward = partial(_pass_on, form, each)
            yield
        finally:
            for layer in self._frozen:
                layer.__dict__.pop("forward", None)

    def _try_out(self) -> list[int | None]:
        """Return the output form of each frozen layer, after a check on two short texts that layers can be skipped."""
        device = self.model.device
        ids = torch.arange(1, 9, device=device).view(2, 4) % self.model.config.vocab_size
        batch = {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]], device=device)}
        modes = {module: module.training for module in self.model.modules()}
        forms: list[Any] = []
        self.model.eval()
        try:
            handles = [layer.register_forward_hook(partial(_note_form, forms)) for layer in self._frozen]
            with torch.enable_grad():
                states = self.states(batch)
            for handle in handles:
                handle.remove()
            self._check_frozen(states)
            self._passing = forms
            with torch.no_grad(), self.entered_with(states):
                entered = self.model.backbone(**batch).last_hidden_state
            with torch.no_grad():
                whole = self.model.backbone(**batch).last_hidden_state
        finally:
            for module, mode in modes.items():
                module.training = mode
        if len(forms) != len(self._frozen) or not torch.allclose(entered, whole, rtol=1e-3, atol=1e-3):
            raise ValueError("the encoder cannot start at a middle layer, because its layers pass on more than states")
        return forms

    def _check_frozen(self, states: Tensor) -> None:
        if not states.requires_grad:
            return
        # With gradient checkpointing, the states require a gradient even if no layer below trains.
        named = [(name, each) for name, each in self.model.backbone.named_parameters() if each.requires_grad]
        gradients = torch.autograd.grad(states.sum(), [each for _, each in named], allow_unused=True)
        used = [name for (name, _), gradient in zip(named, gradients, strict=True) if gradient is not None]
        if used:
            raise ValueError(f"the output of the frozen layers depends on {used[0]!r}, which trains")


class _Reached(Exception):  # noqa: N818, not an error
    """The states have reached the first trainable layer."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _stop(_layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _Reached(args[0] if args else kwargs["hidden_states"])


def _note_form(forms: list[int | None], _layer: nn.Module, _given: Any, output: Any) -> None:
    """Note the number of outputs of a layer, the states first; `None` if it returns only the states, as a tensor."""
    forms.append(len(output) if isinstance(output, tuple) else None)


def _pass_on(form: int | None, states: Tensor | None, *args: Any, **kwargs: Any) -> Any:
    """Return these states, or else the input states unchanged, in the output form of a layer."""
    if states is None:
        states = args[0] if args else kwargs["hidden_states"]
    return states if form is None else (states, *[None] * (form - 1))
