"""The names of the methods that combine the losses or gradients of several tasks."""

from typing import Literal, get_args

LossBalancingMethod = Literal["sum", "uncertainty", "dwa"]
GradientBalancingMethod = Literal["pcgrad", "cagrad", "upgrad", "mgda", "nash_mtl", "aligned_mtl"]

LOSS_BALANCING: tuple[str, ...] = get_args(LossBalancingMethod)
GRADIENT_BALANCING: tuple[str, ...] = get_args(GradientBalancingMethod)  # these need the gradient of each task
Balancing = Literal[LossBalancingMethod, GradientBalancingMethod]
BALANCING = LOSS_BALANCING + GRADIENT_BALANCING
