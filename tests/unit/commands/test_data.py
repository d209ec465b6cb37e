"""The data command, which shows a recipe's data and pushes it: its output and its errors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from modeling_multitask.commands.data import main
from tests.conftest import ROOT
from tests.hub_server import HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures

RECIPE = """
backbone: encoder
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [film, food]}
data:
  train: {path: reviews.csv}
  split: {validation: 0.25}
"""
Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, backbone: Path) -> Command:
    """The command with a recipe of eight rows, whose default output is in `out`."""
    rows = "".join(f"t{i},{'film' if i % 2 else 'food'}\n" for i in range(8))
    (tmp_path / "reviews.csv").write_text(f"text,topic\n{rows}")
    (tmp_path / "reviews.yaml").write_text(RECIPE)
    (tmp_path / "encoder").symlink_to(backbone)
    return lambda *words: main([str(tmp_path / "reviews.yaml"), f"output_dir={tmp_path}/out", *words])


@pytest.fixture
def online(hub: HubServer, hub_api: HfApi, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The Hub, as the one that this process pushes to."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    # It is made of the endpoint when huggingface_hub is imported; without it files are looked for at huggingface.co.
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub


def test_the_look_is_printed_and_written_as_text_json_and_picture(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command()

    written, printed = tmp_path / "out" / "data", capsys.readouterr().out
    assert code == 0
    assert (written / "data.txt").read_text() in printed
    assert json.loads((written / "data.json").read_text())["rows"] == {"train": 6, "validation": 2}
    assert (written / "data.png").read_bytes().startswith(b"\x89PNG")
    assert printed.endswith(f"\nThe summary is in {written}, with a picture: {written}/data.png\n")


def test_without_matplotlib_there_are_words_and_the_name_of_the_extra(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    assert command() == 0

    assert sorted(each.name for each in (tmp_path / "out" / "data").iterdir()) == ["data.json", "data.txt"]
    assert "it comes with the extra 'plots'" in capsys.readouterr().out


def test_the_look_is_written_where_it_is_wanted(tmp_path: Path, command: Command) -> None:
    assert command("--output", str(tmp_path / "there")) == 0

    assert sorted(each.name for each in (tmp_path / "there").iterdir()) == ["data.json", "data.png", "data.txt"]


@pytest.mark.parametrize("name", ["data.txt", "data.json", "data.png"])
def test_a_look_that_is_there_is_not_overwritten(
    tmp_path: Path, command: Command, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / name).write_text("precious")

    code = command()

    assert (code, [each.read_text() for each in (tmp_path / "out" / "data").iterdir()]) == (1, ["precious"])
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path}/out/data already contains a data summary; add --force to overwrite it\n"
    )


def test_a_look_that_is_there_is_overwritten_if_forced(tmp_path: Path, command: Command) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "data.txt").write_text("old")

    assert command("--force") == 0
    assert "topic" in (tmp_path / "out" / "data" / "data.txt").read_text()


def test_a_push_that_is_not_confirmed_says_what_it_would_do_and_asks_the_hub_nothing(
    tmp_path: Path, command: Command, online: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command("--push", "tester/reviews")

    printed = capsys.readouterr().out
    assert (code, online.requests) == (0, [])
    assert "Would push to the data set tester/reviews:" in printed
    names = ["README.md", "build_dataset.py", "data/train-00000-of-00001.parquet"]
    names += ["data/validation-00000-of-00001.parquet", "recipe.yaml"]
    assert [line.split()[-1] for line in printed.splitlines() if " bytes  " in line] == names
    assert printed.endswith("Nothing was pushed; add --yes to push.\n")
    assert not (tmp_path / "out").exists()


def test_paths_of_this_machine_in_the_recipe_are_said_before_it_is_pushed(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reviews.yaml").write_text(f"{RECIPE}examples: [{tmp_path}]\n")

    command("--push", "tester/reviews")

    assert f"Note: recipe.yaml contains local paths of this machine: {tmp_path}.\n" in capsys.readouterr().out


def test_folds_are_not_pushed(command: Command, online: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    code = command("--push", "tester/reviews", "--yes", "data.split={folds: 2}")

    assert (code, online.requests) == (1, [])
    assert "a data set on the Hub has no folds; set data.split.folds=null to push all rows" in capsys.readouterr().err


def test_a_confirmed_push_uploads_all_files(
    tmp_path: Path, command: Command, online: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command("--push", "tester/reviews", "--yes")

    assert code == 0
    assert capsys.readouterr().out.endswith(f"Pushed to {online.url}/datasets/tester/reviews\n")
    files = online.files("tester/reviews", "dataset")
    assert files["recipe.yaml"].decode() == RECIPE
    assert b"path='reviews.csv'" in files["build_dataset.py"]


def test_a_second_push_takes_away_what_the_first_brought(command: Command, online: HubServer) -> None:
    command("--push", "tester/reviews", "--yes")

    command("--push", "tester/reviews", "--yes", "data.split={}")

    names = [name for name in online.files("tester/reviews", "dataset") if name.startswith("data/")]
    assert names == ["data/train-00000-of-00001.parquet"]


def test_a_push_as_a_pull_request_leaves_the_branch_as_it_was(
    command: Command, online: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command("--push", "tester/reviews", "--yes", "--create_pr")

    assert code == 0
    assert "discussions/1" in capsys.readouterr().out
    assert "README.md" not in online.files("tester/reviews", "dataset")


def test_a_new_repository_is_private_if_wanted(command: Command, online: HubServer, hub_api: HfApi) -> None:
    command("--push", "tester/reviews", "--yes", "--private")

    assert hub_api.dataset_info("tester/reviews").private


def test_a_push_without_a_token_is_an_error(
    command: Command, online: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/no/such/token")

    code = command("--push", "tester/reviews", "--yes")

    error = capsys.readouterr().err
    assert code == 1
    assert "error: " in error
    assert "401" in error


def test_a_push_to_somebody_elses_name_is_an_error(
    command: Command, online: HubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    online.fail_next("POST", "/api/repos/create", status=403)

    code = command("--push", "somebody/reviews", "--yes")

    assert code == 1
    assert "error: " in capsys.readouterr().err


def test_a_push_without_a_network_is_an_error(
    command: Command, online: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)

    code = command("--push", "tester/reviews", "--yes")

    assert code == 1
    assert "error: http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "message"), [("reviews", "has no owner"), ("a b/c", "is not a valid name of a")])
def test_a_name_that_no_data_set_can_have_is_an_error_before_anything_is_read(
    tmp_path: Path, command: Command, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reviews.csv").unlink()

    code = command("--push", name)

    assert code == 1
    assert f"error: {name!r} {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sed=1", "sed: no such word; did you mean 'seed'?"),
        ("data.train.path=review.csv", "review.csv: no such file; did you mean 'reviews.csv'?"),
        ("tasks.0.labels=[film, fool]", "'food' is not one of 'film', 'fool'"),
    ],
    ids=["recipe", "table", "label"],
)
def test_what_is_wrong_with_recipe_or_tables_is_an_error(
    tmp_path: Path, command: Command, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command(override)

    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_pushes_as_a_user_gives_it(tmp_path: Path, command: Command, hub: HubServer) -> None:
    environment = {**hub.environment(tmp_path / "hf"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "scripts.data", "reviews.yaml", "--push", "tester/reviews", "--yes"]

    finished = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith(f"Pushed to {hub.url}/datasets/tester/reviews\n")
    assert "Traceback" not in finished.stderr
    assert not os.path.lexists(tmp_path / "runs")


def test_the_rows_are_written_as_they_are_read(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command("--rows", str(tmp_path / "rows.jsonl"))

    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert code == 0
    assert f"Wrote 8 rows to {tmp_path}/rows.jsonl" in capsys.readouterr().out
    assert [row["split"] for row in rows] == ["train"] * 6 + ["validation"] * 2
    assert {row["text"]: row["topic"] for row in rows} == {f"t{i}": "film" if i % 2 else "food" for i in range(8)}
    assert not (tmp_path / "out").exists()


def test_rows_are_not_written_to_an_address(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--rows", "s3://bucket/rows.jsonl") == 1
    assert "s3://...: an output cannot be an address; write to a local path" in capsys.readouterr().err


def test_a_file_of_rows_is_overwritten_only_if_forced(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text("old")

    assert command("--rows", str(tmp_path / "rows.jsonl")) == 1
    assert "rows.jsonl already exists; add --force to overwrite it" in capsys.readouterr().err
    assert (tmp_path / "rows.jsonl").read_text() == "old"
    assert command("--rows", str(tmp_path / "rows.jsonl"), "--force") == 0
    assert (tmp_path / "rows.jsonl").read_text() != "old"


def test_rows_are_written_without_anything_else(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--rows", "rows.jsonl", "--push", "me/reviews") == 1
    assert "--rows cannot be combined with --push or --output; leave one out" in capsys.readouterr().err
