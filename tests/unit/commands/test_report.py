"""The report command: recipes and tables, its output, and errors before the model runs."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file
from sklearn import metrics
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.report import main
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.record import recipe_words
from modeling_multitask.runs import compared  # noqa: F401  (it keeps the `judge` that it finds when it is imported)

RECIPE = """
backbone: encoder
tasks:
  - {name: topic, problem_type: single_label_classification, aliases: {movie: film}}
  - {name: mood, problem_type: binary_classification}
data:
  train: [{path: one.csv}, {path: two.csv}]
  split: {validation: 0.25}
"""
TOPICS = ["film", "food", "phone"]
ROWS = [
    {"text": f"the good {word} {i}", "topic": TOPICS[i % 3] if i % 4 else "", "rating": str(i)}
    for i, word in enumerate(["film", "food", "phone", "soup"] * 4)
]
FEW = ("--resamples", "100")
Command = Callable[..., int]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """They take most of the time, and are only drawn where a test asks for `pictures`."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture
def pictures() -> None:
    """Let the report draw its plots."""


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    save_folder(model, tokenizer, tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def command(tmp_path: Path, folder: str) -> Command:
    """The command with the model, a table of its name, and the output `out`."""
    write(tmp_path / "rows.csv", ROWS)
    return lambda data="rows.csv", *words: main(
        [folder, str(tmp_path / data), "--output", f"{tmp_path}/out", *FEW, *words]
    )


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Path:
    """A recipe of two tables; `mood` is a task that the model does not have."""
    (tmp_path / "encoder").symlink_to(backbone)
    for name, start in (("one.csv", 0), ("two.csv", 1)):
        write(tmp_path / name, rows_of_table(name, 16)[start:])
    (tmp_path / "reviews.yaml").write_text(RECIPE)
    return tmp_path / "reviews.yaml"


def rows_of_table(name: str, count: int) -> list[dict[str, Any]]:
    return [{"text": f"{name} {i}", "topic": ["movie", "food"][i % 2], "mood": "ab"[i // 2 % 2]} for i in range(count)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


def reported(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out" / "report.json").read_text())


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_figures_of_a_table_are_those_of_what_predict_answers(
    tmp_path: Path, folder: str, command: Command, ending: str
) -> None:
    write(tmp_path / f"rows{ending}", ROWS)

    assert command(f"rows{ending}") == 0

    answers = predict(folder, [row["text"] for row in ROWS])
    there = [i for i, row in enumerate(ROWS) if row["topic"]]
    truth = [ROWS[i]["topic"] for i in there], [answers[i]["topic"]["label"] for i in there]
    numbers = [float(row["rating"]) for row in ROWS], [each["rating"]["score"] for each in answers]
    tasks = reported(tmp_path)["tasks"]
    assert tasks["topic"]["figures"]["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(*truth))
    assert tasks["rating"]["figures"]["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(*numbers), rel=1e-5)
    assert (tasks["topic"]["rows"], tasks["rating"]["rows"], tasks["grade"]["rows"]) == (12, 16, 0)


@pytest.mark.usefixtures("pictures")
def test_page_markdown_json_pictures_and_tables_are_written_and_the_figures_printed(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command() == 0

    names = {"report.html", "report.md", "report.json", "confusion_topic.png", "confusion_topic.csv"}
    names |= {"reliability_topic.png", "scatter_rating.png"}
    assert {each.name for each in (tmp_path / "out").iterdir()} == names
    printed = capsys.readouterr().out
    assert "rows.csv: 16 rows" in printed
    assert "macro_f1" in printed
    assert printed.endswith(f"The report is in {tmp_path}/out/report.html\n")


def test_without_matplotlib_there_is_a_report_all_the_same(tmp_path: Path, command: Command) -> None:
    assert command() == 0

    assert "The report has no pictures" in (tmp_path / "out" / "report.html").read_text()


def test_several_labels_stand_in_one_cell(tmp_path: Path, command: Command) -> None:
    write(tmp_path / "tags.csv", [{"text": "a", "tags": "long|loud"}, {"text": "b", "tags": "loud"}])

    assert command("tags.csv", "--separator", "|") == 0

    classes = reported(tmp_path)["tasks"]["tags"]["classes"]
    assert {label: each["support"] for label, each in classes.items()} == {"long": 1, "loud": 2}


def test_rows_of_a_table_have_the_lines_of_its_file(tmp_path: Path, command: Command) -> None:
    (tmp_path / "broken.csv").write_text('text,grade\n"a\nfilm",fair\n,fair\n\na soup,fine\n')

    assert command("broken.csv") == 0

    worst = reported(tmp_path)["tasks"]["grade"]["errors"]["worst"]
    assert {each["text"]: (each["table"], each["line"]) for each in worst} == {
        "a\nfilm": ("broken.csv", 2),
        "a soup": ("broken.csv", 6),
    }
    for name in ("report.html", "report.md"):
        page = (tmp_path / "out" / name).read_text().replace("\\", "")
        assert "broken.csv:6" in page
        assert str(tmp_path / "broken.csv") not in page


@pytest.mark.parametrize("name", ["table", "line"])
def test_an_old_model_may_have_a_task_of_the_name_of_a_column(tmp_path: Path, folder: str, name: str) -> None:
    config = Path(folder) / "config.json"
    config.write_text(config.read_text().replace('"grade"', f'"{name}"'))
    weights = load_file(Path(folder) / "model.safetensors")
    save_file(
        {key.replace("heads.grade.", f"heads.{name}."): each for key, each in weights.items()},
        Path(folder) / "model.safetensors",
        {"format": "pt"},
    )
    write(tmp_path / "old.csv", [{"text": "a film", name: "fair"}, {"text": "a soup", name: "fine"}])

    assert main([folder, str(tmp_path / "old.csv"), "--output", f"{tmp_path}/out", *FEW]) == 0

    worst = reported(tmp_path)["tasks"][name]["errors"]["worst"]
    assert {(each["row"], each["line"]) for each in worst} == {(0, None), (1, None)}


def test_sources_of_the_same_name_are_shown_with_their_folder_and_not_with_their_path(
    tmp_path: Path, command: Command, recipe: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "rows.csv", rows_of_table(name, 120))
    recipe.write_text(RECIPE.replace("one.csv", "one/rows.csv").replace("two.csv", "two/rows.csv"))

    assert command(recipe.name) == 0

    errors = reported(tmp_path)["tasks"]["topic"]["errors"]
    assert {each["name"] for each in errors["by_source"]} == {"one/rows.csv", "two/rows.csv"}
    assert {(each["table"], each["line"]) for each in errors["worst"]} == {
        (f"{name}/rows.csv", int(number) + 2)
        for name, _, number in (each["text"].partition(" ") for each in errors["worst"])
    }


def test_the_column_of_the_text_can_be_named(tmp_path: Path, command: Command) -> None:
    write(tmp_path / "said.csv", [{"said": "a film", "grade": "fair"}, {"said": "a soup", "grade": "fine"}])

    assert command("said.csv", "--text", "said") == 0

    assert {each["text"] for each in reported(tmp_path)["tasks"]["grade"]["errors"]["worst"]} == {"a film", "a soup"}


def test_of_a_recipe_without_test_rows_the_validation_rows_are_judged_by_source(
    tmp_path: Path, command: Command, recipe: Path
) -> None:
    for name in ("one.csv", "two.csv"):
        write(tmp_path / name, rows_of_table(name, 120))

    assert command(recipe.name) == 0

    report = reported(tmp_path)
    own = report["tasks"]["topic"]
    assert report["split"] == "validation"
    assert own["labels"] == TOPICS
    assert own["classes"]["phone"]["support"] == 0  # a label that the model has and the recipe's tables have not
    assert {each["name"] for each in own["errors"]["by_source"]} == {"one.csv", "two.csv"}
    assert sum(each["rows"] for each in own["errors"]["by_source"]) == report["rows"]


def test_test_rows_of_a_recipe_go_before_validation_rows(tmp_path: Path, command: Command, recipe: Path) -> None:
    write(tmp_path / "held.csv", [{"text": "new", "topic": "food"}, {"text": "newer", "topic": "phone"}])
    recipe.write_text(RECIPE.replace("  split:", "  test: {path: held.csv}\n  split:"))

    assert command(recipe.name) == 0

    assert (reported(tmp_path)["split"], reported(tmp_path)["rows"]) == ("test", 2)


def test_labels_that_may_be_wrong_are_listed_of_the_training_rows(
    tmp_path: Path, command: Command, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cleanlab")

    assert command(recipe.name, "--label_issues") == 0

    with (tmp_path / "out" / "label_issues.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["task"] for line in lines} == {"topic", "mood"}
    tables = {name: (tmp_path / name).read_text().splitlines() for name in ("one.csv", "two.csv")}
    assert {line["table"] for line in lines} == set(tables)
    for line in lines:
        assert tables[line["table"]][int(line["line"]) - 1].startswith(f"{line['text']},")
    assert "labels, sorted by suspicion within each task: " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["report.html", "report.md", "report.json"])
def test_a_report_that_is_there_is_not_overwritten(
    tmp_path: Path, command: Command, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("precious")

    code = command()

    assert (code, [each.read_text() for each in (tmp_path / "out").iterdir()]) == (1, ["precious"])
    assert capsys.readouterr().err == f"error: {tmp_path}/out already contains a report; add --force to overwrite it\n"


def test_a_report_that_is_there_is_overwritten_if_forced(tmp_path: Path, command: Command) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("old")

    assert command("rows.csv", "--force") == 0
    assert "<!doctype html>" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "bad.csv: no such file"),
        ("text,color\na,b\n", "bad.csv: no column has the name of a task; columns: 'text', 'color'; tasks of the"),
        ("text,topic\na,music\n", "row 1, column 'topic': 'music' is not one of 'film', 'food', 'phone'"),
        ("texts,topic\na,film\n", "no column 'text'"),
        ("text,rating\na,good\n", "row 1, column 'rating'"),
    ],
    ids=["nothing", "no task", "label", "no text", "no number"],
)
def test_a_table_that_cannot_be_judged_is_an_error_before_the_model_runs(
    tmp_path: Path,
    command: Command,
    content: str | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("modeling_multitask.evaluation.judged.judge", None)
    if content is not None:
        (tmp_path / "bad.csv").write_text(content)

    code = command("bad.csv")

    error = capsys.readouterr().err
    assert code == 1
    assert "error: " in error
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("binary_classification", "binary", "tasks[1].problem_type"),
        (
            "name: topic, problem_type: single_label",
            "name: topic, problem_type: multi_label",
            "in the model it is single_label_classification",
        ),
        ("name: topic", "name: subject", "tasks: are 'subject', 'mood'; none of them is a task of the model"),
        ("  split: {validation: 0.25}", "", "data: has no test or validation rows"),
        (
            "  split: {validation: 0.25}",
            "  split: {folds: 2}",
            "to evaluate the model in folds/1/model, set data.split.fold=1",
        ),
        ("movie: film", "film: movie", "'film' is an alias of 'movie', not of a label"),
    ],
    ids=["recipe", "problem type", "tasks", "splits", "folds", "labels"],
)
def test_a_recipe_that_does_not_go_with_the_model_is_an_error(
    command: Command, recipe: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in RECIPE
    recipe.write_text(RECIPE.replace(old, new))

    code = command(recipe.name)

    assert code == 1
    assert message in capsys.readouterr().err


def test_issues_of_labels_are_not_sought_in_a_table(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("rows.csv", "--label_issues") == 1
    assert "is a table; --label_issues needs a recipe" in capsys.readouterr().err


def test_rows_that_are_streamed_have_no_issues_of_labels(
    tmp_path: Path, command: Command, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = recipe.read_text().replace("split: {validation: 0.25}", "test: {path: one.csv}\n  streaming: true")
    recipe.write_text(
        held.replace("single_label_classification,", "single_label_classification, labels: [film, food],").replace(
            "binary_classification}", "binary_classification, labels: [a, b]}"
        )
        + "training: {max_steps: 1}\n"
    )

    assert command(recipe.name, "--label_issues") == 1
    assert "data.streaming: streamed rows cannot be checked" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data", ["rows.txt", "rows"])
def test_data_that_is_neither_recipe_nor_table_is_an_error(
    tmp_path: Path, command: Command, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / data).write_text("text")

    assert command(data) == 1
    assert "must be a recipe (.yaml, .yml) or a table (.csv," in capsys.readouterr().err


def test_an_output_that_is_a_file_is_an_error(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("precious")

    assert command("rows.csv", "--force") == 1
    assert f"error: {tmp_path}/out is a file; choose a folder for the output\n" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0", "99", "many"])
def test_resamples_are_a_number(command: Command, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("rows.csv", "--resamples", given)
    assert f"{given} is not a whole number of at least 100" in capsys.readouterr().err


def test_without_cleanlab_issues_of_labels_are_an_error_before_the_model_runs(
    tmp_path: Path,
    command: Command,
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.rank", None)

    assert command(recipe.name, "--label_issues") == 1
    assert "cleanlab is not installed; it comes with the extra 'errors'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_is_an_error(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([f"{tmp_path}/modle", f"{tmp_path}/rows.csv", "--output", f"{tmp_path}/out"])

    assert code == 1
    assert "modle: not a local folder" in capsys.readouterr().err


def test_rows_that_were_trained_on_are_not_judged_as_held_out(
    tmp_path: Path, recipe: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(recipe_words(load_recipe(recipe, ["seed=1"]))))

    assert command("reviews.yaml") == 1
    message = capsys.readouterr().err
    assert "seed: is 0; the model was trained with 1" in message
    assert "use the same value: seed=1" in message
    assert command("reviews.yaml", "seed=1") == 0


def test_a_recipe_of_other_rows_may_be_split_in_any_way(tmp_path: Path, recipe: Path, command: Command) -> None:
    other = load_recipe(recipe, ["seed=1", "data.train=[{path: one.csv}]"])
    (tmp_path / "recipe.json").write_text(json.dumps(recipe_words(other)))

    assert command("reviews.yaml") == 0


def test_a_task_whose_column_is_empty_is_not_evaluated(tmp_path: Path, command: Command) -> None:
    write(tmp_path / "empty.csv", [{**row, "rating": " "} for row in ROWS])

    assert command("empty.csv") == 0

    tasks = json.loads((tmp_path / "out" / "report.json").read_text())["tasks"]
    assert tasks["topic"]["rows"] == 12
    assert tasks["rating"]["rows"] == 0
