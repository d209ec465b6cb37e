"""The gradient of each task on what the tasks share: how far they agree, and one gradient in place of many.

Shapes: K tasks, P shared parameters that train, counted one by one.
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

CAGRAD_C = 0.5  # in the middle of the range that Liu et al. 2021 tried
_MEANS = ("cagrad", "upgrad", "mgda", "aligned_mtl")  # of these the result is as large as a mean over the tasks


class TaskGradients:
    """Each task's gradient over one optimizer step, over its micro-batches and all processes.

    Args:
        tasks: The tasks' names.
        accelerator: Adds up over processes.
    """

    def __init__(self, tasks: list[str], accelerator: Accelerator) -> None:
        self.tasks, self.accelerator = tasks, accelerator
        self._matrix: Tensor | None = None

    def __bool__(self) -> bool:
        return self._matrix is not None

    def add(self, losses: dict[str, Tensor], shared: list[nn.Parameter]) -> None:
        """Adds one micro-batch; the graph of the losses is kept.

        Args:
            losses: By task, ().
            shared: The parameters that the tasks share and that train.
        """
        rows = []
        for task in self.tasks:
            gradients = torch.autograd.grad(losses[task], shared, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
        matrix = torch.stack(rows)  # (K, P)
        self._matrix = matrix if self._matrix is None else self._matrix + matrix

    def take(self) -> Tensor:
        """The sum over the micro-batches that were added and all processes, (K, P); starts anew."""
        matrix, self._matrix = self._matrix, None
        return self.accelerator.reduce(matrix, reduction="sum")


def set_gradient(parameters: list[nn.Parameter], gradient: Tensor) -> None:
    """Puts a flat gradient, (P,), in place of what the parameters have."""
    parts = gradient.split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter).to(parameter.dtype)


def gradient_cosines(matrix: Tensor, tasks: list[str]) -> dict[str, float]:
    """`<task>_<other>_cosine` between the gradients of every two tasks that have one.

    Args:
        matrix: (K, P).
        tasks: Their names.
    """
    norms = matrix.norm(dim=1)
    directions = matrix / norms.clamp(min=torch.finfo(matrix.dtype).tiny).unsqueeze(1)
    seen = [i for i, norm in enumerate(norms.tolist()) if norm > 0]
    return {
        f"{tasks[i]}_{tasks[j]}_cosine": (directions[i] @ directions[j]).clamp(-1, 1).item()
        for i, j in combinations(seen, 2)
    }


class GradientBalancing(ResumingCallback):
    """One gradient on the shared parameters out of each task's, by an aggregator of torchjd.

    Args:
        name: pcgrad (Yu et al. 2020), cagrad (Liu et al. 2021), upgrad (Quinton and Rey 2024), mgda (Désidéri 2012),
            nash_mtl (Navon et al. 2022) or aligned_mtl (Senushkin et al. 2023).
        accelerator: Tells the other processes what the first has found.

    Raises:
        ImportError: If torchjd is not installed; the message names the extra.
    """

    def __init__(self, name: str, accelerator: Accelerator) -> None:
        self.name, self.accelerator = name, accelerator
        self._torchjd = import_extra("torchjd.aggregation", extra="balancing")
        self._aggregators: dict[int, Any] = {}  # by number of tasks, since Nash-MTL is made for one number
        self._bargained: dict[str, list[float]] = {}  # what Nash-MTL's solver starts from, by number of tasks
        self._make(2)  # says now if a solver is missing

    def combine(self, matrix: Tensor) -> Tensor:
        """One gradient, as large as the sum of the tasks' where these agree; (P,).

        A task without labels in this step has no say: its row of zeros would be a task that agrees with nothing.

        Args:
            matrix: (K, P).
        """
        labelled = matrix[matrix.any(dim=1)]
        if len(labelled) < 2:
            return labelled.sum(dim=0)
        combined = torch.empty_like(matrix[0])
        # The first process decides: PCGrad draws at random, and a solver may differ in the last digit.
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
        # Of length 1: torchjd takes gradients shorter than 0.01 for none, so that CAGrad would give zeros, and what
        # Nash-MTL gives has one length whatever theirs.
        length = matrix.norm().clamp(min=torch.finfo(matrix.dtype).tiny)
        with warnings.catch_warnings():
            # Nash-MTL's problem is not one that cvxpy solves faster the second time.
            warnings.filterwarnings("ignore", message=".* parameterized problem that is not DPP", category=UserWarning)
            combined = self._aggregators[count](matrix / length) * length
        if self.name == "nash_mtl":
            self._bargained[str(count)] = self._aggregators[count].weighting.prvs_alpha.tolist()
        if self.name == "cagrad":
            combined = combined / (1 + CAGRAD_C)  # what it adds to the mean, also where all agree
        return combined * count if self.name in _MEANS else combined

    def _make(self, count: int) -> Any:
        jd = self._torchjd
        if self.name == "cagrad":
            return jd.CAGrad(c=CAGRAD_C)
        if self.name == "nash_mtl":
            aggregator = jd.NashMTL(n_tasks=count, max_norm=0.0)  # clipping is for max_grad_norm to say
            if str(count) in self._bargained:
                aggregator.weighting.prvs_alpha = np.array(self._bargained[str(count)])
            return aggregator
        return {"pcgrad": jd.PCGrad, "upgrad": jd.UPGrad, "mgda": jd.MGDA, "aligned_mtl": jd.AlignedMTL}[self.name]()
