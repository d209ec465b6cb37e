"""The benchmark of few rows: which rows it draws, how it compares methods, and that its committed means are exact."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import defaults, few_rows
from benchmarks.few_works import few_work, read_rows, with_variant
from benchmarks.saved_runs import SavedRuns, differences
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.few_rows import DEFAULTS

HWU64 = [{"text": f"{intent} {i}", "intent": intent} for intent in ("alarm_set", "music_query") for i in range(20)]


def run_of(method: str, seed: int, errors: str, seconds: float = 1) -> dict[str, Any]:
    """A run of one task whose rows have these errors."""
    figures = {"rows": len(errors), "accuracy": errors.count("0") / len(errors), "errors": errors}
    run = {"work": "reviews_8", "seed": seed, "method": method, "overrides": []}
    return run | {"cpu_seconds": seconds, "tasks": {"domain": figures}}


def write_hwu64(folder: Path) -> None:
    """Write small tables with the names of those of HWU64."""
    lines = "".join(json.dumps(row) + "\n" for row in HWU64)
    for name in ("train", "val", "test"):
        (folder / f"hwu64_{name}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "hwu64_train_5.csv").write_text("text,intent\nwake me,alarm_set\n", encoding="utf-8")


def test_a_training_row_of_the_reviews_has_one_label_and_each_label_has_the_same_number_of_rows(tmp_path: Path) -> None:
    few_work("reviews_8", 3, "test", tmp_path, [])

    labels = [[row["domain"], row["sentiment"]] for row in read_rows(tmp_path / "train.csv")]
    assert all(sum(map(bool, pair)) == 1 for pair in labels)
    given = [max(pair) for pair in labels]
    assert {label: given.count(label) for label in given} == dict.fromkeys(
        ("movie", "product", "restaurant", "negative", "positive"), 8
    )


def test_no_text_of_the_reviews_is_in_two_splits(tmp_path: Path) -> None:
    texts = []
    for split in ("validation", "test"):
        few_work("reviews_16", 0, split, tmp_path, [])
        texts += [row["text"] for row in read_rows(tmp_path / f"{split}.csv")]

    texts += [row["text"] for row in read_rows(tmp_path / "train.csv")]
    assert len(texts) == len(set(texts)) == 2973


def test_draw_0_of_hwu64_is_the_published_table(tmp_path: Path) -> None:
    write_hwu64(tmp_path)

    few_work("hwu64_5", 0, "test", tmp_path, [tmp_path])

    assert read_rows(tmp_path / "train.csv") == [{"text": "wake me", "intent": "alarm_set"}]


def test_another_draw_of_hwu64_has_other_rows_of_each_intent(tmp_path: Path) -> None:
    write_hwu64(tmp_path)
    drawn = []
    for draw in (1, 2):
        few_work("hwu64_10", draw, "test", tmp_path, [tmp_path])
        drawn.append([(row["text"], row["intent"]) for row in read_rows(tmp_path / "train.csv")])

    assert [intent for _, intent in drawn[0]] == ["alarm_set"] * 10 + ["music_query"] * 10
    assert set(drawn[0]) != set(drawn[1])


def test_a_missing_file_of_hwu64_is_an_error_before_the_first_run() -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"HWU64 needs hwu64_train_5\.csv\. Searched: nowhere\. Name its folder with --data FOLDER\.",
    ):
        few_rows.main(["--works", "reviews_8", "hwu64_5", "--methods", "regression", "--data", "nowhere"])


def test_a_variant_has_the_defaults_for_few_rows(tmp_path: Path) -> None:
    recipe = load_recipe(with_variant(few_work("reviews_8", 0, "test", tmp_path, []), "contrastive_kept"))

    assert {name: getattr(recipe, name) for name in DEFAULTS} == DEFAULTS
    assert [task.label_texts for task in recipe.tasks] == ["{label}", "{label}"]


def test_a_method_that_is_no_variant_changes_no_word(tmp_path: Path) -> None:
    words = few_work("reviews_8", 0, "test", tmp_path, [])

    assert with_variant(words, "defaults") == words


def test_setfit_needs_a_python_of_its_own(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        few_rows.main(["--methods", "setfit"])

    assert "the method setfit needs --setfit PYTHON, the Python of its environment" in capsys.readouterr().err


def test_fewer_errors_and_seconds_than_those_of_the_baseline_are_positive() -> None:
    ours, theirs = [run_of("defaults", 0, "0001", 50)], [run_of("setfit", 0, "0111", 80)]

    found = differences(ours, theirs, ("cpu_seconds",))

    assert found["domain accuracy"]["difference"] == 0.5
    assert found["cpu_seconds"] == {"difference": 30, "low": 30, "high": 30}


def test_only_the_seeds_of_both_methods_are_compared() -> None:
    ours = [run_of("defaults", 0, "0001"), run_of("defaults", 1, "1111")]

    assert differences(ours, [run_of("setfit", 0, "0011")])["domain accuracy"]["difference"] == 0.25
    assert differences(ours, []) == {}


def test_a_run_is_saved_with_its_means_and_is_then_known(tmp_path: Path) -> None:
    saved = SavedRuns(tmp_path / "runs.json", "setfit", ("defaults",))

    saved.add(run_of("setfit", 0, "0011"))
    saved.add(run_of("defaults", 0, "0001"))

    read = json.loads(saved.path.read_text(encoding="utf-8"))
    assert [each["tasks"]["domain"]["accuracy"] for each in read["mean"]] == [0.5, 0.75]
    assert read["mean"][1]["difference"]["domain accuracy"]["difference"] == 0.25
    assert saved.has(run_of("defaults", 0, "0001"))
    assert not saved.has(run_of("defaults", 1, "0001"))


@pytest.mark.parametrize(
    ("saved", "work"), [(defaults.RESULTS["test"], "hwu64_5"), (few_rows.RESULTS["test"], "hwu64_5")]
)
def test_the_committed_means_are_those_of_the_committed_runs(saved: SavedRuns, work: str) -> None:
    means = json.loads(saved.path.read_text(encoding="utf-8"))["mean"]

    assert saved.means(saved.read(), work) == [each for each in means if each["work"] == work]
