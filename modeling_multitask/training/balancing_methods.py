"""The names of the ways in which several tasks become one loss or one gradient."""

from typing import Literal, get_args

LossBalancingMethod = Literal["sum", "uncertainty", "dwa"]
GradientBalancingMethod = Literal["pcgrad", "cagrad", "upgrad", "mgda", "nash_mtl", "aligned_mtl"]

LOSS_BALANCING: tuple[str, ...] = get_args(LossBalancingMethod)
GRADIENT_BALANCING: tuple[str, ...] = get_args(GradientBalancingMethod)  # need the gradient of each task
Balancing = Literal[LossBalancingMethod, GradientBalancingMethod]
BALANCING = LOSS_BALANCING + GRADIENT_BALANCING
