"""The `*_multitask.py` files are copied into every saved model, and a user needs no other file to load it."""

import ast
import configparser
import copy
import hashlib
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerBase
from transformers.dynamic_module_utils import get_imports, get_relative_import_files

import modeling_multitask
from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.saving import save_folder
from tests.conftest import ROOT
from tests.fresh_process import run_fresh

PACKAGE = Path(modeling_multitask.__file__).parent
TRAVELLING = sorted(PACKAGE.glob("*_multitask.py"))
STAYING = {
    *("__init__.py", "__main__.py", "registration.py", "version.py"),
    *(
        "errors.py",
        "extras.py",
        "files.py",
        "hub_access.py",
        "lazy.py",
        "locks.py",
        "pictures.py",
        "secret.py",
        "shipped.py",
        "wording.py",
    ),
}
ALLOWED = {"torch", "transformers", "huggingface_hub", "safetensors"}  # transformers needs safetensors
TEXTS = ["the film was good", "bad", "the phone was not very great", "good " * 300]

# For every text exactly one of the first two tasks applies.
DEPENDENT = [
    {
        "name": "genre",
        "problem_type": "single_label_classification",
        "labels": ["comedy", "drama"],
        "given": {"task": "topic", "labels": ["film"]},
    },
    {
        "name": "price",
        "problem_type": "ordinal_regression",
        "labels": ["low", "high"],
        "given": {"task": "topic", "labels": ["food", "phone"]},
    },
    {
        "name": "thing",
        "problem_type": "single_label_classification",
        "labels": ["plot", "soup", "rice", "screen"],
        "given": {"task": "topic", "parents": {"plot": "film", "soup": "food", "rice": "food", "screen": "phone"}},
    },
    {"name": "age", "problem_type": "regression", "given": {"task": "genre", "labels": ["comedy"]}},
]

each_file = pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.stem)

LOAD = """
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline
folder, texts = sys.argv[1], sys.argv[2:]
config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
logits = {}
for text in texts:
    inputs = tokenizer(text, truncation=True, max_length=config.max_length, return_tensors="pt")
    for task, values in model(**inputs).logits.items():
        logits.setdefault(task, []).append(values[0].tolist())
answer = pipeline("multitask-classification", model=folder, trust_remote_code=True)
from sentence_transformers import SentenceTransformer
result = {
    "config": type(config).__module__,
    "model": type(model).__module__,
    "logits": logits,
    "answers": answer(texts),
    "inferred_task": pipeline(model=folder, trust_remote_code=True).task,
    "embeddings": SentenceTransformer(folder, trust_remote_code=True).encode(texts).tolist(),
}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> tuple[Path, MultiTaskModel, Any]:
    """A saved model in a folder whose name has dots and hyphens, the model itself, and its tokenizer."""
    from transformers import AutoTokenizer

    from tests.conftest import tasks_of_each_type

    folder = tmp_path_factory.mktemp("hub") / "my.multi-task-v1.0"
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type() + DEPENDENT, max_length=16).eval()
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    save_folder(model, tokenizer, folder)
    return folder, model, tokenizer


@pytest.fixture(scope="module")
def loaded(trained: tuple[Path, Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results of loading that folder in every supported way, without this package."""
    return run_fresh(LOAD, trained[0], *TEXTS, folder=tmp_path_factory.mktemp("stranger"))


@pytest.mark.compat
def test_long_texts_are_read_in_windows_without_this_package(
    trained: tuple[Path, MultiTaskModel, Any], tmp_path: Path
) -> None:
    _, model, tokenizer = trained
    windows = copy.deepcopy(model)
    windows.config.long_texts = "windows"
    save_folder(windows, tokenizer, tmp_path / "windows")
    texts = [*TEXTS[:3], "the film was good " * 9 + "the soup was bad " * 30]

    there = run_fresh(LOAD, tmp_path / "windows", *texts, folder=tmp_path)

    scores = [answer["topic"]["score"] for answer in there["answers"]]
    whole, cut = (
        [answer["topic"]["score"] for answer in predict(each, texts, tokenizer=tokenizer)] for each in (windows, model)
    )
    assert scores == pytest.approx(whole, abs=1e-5)
    assert scores[-1] != pytest.approx(cut[-1], abs=1e-4)
    # SentenceTransformer has no windows, so it reads only the first.
    assert np.array(there["embeddings"]) == pytest.approx(encode(model, texts, tokenizer=tokenizer), abs=1e-5)


def test_only_travelling_files_and_small_shared_ones_lie_at_the_root() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {path.name for path in TRAVELLING} | STAYING


@pytest.mark.parametrize("name", ["layers", "travelling"])
def test_the_import_contracts_name_every_travelling_file(name: str) -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    contract = settings[f"importlinter:contract:{name}"]

    named = set(
        re.findall(r"modeling_multitask\.(\w+_multitask)\b", contract.get("source_modules") or contract["layers"])
    )

    assert named == {path.stem for path in TRAVELLING}


def test_the_model_brings_every_travelling_file_along() -> None:
    # P49: transformers finds them by a regular expression over relative imports.
    needed = {Path(path).name for path in get_relative_import_files(PACKAGE / "modeling_multitask.py")}

    assert needed | {"modeling_multitask.py"} == {path.name for path in TRAVELLING}


@each_file
def test_a_travelling_file_imports_only_what_every_stranger_has(path: Path) -> None:
    # P50
    assert {name for name in get_imports(path) if name not in sys.stdlib_module_names} <= ALLOWED


@each_file
def test_a_travelling_file_imports_its_neighbours_flat_and_at_its_top(path: Path) -> None:
    # P49
    tree = ast.parse(path.read_text())
    everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]

    inside = [node for node in everywhere if node not in tree.body]
    assert all(isinstance(node, ast.ImportFrom) and node.module == "kinds_multitask" for node in inside)
    assert [node.level for node in everywhere if isinstance(node, ast.ImportFrom) and node.level not in (0, 1)] == []
    assert [
        node.module for node in everywhere if isinstance(node, ast.ImportFrom) and node.level and not node.module
    ] == []


@each_file
def test_no_docstring_of_a_travelling_file_looks_like_a_relative_import(path: Path) -> None:
    # P49: the regular expression also reads docstrings.
    found = set(re.findall(r"^\s*from\s+\.(\S+)\s+import", path.read_text(), flags=re.MULTILINE))

    assert {f"{name}.py" for name in found} <= {each.name for each in TRAVELLING}


@pytest.mark.compat
def test_a_stranger_gets_the_trained_logits(loaded: Any, trained: tuple[Path, MultiTaskModel, Any]) -> None:
    # P48
    _, model, tokenizer = trained
    for i, text in enumerate(TEXTS):
        inputs = tokenizer(text, truncation=True, max_length=16, return_tensors="pt")
        for name, logits in model(**inputs).logits.items():
            assert loaded["logits"][name][i] == pytest.approx(logits[0].tolist(), abs=1e-6)


@pytest.mark.compat
def test_a_strangers_classes_come_from_the_folder(loaded: Any) -> None:
    # P48, P53: the folder's name has dots and hyphens.
    assert loaded["config"].startswith("transformers_modules.my_dot_multi_hyphen_task_hyphen_v1_dot_0.")
    assert loaded["model"].startswith("transformers_modules.my_dot_multi_hyphen_task_hyphen_v1_dot_0.")


@pytest.mark.compat
def test_a_strangers_pipeline_gives_our_answers(loaded: Any, trained: tuple[Path, MultiTaskModel, Any]) -> None:
    _, model, tokenizer = trained
    expected = predict(model, TEXTS, tokenizer=tokenizer)

    assert labels_of(loaded["answers"]) == labels_of(expected)
    assert [each["rating"]["score"] for each in loaded["answers"]] == pytest.approx(
        [each["rating"]["score"] for each in expected], abs=1e-5
    )


@pytest.mark.compat
def test_a_strangers_answers_to_tasks_that_depend_on_each_other_do_not_contradict(loaded: Any) -> None:
    parents = DEPENDENT[2]["given"]["parents"]
    for row in loaded["answers"]:
        assert parents[row["thing"]["label"]] == row["topic"]["label"]
        film = row["topic"]["label"] == "film"
        assert (row["genre"]["label"] is not None, row["price"]["label"] is not None) == (film, not film)
        assert (row["age"]["score"] is None) == (row["genre"]["label"] != "comedy")


@pytest.mark.compat
def test_a_stranger_need_not_name_the_pipeline(loaded: Any) -> None:
    assert loaded["inferred_task"] == "multitask-classification"


@pytest.mark.compat
def test_a_strangers_sentence_transformer_gives_our_embeddings(
    loaded: Any, trained: tuple[Path, MultiTaskModel, Any]
) -> None:
    # P58: the last text has 300 tokens.
    _, model, tokenizer = trained

    assert loaded["embeddings"] == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=1e-5)


@pytest.mark.compat
def test_the_tokenizer_loads_where_code_is_refused(trained: tuple[Path, Any, Any], tmp_path: Path) -> None:
    code = """
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=False)
result = [type(tokenizer).__name__, [name for name in sys.modules if "transformers_modules" in name]]
"""

    assert run_fresh(code, trained[0], folder=tmp_path) == ["BertTokenizer", []]


@pytest.mark.compat
def test_with_this_package_imported_no_trust_is_needed(trained: tuple[Path, MultiTaskModel, Any]) -> None:
    model = AutoModel.from_pretrained(trained[0])

    assert type(model) is MultiTaskModel


@pytest.mark.compat
@pytest.mark.parametrize("trust", [True, False])
def test_with_this_package_imported_its_own_classes_are_used_trusted_or_not(
    trained: tuple[Path, MultiTaskModel, Any], trust: bool
) -> None:
    # P52: registered classes take precedence over the code of the folder.
    config = AutoConfig.from_pretrained(trained[0], trust_remote_code=trust)
    model = AutoModel.from_pretrained(trained[0], trust_remote_code=trust)

    assert (type(config), type(model)) == (modeling_multitask.MultiTaskConfig, MultiTaskModel)


@pytest.mark.compat
def test_two_folders_with_different_code_each_use_their_own(trained: tuple[Path, Any, Any], tmp_path: Path) -> None:
    # P52: saving A and then loading B must not leave A's code in use.
    other = shutil.copytree(trained[0], tmp_path / "other")
    path = other / "modeling_multitask.py"
    path.write_text(path.read_text() + "\nMultiTaskModel.mark = 'B'\n")
    code = """
from transformers import AutoModel
load = lambda folder: AutoModel.from_pretrained(folder, trust_remote_code=True)
first = load(sys.argv[1])
first.save_pretrained("again")
second, third = load(sys.argv[2]), load("again")
result = [getattr(model, "mark", None) for model in (first, second, third)]
"""

    assert run_fresh(code, trained[0], other, folder=tmp_path) == [None, "B", None]


@pytest.mark.compat
def test_a_strangers_finetuned_copy_saves_a_complete_folder(
    trained: tuple[Path, MultiTaskModel, PreTrainedTokenizerBase], tmp_path: Path
) -> None:
    # P51: load remote code, train, save, load.
    code = """
import torch
from transformers import AutoModel, AutoTokenizer
folder, again = sys.argv[1], sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, trust_remote_code=True).train()
batch = tokenizer(["good film", "bad soup"], padding=True, return_tensors="pt")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(**batch, labels={"topic": torch.tensor([0, 1])}).loss.backward()
optimizer.step()
model.save_pretrained(again)
tokenizer.save_pretrained(again)
loaded = AutoModel.from_pretrained(again, trust_remote_code=True)
result = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True))
"""
    again = tmp_path / "again"

    assert run_fresh(code, trained[0], again, folder=tmp_path) is True
    before, after = names_and_texts(trained[0]), names_and_texts(again)
    # A used tokenizer saves its padding. Its file is written by transformers, so it is not compared.
    used = {name for name in before if name.startswith("tokenizer")} | {"model.safetensors"}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} <= used


def test_saving_and_loading_again_gives_an_equal_folder(
    trained: tuple[Path, MultiTaskModel, Any], tmp_path: Path
) -> None:
    # P51
    again = MultiTaskModel.from_pretrained(trained[0])
    save_folder(again, trained[2], tmp_path)

    assert names_and_texts(tmp_path) == names_and_texts(trained[0])


def labels_of(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers without their scores, and for a regression whether there is a number."""
    return [
        {
            name: [each["label"] for each in given]
            if isinstance(given, list)
            else given.get("label", given["score"] is None)
            for name, given in row.items()
        }
        for row in answers
    ]


def names_and_texts(folder: Path) -> dict[str, str]:
    """Return the content of every file in a folder, with a hash for the weights."""
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".safetensors"
        else path.read_text()
        for path in files
    }
