"""The section of a report that compares two models: HTML, Markdown, JSON and the table of different answers."""

import csv
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modeling_multitask.evaluation.comparison import compare
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.evaluation.report import make_report, write_report
from modeling_multitask.evaluation.report_page import centred_bars, different, paired, with_sign
from tests.unit.evaluation.test_report import EVIL, Tags
from tests.unit.evaluation.two_models import TOPIC, answering, judged_rows, with_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on all problem types, compared with another model."""
    return written(tmp_path_factory.mktemp("report"), judged_rows(seed=1), judged_rows(seed=2))


def written(folder: Path, model: Judged, other: Judged | None, name: str = "old/model") -> Path:
    report = make_report(model, name="new/model", split="test", resamples=3)
    if other is not None:
        report = replace(report, comparison=compare(model, other, name=name, resamples=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)  # pictures take most of the time
        write_report(report, folder)
    return folder


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_the_page_has_a_section_with_all_shared_tasks(folder: Path, name: str) -> None:
    page = (folder / name).read_text()

    section = page[page.index("Compared with ") :]
    for task in ("topic", "liked", "tags", "grade", "rating"):
        assert f"{task}: this model and the other model" in section
    for words in (
        "Improvement by text length",
        "Improvement by source",
        "Rows with different answers",
        "lower is better",
    ):
        assert words in section


def test_the_json_has_the_comparison_and_at_most_20_rows_of_a_task(folder: Path) -> None:
    content = json.loads((folder / "report.json").read_text())["comparison"]

    own = content["tasks"]["rating"]
    assert set(own["figures"]["mae"]["improvement"]) == {"value", "low", "high"}
    assert [each["score"] for each in own["differences"]] == [None] * 20
    assert own["different"]["rows"] == own["rows"] > 20


def test_the_table_has_all_rows_with_different_answers(folder: Path) -> None:
    content = json.loads((folder / "report.json").read_text())["comparison"]["tasks"]
    with (folder / "differences.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))

    assert len(lines) == sum(each["different"]["rows"] for each in content.values())
    assert {each["better"] for each in lines} == {"model", "other", "neither"}


def test_without_another_model_there_is_no_comparison_and_no_old_table(tmp_path: Path) -> None:
    model = judged_rows([TOPIC])
    written(tmp_path, model, model)

    written(tmp_path, model, None)

    assert json.loads((tmp_path / "report.json").read_text())["comparison"] is None
    assert not (tmp_path / "differences.csv").exists()
    assert "Compared with" not in (tmp_path / "report.html").read_text()


def test_names_labels_and_texts_become_no_markup(tmp_path: Path) -> None:
    model = judged_rows([with_labels(TOPIC, *EVIL[:3])], seed=1)
    texts = [EVIL[i % len(EVIL)] for i in range(len(model.texts))]
    other = replace(judged_rows([with_labels(TOPIC, *EVIL[1:3], EVIL[3])], seed=2), texts=texts)

    written(tmp_path, replace(model, texts=texts), other, EVIL[0])

    tags, markdown = Tags((tmp_path / "report.html").read_text()), (tmp_path / "report.md").read_text()
    assert tags.open == []
    assert "script" not in {tag for tag, _ in tags.seen}
    assert EVIL[0] in tags.text
    assert not re.search(r"(?<!\\)[<`]|(?<!\\)\*\*|(?<![!\\])\[|http://|www\.", re.sub(r"!\[[^]]*\]", "", markdown))


def test_tables_of_the_markdown_have_equal_lines(folder: Path) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", (folder / "report.md").read_text(), re.MULTILINE)

    cells = [{len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()} for block in blocks]

    assert [counts for counts in cells if len(counts) != 1] == []


def test_a_task_without_a_row_to_compare_says_so(tmp_path: Path) -> None:
    model = answering(TOPIC, [0, 1, 2], [2, 2, 2])
    other = answering(with_labels(TOPIC, "film", "food"), [0, 1, 1], [-100] * 3)

    written(tmp_path, model, other)

    assert "no rows to compare" in (tmp_path / "report.html").read_text()
    assert "no rows to compare" in (tmp_path / "report.md").read_text()


def test_equal_numbers_are_not_called_too_few_rows() -> None:
    figure: dict[str, float | None] = {"value": 0.0, "low": None, "high": None}

    assert paired(figure, {"different": {"rows": 0}}) == "equal answers"
    assert paired(figure, {"different": {"rows": 1}}) == "no interval"
    assert paired({"value": 0.1, "low": 0.05, "high": 0.2}, {"different": {"rows": 1}}) == "0.050 to 0.200"


def test_bars_of_improvements_start_in_the_centre() -> None:
    better, worse = centred_bars([{"value": 0.1, "low": -0.1, "high": 0.2}, {"value": -0.2, "low": None, "high": None}])

    assert better["at"] == {"zero": 50.0, "value": 75.0, "low": 25.0, "high": 100.0}
    assert worse["at"]["value"] == 0.0


@pytest.mark.parametrize(("value", "words"), [(0.0271, "+0.027"), (-0.5, "-0.500"), (None, "–"), (0.0, "+0.000")])
def test_an_improvement_has_a_sign(value: float | None, words: str) -> None:
    assert with_sign({"value": value, "low": None, "high": None}) == words


def test_the_number_of_rows_with_different_answers_is_stated() -> None:
    counts = {"rows": 1_200, "model": 900, "other": 250, "neither": 50}

    assert different({"rows": 2_000, "different": counts}) == (
        "The answers differ in 1,200 of 2,000 rows. The answer of this model is better in 900 of these, that of the "
        "other model in 250, and neither in 50."
    )
    assert different({"rows": 3, "different": {"rows": 0}}) == "The answers are equal in all 3 rows."
