"""The properties of each problem type that need no torch: its losses, its metrics and the form of its answer.

Its computations are in `kinds_multitask`. A new problem type has an entry here and a class there.
"""

from dataclasses import dataclass
from typing import Literal

ProblemTypeName = Literal[
    "single_label_classification",
    "binary_classification",
    "multi_label_classification",
    "regression",
    "ordinal_regression",
]
AnswerForm = Literal["label", "labels", "number"]


@dataclass(frozen=True)
class ProblemType:
    """The properties of a problem type.

    Args:
        name: The name in transformers, or a name in the same style.
        in_words: The form of the answer, for reports.
        answer: One label, any number of labels, or a number.
        losses: The allowed losses. The first is the default.
        metrics: The names of its metrics, without `loss` and `rows`.
        main_metric: The metric that is part of the `score`, unless a task has another.
        ordered: Whether the labels have an order, so that they must be given.
        fewest_labels: The minimum number of labels.
        most_labels: The maximum number of labels. `None` if there is no limit.
        smoothed: Whether `label_smoothing` applies.
        class_weights: Whether the loss has a weight for each class.
        pos_weights: The number of weights of positive entries in the loss: none, one, or one for each label.
        thresholds: The number of thresholds of the decision: none, one, or one for each label.
        has_energy: Whether the energy of its logits detects out-of-distribution texts.
        has_parents: Whether each label may belong to a label of another task, such as an intent to its domain.
    """

    name: str
    in_words: str
    answer: AnswerForm
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    main_metric: str
    ordered: bool = False
    fewest_labels: int = 2
    most_labels: int | None = None
    smoothed: bool = False
    class_weights: bool = False
    pos_weights: Literal["none", "one", "each label"] = "none"
    thresholds: Literal["none", "one", "each label"] = "none"
    has_energy: bool = False
    has_parents: bool = False

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of its metrics with their second names."""
        return (*self.metrics, *(second for second, name in SECOND_NAMES.items() if name in self.metrics))

    @property
    def one_label(self) -> bool:
        """Whether the answer is one label."""
        return self.answer == "label"

    @property
    def several_labels(self) -> bool:
        """Whether the answer is any number of labels."""
        return self.answer == "labels"

    @property
    def is_number(self) -> bool:
        """Whether the answer is a number. Such a task has no labels."""
        return self.answer == "number"

    @property
    def labels_can_change(self) -> bool:
        """Whether a trained head can get other labels: it has weights for each label, and labels have no order."""
        return not (self.is_number or self.ordered or self.most_labels)


# The problem type of one label among any number of labels without an order.
UNORDERED: ProblemTypeName = "single_label_classification"
# Names of version 0.1, each with the name that has replaced it. Results have both.
SECOND_NAMES = {"quadratic_kappa": "kappa"}

PROBLEM_TYPES = {
    each.name: each
    for each in (
        ProblemType(
            "single_label_classification",
            in_words="one label",
            answer="label",
            losses=("cross_entropy", "focal"),
            metrics=("accuracy", "macro_f1"),
            main_metric="macro_f1",
            smoothed=True,
            class_weights=True,
            has_energy=True,
            has_parents=True,
        ),
        ProblemType(
            "binary_classification",
            in_words="one of two labels",
            answer="label",
            losses=("cross_entropy", "focal"),
            metrics=("accuracy", "macro_f1"),
            main_metric="macro_f1",
            most_labels=2,
            smoothed=True,
            pos_weights="one",
            thresholds="one",
        ),
        ProblemType(
            "multi_label_classification",
            in_words="any number of labels",
            answer="labels",
            losses=("cross_entropy", "focal"),
            metrics=("micro_f1", "macro_f1", "subset_accuracy", "accuracy"),
            main_metric="macro_f1",
            fewest_labels=1,
            smoothed=True,
            pos_weights="each label",
            thresholds="each label",
        ),
        ProblemType(
            "regression",
            in_words="a number",
            answer="number",
            losses=("mse", "huber"),
            metrics=("mae", "rmse", "r2", "spearman"),
            main_metric="spearman",
            fewest_labels=0,
        ),
        ProblemType(
            "ordinal_regression",
            in_words="one of ordered labels",
            answer="label",
            losses=("cumulative_logits",),
            metrics=("accuracy", "mae", "kappa", "macro_f1"),
            main_metric="kappa",
            ordered=True,
        ),
    )
}
