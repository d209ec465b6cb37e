"""What is known of each problem type without torch: its losses, its metrics, how its answer reads.

What it computes is in `kinds_multitask`. A new problem type has an entry here and a class there.
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
Answer = Literal["label", "labels", "number"]


@dataclass(frozen=True)
class ProblemType:
    """The facts of a problem type.

    Args:
        name: In transformers' words, or in the same style.
        in_words: The answer, for people.
        answer: Whether it is one label, any number of labels, or a number.
        losses: The first is the default.
        metrics: The names of its figures, apart from `loss` and `rows`.
        main_metric: The one that enters the `score`.
        ordered: Whether the labels have an order, so that they must be given.
        fewest_labels: The least number of labels.
        most_labels: The greatest; `None` if there is no limit.
        smoothed: Whether `label_smoothing` applies.
        class_weights: Whether its loss has a weight for each class.
        pos_weights: How many weights of positive entries its loss has: none, one, or one for each label.
        thresholds: How many thresholds its decision has: none, one, or one for each label.
        has_energy: Whether the energy of its logits tells what is unlike the training rows.
        has_parents: Whether each of its labels may belong to one of another task's, as an intent to its domain.
    """

    name: str
    in_words: str
    answer: Answer
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
    def one_label(self) -> bool:
        """Whether the answer is one label."""
        return self.answer == "label"

    @property
    def several_labels(self) -> bool:
        """Whether the answer is any number of labels."""
        return self.answer == "labels"

    @property
    def is_number(self) -> bool:
        """Whether the answer is a number, so that there are no labels."""
        return self.answer == "number"


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
            metrics=("accuracy", "macro_f1"),
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
            metrics=("mae", "rmse", "spearman"),
            main_metric="spearman",
            fewest_labels=0,
        ),
        ProblemType(
            "ordinal_regression",
            in_words="one of ordered labels",
            answer="label",
            losses=("cumulative_logits",),
            metrics=("accuracy", "macro_f1", "mae", "quadratic_kappa"),
            main_metric="quadratic_kappa",
            ordered=True,
        ),
    )
}
