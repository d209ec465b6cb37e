"""The report: all figures equal those of scikit-learn or scipy on the labelled rows, and no text becomes markup."""

import csv
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from datasets_builder.row_places import RowPlace
from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.evaluation.label_table import weakest_first
from modeling_multitask.evaluation.report import Report, make_report, report_as_json, write_report
from modeling_multitask.evaluation.report_page import FILES, bars, calibration_effect
from modeling_multitask.hub.markdown import escape_markdown

EVIL = ["<script>alert(1)</script>", "a|b", "[x](http://evil)", "`code` **bold** www.evil.org", "two\nlines\r\n# three"]
TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"], temperature=0.5)
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"], thresholds=[0.4], abstain_below=0.7)
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"], thresholds=[0.3, 0.6], temperature=2.0)
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
RATING = TaskConfig("rating", "regression")
TASKS = [TOPIC, LIKED, TAGS, GRADE, RATING]
ROWS = 120


def judged_rows(tasks: list[TaskConfig] | None = None, texts: list[str] | None = None) -> Judged:
    """Random answers; a third of each task's labels is missing, of several labels position by position."""
    rng = np.random.default_rng(0)
    logits, labels = {}, {}
    for task in tasks or TASKS:
        own_logits = 2 * rng.normal(size=(ROWS, task.num_logits))
        logits[task.name] = -np.sort(-own_logits, axis=1) if task is GRADE else own_logits
        several = task.problem_type == "multi_label_classification"
        shape = logits[task.name].shape if several else (ROWS,)
        classes = 2 if several else len(task.labels or ())
        own: Any = rng.normal(size=ROWS) if task.problem_type == "regression" else rng.integers(classes, size=shape)
        missing = np.nan if task.problem_type == "regression" else -100
        labels[task.name] = np.where(rng.random(shape) < 1 / 3, missing, own)
    words = texts or [f"text {i}" for i in range(ROWS)]
    shown = [words[i % len(words)] for i in range(ROWS)]
    return Judged(
        tasks or TASKS, shown, logits, labels, rng.integers(3, 30, size=ROWS), ["a.csv", "b.csv"] * (ROWS // 2)
    )


def report_of(judged: Judged, **settings: Any) -> Report:
    return make_report(judged, name="reviews/model", split="test", resamples=3, **settings)


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judged_rows()


@pytest.fixture(scope="module")
def report(judged: Judged) -> Report:
    """Of all tasks; whether intervals are good is the business of other tests."""
    return report_of(judged)


@pytest.fixture(scope="module")
def found(report: Report) -> dict[str, Any]:
    """Return the content of `report.json`."""
    return report_as_json(report)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """No matplotlib: pictures take most of the time."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def truth_and_answers(judged: Judged, task: TaskConfig) -> tuple[np.ndarray, np.ndarray]:
    labels = judged.labels[task.name]
    there = ~np.isnan(labels) if task is RATING else labels >= 0
    return labels[there], judged.decisions[task.name].chosen[there]


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_figures_of_classes_are_those_of_scikit_learn(judged: Judged, found: dict, task: TaskConfig) -> None:
    truth, answers = truth_and_answers(judged, task)
    ranks = range(3)
    expected = {
        "accuracy": metrics.accuracy_score(truth, answers),
        "macro_f1": metrics.f1_score(truth, answers, average="macro"),
        "weighted_f1": metrics.f1_score(truth, answers, average="weighted"),
    }
    if task is GRADE:
        expected["mae"] = metrics.mean_absolute_error(truth, answers)
        expected["kappa"] = metrics.cohen_kappa_score(truth, answers, labels=ranks, weights="quadratic")

    figures = found["tasks"][task.name]["figures"]

    assert {name: each["value"] for name, each in figures.items()} == pytest.approx(expected)


@pytest.mark.parametrize("task", [TOPIC, LIKED, GRADE], ids=lambda task: task.name)
def test_each_class_and_the_confusion_are_those_of_scikit_learn(judged: Judged, found: dict, task: TaskConfig) -> None:
    truth, answers = truth_and_answers(judged, task)
    ids: Any = list(range(len(task.labels or ())))
    columns = zip(*metrics.precision_recall_fscore_support(truth, answers, labels=ids), strict=True)

    own = found["tasks"][task.name]

    assert own["confusion"]["counts"] == metrics.confusion_matrix(truth, answers, labels=ids).tolist()
    assert own["confusion"]["not_asked"] == [0] * len(ids)
    for label, expected in zip(task.labels or (), columns, strict=True):
        *shares, support = own["classes"][label].values()
        assert [*(each["value"] for each in shares), support] == pytest.approx(list(expected))


def test_figures_of_several_labels_are_those_of_scikit_learn_position_by_position(judged: Judged, found: dict) -> None:
    labels, decision = judged.labels["tags"], judged.decisions["tags"]
    columns = [
        (y[y >= 0], a[y >= 0], s[y >= 0])
        for y, a, s in zip(labels.T, decision.chosen.T, decision.scores.T, strict=True)
    ]
    known = np.flatnonzero((labels >= 0).any(axis=1))
    truth, answers, _ = (np.concatenate(each) for each in zip(*columns, strict=True))
    expected = {
        "accuracy": metrics.accuracy_score(truth, answers),
        "micro_f1": metrics.f1_score(truth, answers),
        "subset_accuracy": np.mean([(labels == decision.chosen)[i][labels[i] >= 0].all() for i in known]),
        "macro_f1": np.mean([metrics.f1_score(y, a) for y, a, _ in columns]),
        "average_precision": np.mean([metrics.average_precision_score(y, s) for y, _, s in columns]),
    }

    figures = found["tasks"]["tags"]["figures"]

    assert {name: each["value"] for name, each in figures.items()} == pytest.approx(expected)


def test_each_of_several_labels_has_its_rows_with_yes_with_no_and_with_nothing(
    judged: Judged, found: dict, report: Report, tmp_path: Path, no_pictures: None
) -> None:
    labels = judged.labels["tags"][:, 0]
    yes, no, nothing = (labels == 1).sum(), (labels == 0).sum(), (labels < 0).sum()

    write_report(report, tmp_path)

    first = found["tasks"]["tags"]["classes"]["long"]
    assert (first["support"], first["yes"], first["no"], first["nothing"]) == (yes, yes, no, nothing)
    assert "yes" not in found["tasks"]["topic"]["classes"]["film"]
    markdown, page = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    assert "| label | precision | recall | F1 | yes | no | nothing |\n" in markdown
    assert re.search(rf"^\| long \|.*\| {yes} \| {no} \| {nothing} \|$", markdown, re.MULTILINE)
    assert "".join(f'<th class="n">{name}</th>' for name in ("yes", "no", "nothing")) in page
    assert "".join(f'<td class="n">{count}</td>' for count in (yes, no, nothing)) in page


def test_figures_of_numbers_are_those_of_scikit_learn_and_scipy(judged: Judged, found: dict) -> None:
    truth, answers = truth_and_answers(judged, RATING)
    expected = {
        "mae": metrics.mean_absolute_error(truth, answers),
        "rmse": metrics.root_mean_squared_error(truth, answers),
        "r2": metrics.r2_score(truth, answers),
        "spearman": stats.spearmanr(truth, answers).statistic,
    }

    own = found["tasks"]["rating"]

    assert {name: each["value"] for name, each in own["figures"].items()} == pytest.approx(expected)
    assert own["calibration"] is None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_coverage_is_the_share_of_rows_with_a_label(judged: Judged, found: dict, task: TaskConfig) -> None:
    labels = judged.labels[task.name].reshape(ROWS, -1)
    labelled = int((~np.isnan(labels) & (labels != -100)).any(axis=1).sum())

    own = found["tasks"][task.name]

    assert (own["rows"], own["coverage"]) == (labelled, labelled / ROWS)


def binned_error(scores: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error, by scipy's bins."""
    bins = {"bins": 15, "range": (0, 1)}
    means, _, _ = stats.binned_statistic(scores, scores, **bins)
    accuracies, _, _ = stats.binned_statistic(scores, right, **bins)
    counts, _, _ = stats.binned_statistic(scores, scores, "count", **bins)
    return float(np.nansum(np.abs(means - accuracies) * counts) / counts.sum())


def test_the_calibration_error_is_that_without_and_with_the_temperature(judged: Judged, found: dict) -> None:
    there, own = judged.labels["topic"] >= 0, found["tasks"]["topic"]["calibration"]
    for name, temperature in (("before", 1.0), ("after", 0.5)):
        scores = np.exp(judged.logits["topic"][there] / temperature)
        scores /= scores.sum(axis=1, keepdims=True)
        right = scores.argmax(axis=1) == judged.labels["topic"][there]

        assert own[name]["ece"] == pytest.approx(binned_error(scores.max(axis=1), right), abs=1e-6)
        assert own[name]["mean_score"] == pytest.approx(scores.max(axis=1).mean(), abs=1e-6)
        assert own[name]["right"] == pytest.approx(right.mean())
    assert (own["temperature"], own["thresholds"]) == (0.5, None)


def test_before_calibration_there_are_no_thresholds_either(judged: Judged, found: dict) -> None:
    there, own = judged.labels["liked"] >= 0, found["tasks"]["liked"]["calibration"]
    score = 1 / (1 + np.exp(-judged.logits["liked"][there, 0]))
    for name, threshold in (("before", 0.5), ("after", 0.4)):
        answers = score > threshold
        of_answers = np.where(answers, score, 1 - score)

        assert own[name]["ece"] == pytest.approx(
            binned_error(of_answers, answers == judged.labels["liked"][there]), abs=1e-6
        )


def test_the_effect_of_the_temperature_is_the_difference_of_the_log_losses_of_scikit_learn(
    judged: Judged, found: dict
) -> None:
    there = judged.labels["topic"] >= 0
    logits, truth = judged.logits["topic"][there], judged.labels["topic"][there]
    losses = [metrics.log_loss(truth, special.softmax(logits / t, axis=1)) for t in (1.0, 0.5)]

    own = found["tasks"]["topic"]["calibration_effect"]

    assert own["metric"] == "loss"
    assert own["value"] == pytest.approx(losses[1] - losses[0])
    assert found["tasks"]["topic"]["thresholds_effect"] is None


def test_the_effect_of_the_temperature_on_several_labels_is_the_difference_over_all_known_ones(
    judged: Judged, found: dict
) -> None:
    there = judged.labels["tags"] >= 0
    logits, truth = judged.logits["tags"][there], judged.labels["tags"][there]
    losses = [metrics.log_loss(truth, special.expit(logits / temperature)) for temperature in (1.0, 2.0)]

    assert found["tasks"]["tags"]["calibration_effect"]["value"] == pytest.approx(losses[1] - losses[0])


def test_the_effect_of_thresholds_is_the_difference_of_the_f1_of_scikit_learn(judged: Judged, found: dict) -> None:
    expected = {}
    for name, cuts in (("liked", [0.4]), ("tags", [0.3, 0.6])):
        logits, labels = judged.logits[name], judged.labels[name].reshape(ROWS, -1)
        scores = special.expit(logits / (2.0 if name == "tags" else 1.0))
        known = [(column >= 0, column) for column in labels.T]
        f1 = [
            np.mean([metrics.f1_score(t[k], s[k] > c) for (k, t), s, c in zip(known, scores.T, given, strict=True)])
            for given in ([0.5] * len(cuts), cuts)
        ]
        expected[name] = f1[1] - f1[0]

    effects = {name: found["tasks"][name]["thresholds_effect"] for name in expected}

    assert {name: each["metric"] for name, each in effects.items()} == {"liked": "f1", "tags": "macro_f1"}
    assert {name: each["value"] for name, each in effects.items()} == pytest.approx(expected)


def test_a_task_without_temperature_and_thresholds_has_no_effect_and_is_said_not_to_be_calibrated(
    found: dict,
) -> None:
    own = found["tasks"]["grade"]

    assert (own["calibration_effect"], own["thresholds_effect"]) == (None, None)
    assert calibration_effect(own) == "The scores are not calibrated."


def test_abstention_is_the_share_that_scores_enough_and_how_much_of_it_is_right(judged: Judged, found: dict) -> None:
    truth, answers = truth_and_answers(judged, LIKED)
    scores = judged.decisions["liked"].scores[judged.labels["liked"] >= 0]
    answered = scores[np.arange(len(answers)), answers] >= 0.7

    own = found["tasks"]["liked"]["abstention"]

    expected = [answered.sum(), answered.mean(), metrics.accuracy_score(truth[answered], answers[answered])]
    assert (own.pop("by"), own.pop("below")) == ("score", 0.7)
    assert list(own.values()) == pytest.approx(expected)
    assert [name for name, each in found["tasks"].items() if each["abstention"]] == ["liked"]


def test_a_task_that_never_dares_to_answer_has_no_accuracy() -> None:
    task = replace(LIKED, abstain_below=1.0)

    own = report_as_json(report_of(judged_rows([task])))["tasks"]["liked"]["abstention"]

    assert own == {"by": "score", "below": 1.0, "answered": 0, "share": 0.0, "accuracy": None}


def test_slices_are_the_accuracy_of_their_rows(judged: Judged, found: dict) -> None:
    labels, answers = judged.labels["topic"], judged.decisions["topic"].chosen
    slices = found["tasks"]["topic"]["errors"]["by_source"]

    for each in slices:
        there = (np.array(judged.sources) == each["name"]) & (labels >= 0)
        assert each["value"] == pytest.approx(metrics.accuracy_score(labels[there], answers[there]))
    assert [each["name"] for each in slices] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("name", [task.name for task in TASKS])
@pytest.mark.usefixtures("no_pictures")
def test_a_task_without_a_label_has_no_figures_and_a_line_that_says_so(tmp_path: Path, name: str) -> None:
    judged = judged_rows([task for task in TASKS if task.name in (name, "rating")])
    empty = np.full_like(judged.labels[name], np.nan if name == "rating" else -100)
    report = report_of(replace(judged, labels={**judged.labels, name: empty}))

    write_report(report, tmp_path)

    own = json.loads((tmp_path / "report.json").read_text())["tasks"][name]
    assert (own["rows"], own["coverage"], own["figures"]) == (0, 0.0, {})
    assert "no labelled rows" in (tmp_path / "report.html").read_text()
    assert "no labelled rows" in (tmp_path / "report.md").read_text()
    assert not list(tmp_path.glob(f"*_{name}.*"))


def test_everything_is_written_and_nothing_half(tmp_path: Path, report: Report) -> None:
    written = write_report(report, tmp_path / "new" / "folder")

    pictures = [f"{kind}_{name}" for name in ("topic", "liked", "grade") for kind in ("confusion", "reliability")]
    expected = {f"{each}.png" for each in [*pictures, "reliability_tags", "scatter_rating"]} | set(FILES)
    expected |= {f"confusion_{name}.csv" for name in ("topic", "liked", "grade")}
    assert {each.name for each in (tmp_path / "new" / "folder").iterdir()} == expected
    assert {each.name for each in written} == expected
    assert written[0].name == "report.html"


@pytest.mark.usefixtures("no_pictures")
def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, report: Report) -> None:
    (tmp_path / "report.html" / "old").mkdir(parents=True)

    with pytest.raises(OSError, match=r"report\.html"):
        write_report(report, tmp_path)

    assert sorted(each.name for each in tmp_path.glob("*.html")) == ["report.html"]
    assert (tmp_path / "report.html" / "old").is_dir()


@pytest.mark.usefixtures("no_pictures")
def test_the_table_of_confusions_has_a_line_for_each_label(tmp_path: Path, report: Report) -> None:
    write_report(report, tmp_path)

    with (tmp_path / "confusion_topic.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["label", "film", "food", "phone", "(not asked)"]
    assert [[int(each) for each in line[1:]] for line in lines[1:]] == report.tasks[0].figures.confusion.tolist()


@pytest.mark.usefixtures("no_pictures")
def test_without_matplotlib_there_are_all_words_and_a_note(tmp_path: Path, report: Report) -> None:
    write_report(report, tmp_path)

    assert not list(tmp_path.glob("*.png"))
    for name in ("report.html", "report.md"):
        assert "The report has no pictures: matplotlib is not installed" in (tmp_path / name).read_text()
    assert "<img" not in (tmp_path / "report.html").read_text()
    assert "![" not in (tmp_path / "report.md").read_text()


class Tags(HTMLParser):
    """The tags of a page that are opened and not closed, those it has, and its text."""

    VOID = ("meta", "img", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Notes it."""
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes the last one, which must be such."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Notes it."""
        self.text += data


@pytest.fixture(scope="module")
def evil_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name, label, text and note is an attack."""
    topic = replace(TOPIC, labels=EVIL[:3])
    tags = replace(TAGS, labels=EVIL[1:3])
    judged = judged_rows([topic, LIKED, tags], texts=EVIL)
    places = [RowPlace(EVIL[i % 3], i) for i in range(ROWS)]
    raters = {"topic": np.tile(np.float32([0.5, 0.3, 0.2]), (ROWS, 1))}
    judged = replace(judged, sources=[EVIL[i % 3] for i in range(ROWS)], places=places, soft=raters, raters=raters)
    folder = tmp_path_factory.mktemp("evil")
    report = make_report(judged, name=EVIL[0], split=EVIL[2], resamples=2, notes=EVIL)
    write_report(report, folder)
    return folder


def test_nothing_of_a_label_or_text_becomes_a_tag_of_the_page(evil_folder: Path) -> None:
    page = (evil_folder / "report.html").read_text()

    tags = Tags(page)

    assert tags.open == []
    assert not {tag for tag, _ in tags.seen} & {"script", "iframe", "link", "object"}
    for text in EVIL[:4]:
        assert text in tags.text


def test_the_page_asks_nothing_of_any_other_place(evil_folder: Path) -> None:
    tags = Tags((evil_folder / "report.html").read_text()).seen
    addresses = [each for _, attributes in tags for name, each in attributes.items() if name in ("src", "href")]

    assert {each.split(",")[0].split("-")[0] for each in addresses} == {"data:image/png;base64", "#task"}
    assert not [attributes for _, attributes in tags if any(name.startswith("on") for name in attributes)]
    assert "default-src 'none'" in (evil_folder / "report.html").read_text()


def test_every_line_of_a_markdown_table_has_as_many_cells_as_its_head(evil_folder: Path) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", (evil_folder / "report.md").read_text(), re.MULTILINE)
    cells = [[len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()] for block in blocks]

    assert len(blocks) > 12
    assert [counts for counts in cells if len(set(counts)) != 1] == []


def test_nothing_of_a_label_or_text_becomes_markup_of_the_markdown(evil_folder: Path) -> None:
    text = (evil_folder / "report.md").read_text()

    assert not re.search(r"(?<!\\)[<`]|(?<!\\)\*\*|(?<![!\\])\[|http://|www\.", re.sub(r"!\[[^]]*\]", "", text))
    assert {line[0] for line in text.splitlines() if line} <= set("#|-!WAOEVte\\")
    assert re.findall(r"^#+ .*three", text, re.MULTILINE) == []


def test_a_label_takes_no_part_in_the_names_of_files(evil_folder: Path) -> None:
    names = {each.stem for each in evil_folder.iterdir()}

    assert names == {"report", "confusion_topic", "confusion_liked"} | {
        f"reliability_{name}" for name in ("topic", "liked", "tags")
    }


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("[x](http://evil)", r"\[x\](http\://evil)"),
        ("<b> & `c`", r"\<b\> \& \`c\`"),
        ("one\n\n# two", r"one \# two"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("www.evil.org", r"www\.evil.org"),
        (r"back\slash", r"back\\slash"),
        ("plain, (words) 1.5 – “so”!", "plain, (words) 1.5 – “so”!"),
    ],
)
def test_signs_of_markdown_are_escaped(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


@pytest.mark.usefixtures("no_pictures")
def test_pairs_of_texts_and_halves_of_characters_can_be_reported(tmp_path: Path) -> None:
    judged = judged_rows([TOPIC])
    judged = replace(judged, texts=[("one \ud83d half", "other")] * ROWS)

    write_report(report_of(judged), tmp_path)

    assert "one ? half | other" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_rows_and_seed_give_the_same_files(tmp_path: Path) -> None:
    judged = judged_rows([RATING])
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write_report(report_of(judged, seed=1), folder)

    one, two = ({each.name: each.read_bytes() for each in folder.iterdir()} for folder in folders)
    assert one == two


def test_bars_lie_between_0_and_100_whatever_the_figure() -> None:
    low, high = (
        bars([{"value": 0.5, "low": -0.25, "high": 0.75}])[0]["at"],
        bars([{"value": 30.0, "low": 20.0, "high": 40.0}])[0]["at"],
    )

    assert low == {"zero": 20.0, "value": 60.0, "low": 0.0, "high": 80.0}  # from -0.25 to 1
    assert high == {"zero": 0.0, "value": 71.43, "low": 47.62, "high": 95.24}  # from 0 to 42


def test_a_bar_of_what_is_not_known_is_empty() -> None:
    assert bars([{"value": None, "low": None, "high": None}])[0]["at"]["value"] == 0


def test_labels_without_rows_stand_last() -> None:
    values = {"never": (0.0, 0), "good": (0.9, 3), "bad": (0.1, 1)}
    classes = {label: {"f1": {"value": f1}, "support": support} for label, (f1, support) in values.items()}

    assert [label for label, _ in weakest_first(classes)] == ["bad", "good", "never"]
