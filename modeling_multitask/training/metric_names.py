"""The names of the metrics, and which of them counts."""

from collections.abc import Iterable

# The metric by which a task enters the aggregate `score`.
MAIN_METRIC = {
    "single_label_classification": "macro_f1",
    "binary_classification": "macro_f1",
    "multi_label_classification": "macro_f1",
    "regression": "spearman",
    "ordinal_regression": "quadratic_kappa",
}
# The metrics of which less is better; all others are better when greater.
LESS_IS_BETTER = ("loss", "mae", "rmse")


def metric_names(task: str, problem_type: str) -> list[str]:
    """The names under which a task's metrics are logged, such as `sentiment_macro_f1`."""
    metrics = {
        "regression": ("mae", "rmse", "spearman"),
        "ordinal_regression": ("accuracy", "macro_f1", "mae", "quadratic_kappa"),
    }.get(problem_type, ("accuracy", "macro_f1"))
    return [f"{task}_{name}" for name in (*metrics, "loss")]


def evaluated_metrics(kinds: Iterable[tuple[str, str]]) -> list[str]:
    """All that an evaluation gives a figure of, for tasks of these names and problem types."""
    return ["loss", "score", *(metric for name, kind in kinds for metric in metric_names(name, kind))]
