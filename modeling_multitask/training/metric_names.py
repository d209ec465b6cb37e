"""The names of the metrics that an evaluation gives."""

from collections.abc import Iterable

from ..problem_types_multitask import PROBLEM_TYPES

# The metrics of which less is better; all others are better when greater.
LESS_IS_BETTER = ("loss", "mae", "rmse")


def evaluated_metrics(tasks: Iterable[tuple[str, str]]) -> list[str]:
    """All that an evaluation gives a figure of, such as `sentiment_macro_f1`.

    Args:
        tasks: The name and the problem type of each; one that there is not has a loss alone.
    """
    metrics = ["loss", "score"]
    for name, problem_type in tasks:
        facts = PROBLEM_TYPES.get(problem_type)
        metrics += [f"{name}_{metric}" for metric in (*(facts.metrics if facts else ()), "loss")]
    return metrics
