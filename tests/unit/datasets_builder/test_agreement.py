"""Krippendorff's alpha, against the example of its author, and its note."""

import numpy as np
import pytest

from datasets_builder import LabelColumn, MultiTaskBuilder, Source
from datasets_builder.agreement import coincidences, krippendorff_alpha

# Four raters and twelve units (Krippendorff 2011, section D), 0 for no vote.
RATERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
VOTES = np.array(
    [[[rater[unit] for rater in RATERS].count(label) for label in range(1, 6)] for unit in range(12)], float
)


def test_the_author_s_example_has_the_author_s_alpha() -> None:
    pairs = coincidences(VOTES)

    assert pairs.sum() == pytest.approx(40)  # the last unit has one vote, which has no pair
    assert krippendorff_alpha(pairs) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(pairs, ordered=True) == pytest.approx(0.815, abs=5e-4)


def test_coincidences_of_parts_add_up() -> None:
    np.testing.assert_allclose(coincidences(VOTES[:5]) + coincidences(VOTES[5:]), coincidences(VOTES))


def test_raters_who_always_agree_have_an_alpha_of_1_and_one_label_alone_has_none() -> None:
    assert krippendorff_alpha(coincidences(np.array([[2.0, 0.0], [0.0, 3.0]]))) == 1
    assert krippendorff_alpha(coincidences(np.array([[2.0, 0.0], [3.0, 0.0]]))) is None
    assert krippendorff_alpha(coincidences(np.array([[1.0, 0.0], [0.0, 1.0]]))) is None


def test_a_note_says_that_no_row_has_several_votes() -> None:
    data = {"text": ["a", "b", "c"], "one": ["x", "", "x"], "other": ["", "y", ""], "id": [1, 2, 3]}
    tasks = [{"name": name, "problem_type": "single_label_classification"} for name in ("wide", "long")]
    labels = {"wide": LabelColumn(votes=["one", "other"]), "long": LabelColumn(votes={"column": "text", "by": "id"})}
    builder = MultiTaskBuilder(tasks=tasks, train=[Source(data=data, labels=labels)])
    builder.download_and_prepare()

    assert builder.notes == [f"train: task '{name}': no row has several votes" for name in ("wide", "long")]


@pytest.mark.parametrize("how", ["majority", "distribution"])
def test_a_note_has_the_agreement_over_all_rows_with_a_text(how: str) -> None:
    raters = [f"r{i}" for i in range(len(RATERS))]
    columns = {name: [str(vote or "") for vote in rater] for name, rater in zip(raters, RATERS, strict=True)}
    data = {"text": [f"text {i}" for i in range(11)] + [""], **columns}
    source = Source(data=data, labels={"t": LabelColumn(votes=raters, as_=how)})
    builder = MultiTaskBuilder(tasks=[{"name": "t", "problem_type": "single_label_classification"}], train=[source])
    builder.download_and_prepare()

    assert "train: task 't': Krippendorff's alpha of the raters is 0.74 (40 votes)" in builder.notes
