"""The gradient of each task on the shared parameters: cosines between tasks, and gradient balancing.

Shapes: K tasks, P shared trainable parameters (single numbers, not tensors).
"""

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..extras import import_extra
from .resuming import ResumingCallback

CAGRAD_C = 0.5  # the middle of the range in Liu et al. 2021
_MEANS = ("cagrad", "upgrad", "mgda", "aligned_mtl")  # their result has the scale of a mean over the tasks


class TaskGradients:
    """The gradient of each task in one optimizer step, summed over micro-batches and processes.

    Args:
        tasks: The names of the tasks.
        accelerator: The accelerator of the run, for sums over processes.
    """

    def __init__(self, tasks: list[str], accelerator: Accelerator) -> None:
        self.tasks, self.accelerator = tasks, accelerator
        self._matrix: Tensor | None = None

    def __bool__(self) -> bool:
        return self._matrix is not None

    def add(self, losses: dict[str, Tensor], shared: list[nn.Parameter]) -> None:
        """Add one micro-batch. The graph of the losses is retained.

        Args:
            losses: The loss by task, ().
            shared: The trainable parameters that all tasks share.
        """
        rows = []
        for task in self.tasks:
            gradients = torch.autograd.grad(losses[task], shared, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
        matrix = torch.stack(rows)  # (K, P)
        self._matrix = matrix if self._matrix is None else self._matrix + matrix

    def take(self) -> Tensor:
        """Return the sum over micro-batches and processes, (K, P), and reset it."""
        matrix, self._matrix = self._matrix, None
        return self.accelerator.reduce(matrix, reduction="sum")


def set_gradient(parameters: list[nn.Parameter], gradient: Tensor) -> None:
    """Replace the gradients of the parameters with a flat gradient, (P,)."""
    parts = gradient.split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter).to(parameter.dtype)


def gradient_cosines(matrix: Tensor, tasks: list[str]) -> dict[str, float]:
    """Return `<task>_<other>_cosine` for every two tasks whose gradient is neither zero nor infinite.

    Args:
        matrix: The gradients, (K, P).
        tasks: The names of the tasks.
    """
    norms = matrix.norm(dim=1)
    directions = matrix / norms.clamp(min=torch.finfo(matrix.dtype).tiny).unsqueeze(1)
    seen = [i for i, norm in enumerate(norms.tolist()) if 0 < norm < float("inf")]
    return {
        f"{tasks[i]}_{tasks[j]}_cosine": (directions[i] @ directions[j]).clamp(-1, 1).item()
        for i, j in combinations(seen, 2)
    }


# The packages that torchjd imports for some methods.
_SOLVERS = {"cagrad": "cvxpy", "upgrad": "quadprog", "nash_mtl": "ecos"}


class GradientBalancing(ResumingCallback):
    """A combination of the tasks' gradients on the shared parameters, with an aggregator of torchjd.

    Args:
        name: pcgrad (Yu et al. 2020), cagrad (Liu et al. 2021), upgrad (Quinton and Rey 2024), mgda (Désidéri 2012),
            nash_mtl (Navon et al. 2022) or aligned_mtl (Senushkin et al. 2023).
        accelerator: The accelerator of the run.

    Raises:
        ImportError: If torchjd or the solver of a method is not installed; the message names the extra. The solvers of
            upgrad and nash_mtl are under the GPL, and have an extra of their own.
    """

    def __init__(self, name: str, accelerator: Accelerator) -> None:
        self.name, self.accelerator = name, accelerator
        self._torchjd = import_extra("torchjd.aggregation", extra="balancing")
        if name in _SOLVERS:
            import_extra(_SOLVERS[name], extra="balancing" if name == "cagrad" else "balancing-gpl")
        self._aggregators: dict[int, Any] = {}  # by number of tasks, which Nash-MTL needs
        self._bargained: dict[str, list[float]] = {}  # start values of Nash-MTL, by number of tasks
        self._make(2)  # raises now if a solver is missing

    def combine(self, matrix: Tensor) -> Tensor:
        """Return one gradient, (P,). If all tasks agree, it is as large as the sum of their gradients.

        A task without labels in this step is ignored: its gradient of zeros would agree with no other task.

        Args:
            matrix: The gradients, (K, P).
        """
        labelled = matrix[matrix.any(dim=1)]
        if len(labelled) < 2:
            return labelled.sum(dim=0)
        combined = torch.empty_like(matrix[0])
        # Only on the first process: PCGrad is random, and a solver can differ in the last digit.
        if self.accelerator.is_main_process:
            combined = self._aggregate(labelled).to(matrix.dtype)
        if self.accelerator.num_processes > 1:
            torch.distributed.broadcast(combined, src=0)
        return combined

    def attributes(self) -> dict[str, Any]:
        return self._bargained

    def restore(self, attributes: dict[str, Any]) -> None:
        self._bargained, self._aggregators = dict(attributes), {}

    def _aggregate(self, matrix: Tensor) -> Tensor:
        count = len(matrix)
        if count not in self._aggregators:
            self._aggregators[count] = self._make(count)
        # Scaled to norm 1: torchjd treats gradients with a norm below 0.01 as zero, so CAGrad would return zeros. The
        # norm of a Nash-MTL result does not depend on the input.
        length = matrix.norm().clamp(min=torch.finfo(matrix.dtype).tiny)
        with warnings.catch_warnings():
            # cvxpy warns that it cannot solve the problem of Nash-MTL faster the second time.
            warnings.filterwarnings("ignore", message=".* parameterized problem that is not DPP", category=UserWarning)
            combined = self._aggregators[count](matrix / length) * length
        if self.name == "nash_mtl":
            self._bargained[str(count)] = self._aggregators[count].weighting.prvs_alpha.tolist()
        if self.name == "cagrad":
            combined = combined / (1 + CAGRAD_C)  # CAGrad adds this to the mean, also if all tasks agree
        return combined * count if self.name in _MEANS else combined

    def _make(self, count: int) -> Any:
        jd = self._torchjd
        if self.name == "cagrad":
            return jd.CAGrad(c=CAGRAD_C)
        if self.name == "nash_mtl":
            aggregator = jd.NashMTL(n_tasks=count, max_norm=0.0)  # max_grad_norm sets the clipping
            if str(count) in self._bargained:
                aggregator.weighting.prvs_alpha = np.array(self._bargained[str(count)])
            return aggregator
        return {"pcgrad": jd.PCGrad, "upgrad": jd.UPGrad, "mgda": jd.MGDA, "aligned_mtl": jd.AlignedMTL}[self.name]()
