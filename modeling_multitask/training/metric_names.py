"""The names of the metrics of an evaluation."""

from collections.abc import Iterable

from ..problem_types_multitask import PROBLEM_TYPES

# For these metrics, lower is better. For all others, greater is better.
LESS_IS_BETTER = ("loss", "mae", "rmse")
IN_WORDS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "weighted_f1": "weighted F1",
    "average_precision": "average precision",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
    "spearman": "Spearman correlation",
    "subset_accuracy": "subset accuracy",
    "kappa": "quadratic kappa",
    "quadratic_kappa": "quadratic kappa",
}


def evaluated_metrics(tasks: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names of all metrics of an evaluation, such as `sentiment_macro_f1`.

    Args:
        tasks: The name and the problem type of each task. An unknown problem type has only a loss.
    """
    metrics = ["loss", "score"]
    for name, problem_type in tasks:
        facts = PROBLEM_TYPES.get(problem_type)
        metrics += [f"{name}_{metric}" for metric in (*(facts.metric_names if facts else ()), "loss")]
    return metrics
