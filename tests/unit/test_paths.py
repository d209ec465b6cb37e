"""A name that can only be a local path is never looked up on the Hub."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from datasets_builder import DataError, Source
from datasets_builder.source import is_on_hub
from datasets_builder.sources import open_tables
from modeling_multitask import MultiTaskModel, hub_access
from modeling_multitask.commands.demo import main as demo
from modeling_multitask.commands.export import main as export
from modeling_multitask.commands.predict import main as predict
from modeling_multitask.commands.push import main as push
from modeling_multitask.commands.report import main as report
from modeling_multitask.commands.similarity import main as similarity
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import encode
from modeling_multitask.inference.graphs import _find
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.paths_multitask import resolve_model_path, why_local
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.recorded import recorded_rows
from modeling_multitask.runs.start import load_tokenizer


@pytest.fixture(autouse=True)
def _a_hub_that_must_not_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with `runs/first`, which is also the home folder."""
    (tmp_path / "runs" / "first").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(hub_access, "is_offline_mode", lambda: False)
    monkeypatch.setattr(hub_access, "unreachable", pytest.fail)


@pytest.fixture
def run(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    """The output folder of a run."""
    save_folder(model, tokenizer, "runs/first/model")
    return Path("runs/first")


LOCAL = {
    "./none": "it begins with '.'",
    "../none": "it begins with '.'",
    "/no/where": "it begins with '/'",
    "~/none": "it begins with '~'",
    "runs/none": "'runs' is a local folder",
    "a/b/c": "it has more than one '/'",
}


@pytest.mark.parametrize(("name", "reason"), LOCAL.items())
def test_a_local_path_says_where_it_was_looked_for(name: str, reason: str) -> None:
    message = (
        rf"^{name}: not a local folder \(/.* does not exist\)\. It is not looked up on the Hub, because {reason}\."
    )
    with pytest.raises(FileNotFoundError, match=message):
        resolve_model_path(name)


@pytest.mark.parametrize("name", LOCAL)
def test_no_function_asks_the_hub_for_a_local_path(name: str) -> None:
    for read in (
        lambda: encode(name, ["a"]),
        lambda: encode(name, ["a"], backend="onnx"),
        lambda: MultiTaskModel.from_pretrained(name),
        lambda: MultiTaskModel.from_backbone(name, [{"name": "price", "problem_type": "regression"}]),
    ):
        with pytest.raises(FileNotFoundError, match=r"not a local folder .* It is not looked up on the Hub"):
            read()


def test_a_misspelt_folder_is_named(run: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Check the path; did you mean 'first'\?"):
        resolve_model_path("runs/frist/model")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    Path("weights.bin").touch()

    with pytest.raises(FileNotFoundError, match=r"weights\.bin is a file\)\. .* because it is a local file"):
        resolve_model_path("weights.bin")


@pytest.mark.parametrize("name", ["bert-base-uncased", "me/model", "me.you/model-1"])
def test_an_id_may_be_on_the_hub(name: str) -> None:
    assert why_local(name) is None
    assert resolve_model_path(name) == name


def test_the_home_folder_is_found(run: Path, tmp_path: Path) -> None:
    assert resolve_model_path("~/runs/first/model") == str(tmp_path / run / "model")
    assert encode("~/runs/first/model", ["a"]).shape == (1, 32)
    assert _find_or_message("~/runs/first/model").startswith("~/runs/first/model contains no model.onnx")


def _find_or_message(name: str) -> str:
    with pytest.raises(FileNotFoundError) as error:
        _find(name, "onnx")
    return str(error.value)


def test_a_run_is_found_from_the_home_folder(run: Path, model: MultiTaskModel) -> None:
    (run / "recipe.json").write_text('{"backbone": "x", "tasks": [], "data": {}}')

    with pytest.raises(RecipeError, match=r"recipe\.json has"):
        recorded_rows(model.config.tasks, "~/runs/first/model")


COMMANDS = {
    "predict": (predict, ["rows.csv", "answers.csv"]),
    "predict with a graph": (predict, ["rows.csv", "answers.csv", "--backend", "onnx"]),
    "similarity": (similarity, ["--pair", "a", "b"]),
    "export": (export, ["out"]),
    "report": (report, ["rows.csv", "--output", "out"]),
    "push": (push, ["me/model", "--license", "mit"]),
    "demo": (demo, ["--no_browser"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_names_the_model_in_the_folder_of_a_run(
    command: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text("text,topic\na,film\n")
    main, words = COMMANDS[command]

    code = main(["runs/first/", *words])

    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("; its model is runs/first/model")


@pytest.mark.parametrize("path", ["./none", "/no/where", "~/none", "runs/none"])
def test_a_local_path_of_data_is_no_data_set_on_the_hub(path: str) -> None:
    assert not is_on_hub(Source(path))
    with pytest.raises(DataError, match=r"none: no such file|where: no such file"):
        open_tables(Source(path))


def test_data_in_the_home_folder_are_found() -> None:
    Path("rows.csv").write_text("text\na\n")

    assert [table.columns for table in open_tables(Source("~/rows.csv"))] == [["text"]]


RECIPE = """
backbone: {backbone}
tasks: [{{name: topic, problem_type: single_label_classification, labels: [film, food]}}]
data: {{train: {{path: {data}, labels: {{topic: topic}}}}}}
output_dir: ~/runs/second
"""


def test_the_paths_of_a_recipe_begin_at_its_folder_or_at_home(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    (folder / "encoders").mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone="encoders/none", data="~/rows"))

    recipe = load_recipe(folder / "recipe.yaml")

    assert recipe.backbone == str(folder / "encoders" / "none")
    assert recipe.data.train[0].path == str(tmp_path / "rows")
    assert recipe.output_dir == str(tmp_path / "runs" / "second")
    with pytest.raises(RecipeError, match=r"backbone: /.*none: not a local folder .* It is not looked up on the Hub"):
        load_tokenizer(recipe)


def test_a_recipe_in_the_home_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone="me/encoder", data="me/rows"))

    assert load_recipe("~/recipe.yaml").path == tmp_path / "recipe.yaml"


def test_the_hub_ids_of_a_recipe_stay(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone="me/encoder", data="me/rows"))

    recipe = load_recipe(tmp_path / "recipe.yaml")

    assert (recipe.backbone, recipe.data.train[0].path) == ("me/encoder", "me/rows")


def test_data_in_a_folder_of_the_recipe_are_not_on_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    (folder / "tables").mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone="me/encoder", data="tables/none"))

    assert load_recipe(folder / "recipe.yaml").data.train[0].path == str(folder / "tables" / "none")


def test_a_backbone_in_a_package_does_not_ask_the_hub(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone="package:no_such_package/model", data="rows.csv"))

    with pytest.raises(RecipeError, match="backbone: package:no_such_package/model: the Python package"):
        load_tokenizer(load_recipe(tmp_path / "recipe.yaml"))
