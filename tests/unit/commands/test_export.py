"""The export command: its output and messages, and errors before the model runs."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sklearn import metrics
from transformers import AutoTokenizer, BertTokenizer, CanineTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.export import main
from modeling_multitask.export.folder import write_export
from modeling_multitask.export.sentence_transformers import write_twin
from modeling_multitask.inference import predict
from modeling_multitask.inference.predict_onnx import MultiTaskOnnx
from modeling_multitask.inference.saving import save_folder
from tests.conftest import WORDS, tasks_of_each_type

TOPICS = ["film", "food", "phone"]
ROWS = [
    {"text": f"the good {word} {i}", "topic": TOPICS[i % 3] if i % 4 else "", "rating": str(i)}
    for i, word in enumerate(["film", "food", "phone", "soup"] * 3)
]


class Shouting(BertTokenizer):
    """A tokenizer that adds a word before each text, in Python."""

    def __call__(self, text: Any, *others: Any, **settings: Any) -> Any:
        """Tokenize the changed texts."""
        return super().__call__([f"good {each}" for each in text], *others, **settings)


@pytest.fixture
def folder(tmp_path: Path, backbone: Path) -> str:
    """A model with a topic and a rating, in a folder."""
    tasks = [task for task in tasks_of_each_type() if task["name"] in ("topic", "rating")]
    model = MultiTaskModel.from_backbone(
        backbone, tasks, max_length=16, num_hidden_layers=1, head={"hidden_sizes": []}
    ).eval()
    save_folder(model, AutoTokenizer.from_pretrained(backbone), tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return tmp_path / "rows.csv"


@torch.no_grad()
def save_coarse(folder: Path, backbone: Path) -> None:
    """A topic that has several answers to `ROWS`, and in 8 bits one alone: one number dwarfs the others."""
    settings = {"max_length": 16, "num_hidden_layers": 1, "head": {"hidden_sizes": []}}
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type()[:1], **settings).eval()
    tokenizer, head = AutoTokenizer.from_pretrained(backbone), model.heads.topic[-1]
    norm = model.backbone.encoder.layer[0].output.LayerNorm
    norm.weight[0], norm.bias[0], head.weight[:, 0] = 0, 1000, 0
    batch = tokenizer([row["text"] for row in ROWS], padding=True, return_tensors="pt")
    head.bias -= model(**batch).logits["topic"].mean(dim=0)
    save_folder(model, tokenizer, folder)


def files(folder: Path) -> dict[str, Any]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_output_that_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("precious")

    code = main(["no-model", f"{tmp_path}/out"])

    assert (code, list(files(tmp_path / "out"))) == (1, ["precious.txt"])
    assert capsys.readouterr().err == f"error: {tmp_path}/out exists already; add --force to overwrite it\n"


def test_only_an_export_is_overwritten_though_forced(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(Path(folder))

    code = main([folder, folder, "--force"])

    assert (code, files(Path(folder))) == (1, before)
    assert (
        f"{folder} is not an export (it has no export.json), so --force does not overwrite it"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [([], "onnx", "onnx"), (["--format", "openvino"], "openvino", "openvino")],
)
def test_a_missing_extra_is_said_without_loading_the_model(
    tmp_path: Path,
    words: list[str],
    module: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    code = main(["no-model", f"{tmp_path}/out", *words])

    assert code == 1
    assert f"it comes with the extra '{extra}' of modeling-multitask: pip install " in capsys.readouterr().err


def test_data_that_is_not_there_is_said_without_loading_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["no-model", f"{tmp_path}/out", "--data", f"{tmp_path}/rows.csv"])

    assert code == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/rows.csv: no such file\n"


def test_a_model_that_does_not_exist_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([f"{tmp_path}/modle", f"{tmp_path}/out"])

    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert "modle: not a local folder" in capsys.readouterr().err


def test_rows_without_a_task_are_an_error(
    tmp_path: Path, folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text("text,mood\na,b\n")

    code = main([folder, f"{tmp_path}/out", "--data", str(table)])

    assert code == 1
    assert "no column has the name of a task" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "rows.csv"]


def test_a_tokenizer_without_a_file_of_its_own_is_an_error_and_leaves_nothing(
    tmp_path: Path, model: MultiTaskModel
) -> None:
    message = "CanineTokenizer has no tokenizer.json, which an export needs; only models with a fast"
    with pytest.raises(ValueError, match=message):
        write_export(model, CanineTokenizer(), tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def deep_folder(tmp_path: Path, backbone: Path) -> str:
    """A model whose topic has a head with a hidden layer, in a folder without a run."""
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type()[:1], max_length=16, num_hidden_layers=1)
    save_folder(model.eval(), AutoTokenizer.from_pretrained(backbone), tmp_path / "deep")
    return str(tmp_path / "deep")


TWIN = ["--format", "sentence-transformers"]


def test_a_twin_is_written_with_the_place_of_each_task(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([folder, f"{tmp_path}/twin", *TWIN]) == 0

    vector = SentenceTransformer(f"{tmp_path}/twin").encode("the good film")
    assert vector.shape == (36,)
    printed = capsys.readouterr().out
    assert "A vector contains: embedding [0:32], topic [32:35], rating [35:36]\nEqual to PyTorch: " in printed
    assert printed.endswith(f"The export is in {tmp_path}/twin\n")


def test_linear_needs_no_texts_if_all_heads_are_linear(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([folder, f"{tmp_path}/twin", *TWIN, "--linear"]) == 0

    assert "Linear heads have learned" not in capsys.readouterr().out


def test_a_twin_that_reads_texts_differently_is_an_error_and_leaves_nothing(
    tmp_path: Path, backbone: Path, folder: str
) -> None:
    tokenizer = Shouting.from_pretrained(backbone)

    with pytest.raises(ValueError, match=r"^SentenceTransformer gives other numbers than the model \(.* differs by"):
        write_twin(MultiTaskModel.from_pretrained(folder), tokenizer, tmp_path / "twin")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_hidden_layers_need_linear_and_this_is_said_before_the_weights_are_read(
    tmp_path: Path, deep_folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(deep_folder) / "model.safetensors").unlink()

    code = main([deep_folder, f"{tmp_path}/twin", *TWIN])

    assert (code, sorted(path.name for path in tmp_path.iterdir())) == (1, ["deep"])
    assert "these tasks have heads with hidden layers: topic. Add --linear to replace" in capsys.readouterr().err


def test_linear_without_texts_says_what_to_give(
    tmp_path: Path, deep_folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(deep_folder) / "model.safetensors").unlink()

    code = main([deep_folder, f"{tmp_path}/twin", *TWIN, "--linear"])

    assert (code, sorted(path.name for path in tmp_path.iterdir())) == (1, ["deep"])
    assert f"--linear needs texts to learn from, but {deep_folder} has no run" in capsys.readouterr().err


def test_linear_heads_learn_from_a_table_and_are_compared_on_each_fifth_row(
    tmp_path: Path, deep_folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with table.open("a") as file:
        file.writelines(f"very {word} indeed {i},,\n" for i, word in enumerate(WORDS))

    assert main([deep_folder, f"{tmp_path}/twin", *TWIN, "--linear", "--data", str(table)]) == 0

    facts = json.loads((tmp_path / "twin" / "multitask.json").read_text())["distilled"]
    assert (facts["texts"], facts["rows"]) == (24, {"name": "each fifth row of rows.csv", "count": 6})
    assert 0 <= facts["figures"]["linear heads"]["topic"]["macro_f1"] <= 1
    printed = capsys.readouterr().out
    assert (
        "Linear heads have learned the logits of topic on 24 texts.\nOn 6 rows (each fifth row of rows.csv):" in printed
    )
    assert re.search(r"^  topic  linear heads  .* macro_f1 \d\.\d{4} .* same_answer \d\.\d{4}$", printed, re.MULTILINE)


def test_linear_heads_learn_from_the_training_rows_of_the_models_own_run(
    tmp_path: Path, deep_folder: str, table: Path
) -> None:
    data = {"train": [{"path": str(table), "text": "text", "labels": {"topic": "topic"}}], "split": {"test": 0.25}}
    record = {"backbone": "any", "tasks": tasks_of_each_type()[:1], "data": data}
    (tmp_path / "recipe.json").write_text(json.dumps(record))
    with table.open("a") as file:
        file.writelines(f"very {word} indeed {i},{TOPICS[i % 3]},\n" for i, word in enumerate(WORDS))

    assert main([deep_folder, f"{tmp_path}/twin", *TWIN, "--linear"]) == 0

    facts = json.loads((tmp_path / "twin" / "multitask.json").read_text())["distilled"]
    assert facts["texts"] + facts["rows"]["count"] == len(ROWS) + len(WORDS)
    assert facts["rows"]["name"] == "test"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*TWIN, "--int8"], "--int8 is for onnx and openvino"),
        (["--linear"], "--linear is for --format sentence-transformers; onnx contains hidden layers as they are"),
        ([*TWIN, "--data", "rows.csv"], "--data is not used, because all heads are linear and the export is exact"),
    ],
)
def test_an_option_of_another_format_is_an_error(
    tmp_path: Path, folder: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([folder, f"{tmp_path}/twin", *words]) == 1

    assert message in capsys.readouterr().err
    assert not (tmp_path / "twin").exists()


def test_only_a_twin_is_overwritten_by_a_twin(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([folder, folder, *TWIN, "--force"]) == 1
    assert "is not an export (it has no multitask.json)" in capsys.readouterr().err

    assert main([folder, f"{tmp_path}/twin", *TWIN]) == 0
    assert main([folder, f"{tmp_path}/twin", *TWIN]) == 1
    assert main([folder, f"{tmp_path}/twin", *TWIN, "--force"]) == 0


@pytest.mark.slow
def test_the_folder_is_written_into_the_models_own_and_judged_on_the_rows(
    tmp_path: Path, folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(folder) / "onnx"

    assert main([folder, str(output), "--format", "onnx", "--int8", "--data", str(table)]) == 0

    there = [i for i, row in enumerate(ROWS) if row["topic"]]
    answers = predict(folder, [row["text"] for row in ROWS])
    truth = [ROWS[i]["topic"] for i in there], [answers[i]["topic"]["label"] for i in there]
    record = json.loads((output / "export.json").read_text())
    assert list(record["figures"]) == ["PyTorch", "model.onnx", "model_int8.onnx"]
    assert record["figures"]["PyTorch"]["topic"]["accuracy"] == pytest.approx(metrics.accuracy_score(*truth))
    assert record["figures"]["model.onnx"]["topic"] == record["figures"]["PyTorch"]["topic"]
    assert record["figures"]["model_int8.onnx"]["rating"]["rows"] == 12
    assert record["agreement"]["model.onnx"]["topic"]["same_answer"] == 1.0
    assert 0 < record["agreement"]["model_int8.onnx"]["rating"]["score_difference"] < 0.1
    assert record["rows"] == {"name": "rows.csv", "count": 12}
    printed = capsys.readouterr().out
    assert "On 12 rows (rows.csv):\n" in printed
    assert printed.endswith(f"The export is in {output}\n")
    assert [path.name for path in Path(folder).iterdir() if path.is_dir()] == ["1_Pooling", "onnx"]


@pytest.mark.slow
def test_weights_of_8_bits_are_judged_by_their_own_answers(
    tmp_path: Path, backbone: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_coarse(tmp_path / "model", backbone)

    assert main([f"{tmp_path}/model", f"{tmp_path}/out", "--int8", "--data", str(table)]) == 0

    texts, record = [row["text"] for row in ROWS], json.loads((tmp_path / "out" / "export.json").read_text())
    exact = [row["topic"]["label"] for row in predict(f"{tmp_path}/model", texts)]
    small = [row["topic"]["label"] for row in MultiTaskOnnx(tmp_path / "out", file="model_int8.onnx").predict(texts)]
    same = sum(one == other for one, other in zip(small, exact, strict=True)) / len(ROWS)
    there = [i for i, row in enumerate(ROWS) if row["topic"]]
    printed = capsys.readouterr().out
    assert 0 < same < 1
    assert record["agreement"]["model_int8.onnx"]["topic"]["same_answer"] == same
    for form, answers in {"PyTorch": exact, "model_int8.onnx": small}.items():
        labels = [ROWS[i]["topic"] for i in there], [answers[i] for i in there]
        macro_f1 = metrics.f1_score(*labels, average="macro")
        assert record["figures"][form]["topic"]["macro_f1"] == pytest.approx(macro_f1)
        assert re.search(rf"^  topic  {form} .*  macro_f1 {macro_f1:.4f}", printed, re.MULTILINE)
    assert f"same_answer {same:.4f}" in printed.splitlines()[-2]


@pytest.mark.slow
def test_an_export_is_overwritten_if_forced(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "export.json").write_text("{}")
    (output / "model_int8.onnx").write_text("of another model")

    assert main([folder, str(output), "--force"]) == 0

    assert not (output / "model_int8.onnx").exists()
    assert len(MultiTaskOnnx(output).predict(["soup"])) == 1
    assert "No rows were given" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_whose_rows_are_gone_is_exported_all_the_same(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.json").write_text('{"tasks": []}')

    assert main([folder, f"{tmp_path}/out"]) == 0

    printed = capsys.readouterr().out
    assert "The test rows of the model's own run are not available: " in printed
    assert "No rows were given" in printed


@pytest.mark.slow
def test_a_tokenizer_that_does_more_than_its_file_says_is_an_error_and_leaves_nothing(
    tmp_path: Path, backbone: Path, folder: str
) -> None:
    tokenizer = Shouting.from_pretrained(backbone)

    with pytest.raises(ValueError, match=r"^Shouting reads '.*' differently from its tokenizer\.json"):
        write_export(MultiTaskModel.from_pretrained(folder), tokenizer, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
