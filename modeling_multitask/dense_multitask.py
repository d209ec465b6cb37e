"""Dense layers between pooling and normalisation, as those of sentence-transformers. They are part of the embedding.

Shapes: B rows, D width of the input.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

# By the import path that sentence-transformers saves.
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    f"{kind.__module__}.{kind.__name__}": kind
    for kind in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.ELU)
}


@dataclass(frozen=True)
class DenseConfig:
    """One dense layer. The fields are those of sentence-transformers' `Dense`.

    Args:
        in_features: The width of its input.
        out_features: The width of its output.
        bias: Whether it has a bias.
        activation_function: The import path of the activation, such as `torch.nn.modules.activation.Tanh`.

    Raises:
        ValueError: If the activation is not supported.
    """

    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.modules.activation.Tanh"

    def __post_init__(self) -> None:
        if self.activation_function not in _ACTIVATIONS:
            raise ValueError(
                f"dense: activation_function is {self.activation_function!r}; it must be one of "
                f"{', '.join(_ACTIVATIONS)}"
            )


class Dense(nn.Module):
    """A linear layer and its activation, with the parameter names of sentence-transformers."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.in_features, config.out_features, bias=config.bias)
        self.activation_function = _ACTIVATIONS[config.activation_function]()

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return embeddings, (B, out_features), from embeddings, (B, in_features)."""
        return self.activation_function(self.linear(embeddings))


def as_dense(given: Sequence[DenseConfig | dict[str, Any]]) -> list[DenseConfig]:
    """Return the layers of a configuration.

    Raises:
        ValueError: If a layer has an unknown field, or its width is not that of the layer before it.
    """
    layers = [each if isinstance(each, DenseConfig) else _parse(i, each) for i, each in enumerate(given)]
    for i in range(1, len(layers)):
        if layers[i].in_features != layers[i - 1].out_features:
            raise ValueError(
                f"dense[{i}]: in_features is {layers[i].in_features}; it must be {layers[i - 1].out_features}, the "
                "width of the layer before it"
            )
    return layers


def _parse(place: int, given: dict[str, Any]) -> DenseConfig:
    known = asdict(DenseConfig(1, 1))
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"dense[{place}]: {unknown[0]!r} is not supported; allowed: {', '.join(known)}")
    return DenseConfig(**given)
