"""The train command: its messages for errors that the user can fix."""

from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.commands.train import main
from modeling_multitask.commands.train_output import answer_in_words

RECIPE = """
backbone: {backbone}
tasks:
  - {{name: topic, problem_type: single_label_classification, labels: [film, food]}}
data:
  train: {{path: reviews.csv, labels: {{topic: topic}}}}
report: false
output_dir: {folder}/run
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> str:
    """A recipe that could be trained, were it not for what a test makes wrong."""
    (tmp_path / "tiny.yaml").write_text(RECIPE.format(backbone=backbone, folder=tmp_path), encoding="utf-8")
    (tmp_path / "reviews.csv").write_text("text,topic\nthe film,film\nthe soup,flood\n", encoding="utf-8")
    return str(tmp_path / "tiny.yaml")


def test_a_missing_recipe_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(tmp_path / "tiny.yaml")])

    assert (code, capsys.readouterr().err) == (
        1,
        f"error: {tmp_path / 'tiny.yaml'} has a problem:\n  no such file; recipes in this folder: none\n",
    )


def test_every_problem_of_a_recipe_is_said(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe, "poolin=mean", "tasks.0.labels=[true, film]"])

    assert code == 1
    heading, labels, pooling = capsys.readouterr().err.splitlines()
    assert heading == f"error: {recipe} has 2 problems:"
    assert labels == "  tasks[0].labels[0]: is True; it must be text; write 'true', in quotes"
    assert pooling.startswith("  poolin: no such word; did you mean 'pooling'?; words here: backbone, ")


def test_an_override_that_is_none_is_said(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([recipe, "seed"])

    assert "'seed' is not an override; write key=value" in capsys.readouterr().err


def test_a_backbone_that_does_not_exist_is_said(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe, "backbone=someone/no-such-model"])

    assert code == 1
    assert "backbone: not a local folder, and not found on the Hub" in capsys.readouterr().err


def test_a_training_argument_that_transformers_refuses_is_said(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe, "training.warmup_steps=-1"])

    assert code == 1
    assert "training: " in capsys.readouterr().err


def test_a_run_that_diverges_fails_and_leaves_no_model(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reviews.csv").write_text("text,topic\n" + "the film,film\nthe soup,food\n" * 16, encoding="utf-8")

    code = main([recipe, "learning_rates={heads: 1e6, backbone: 5e-5}", "training.warmup_steps=0"])

    output, error = capsys.readouterr()
    assert code == 1
    assert "error: training diverged at step " in error
    assert "heads 1e+06, encoder 5e-05. Try a lower rate for the heads" in error
    assert "Traceback" not in error
    assert "The model is in" not in output
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["recipe.json"]


def test_a_missing_table_is_said(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe, "data.train.path=review.csv"])

    error = capsys.readouterr().err
    assert code == 1
    assert "review.csv: no such file; did you mean" in error


def test_a_wrong_label_is_said_where_rows_are_held_out(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe, "data.split.test=0.5"])

    assert code == 1
    assert "row 2, column 'topic': 'flood' is not one of" in capsys.readouterr().err


def test_a_wrong_label_is_said_where_no_rows_are_held_out(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([recipe])

    assert code == 1
    assert "row 2, column 'topic': 'flood' is not one of" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model", "checkpoints/checkpoint-3", "results.json"])
def test_an_output_folder_that_holds_a_run_is_said(
    tmp_path: Path, recipe: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run" / name / "recipe.json").touch()
    (tmp_path / "run" / "recipe.json").touch()

    code = main([recipe])

    message = f"error: output_dir {tmp_path}/run already contains a run; choose another output_dir, add "
    message += "resume=true to resume it, or --force to overwrite it\n"
    assert (code, capsys.readouterr().err) == (1, message)


def test_force_goes_on_where_a_run_is(tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.json").touch()
    (tmp_path / "run" / "recipe.json").touch()

    main([recipe, "data.split.test=0.5", "--force"])

    assert "row 2, column 'topic'" in capsys.readouterr().err  # the next thing that is wrong


def test_nothing_is_written_after_an_error(tmp_path: Path, recipe: str) -> None:
    main([recipe, "data.split.test=0.5"])

    assert not (tmp_path / "run").exists()


def test_an_override_may_stand_behind_an_option(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([recipe, "--force", "sed=1"]) == 1
    assert "sed: no such word; did you mean 'seed'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"label": "film", "score": 0.934}, "film (0.93)"),
        ([{"label": "long", "score": 0.75}, {"label": "loud", "score": 0.6}], "long (0.75), loud (0.60)"),
        ([], "none"),
        ({"score": -1.25}, "-1.25"),
        ({"score": None}, "no answer"),
        ({"label": None, "score": 0.75}, "no answer (0.75)"),
    ],
)
def test_an_answer_is_printed_in_words(answer: Any, words: str) -> None:
    assert answer_in_words(answer) == words
