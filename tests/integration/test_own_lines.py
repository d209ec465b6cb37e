"""Commands print their own lines only, and neither the Trainer nor a saved model causes a warning of a library."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forks import run_forked
from tests.fresh_process import BLOCK
from tests.launched import finish
from tests.own_lines import foreign_lines

RECIPE = """
backbone: {backbone}
probe: false
max_length: 16
tasks: [{{name: topic, problem_type: single_label_classification}}]
data: {{train: train.csv, split: {{validation: 0.2, test: 0.2}}}}
lora: {{r: 2}}
training: {{num_train_epochs: 2, per_device_train_batch_size: 8}}
output_dir: out
"""
TRAINER = """
import sys
from datasets import Dataset
from transformers import AutoTokenizer
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.lora import add_lora

topic = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
rows = Dataset.from_dict({"text": ["a good film", "the bad soup"], "topic": [0, 1]})
trainer = MultiTaskTrainer(
    model=add_lora(MultiTaskModel.from_backbone(sys.argv[1], tasks=[topic]), {"r": 2}),
    args=MultiTaskTrainingArguments(
        "out", num_train_epochs=3, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, report_to="none",
        disable_tqdm=True,
    ),
    train_dataset=rows,
    eval_dataset=rows,
    processing_class=AutoTokenizer.from_pretrained(sys.argv[1]),
)
trainer.train()
trainer.predict(rows)
"""
LOADS = f"""
{BLOCK}
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, pipeline
folder = sys.argv[1]
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(folder, config=model.config)
model(**tokenizer(["the good film"], return_tensors="pt"))
pipeline("multitask-classification", model=folder, trust_remote_code=True)(["the good film", "a bad soup"])
SentenceTransformer(folder, trust_remote_code=True).encode(["the good film"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """A folder with a table, a recipe, a model in `out/model`, and the output of the training in `train.txt`."""
    folder = tmp_path_factory.mktemp("own_lines")
    rows = [f"the {word} was {'good' if i % 2 else 'bad'},{word}" for i in range(20) for word in ("film", "soup")]
    (folder / "train.csv").write_text("\n".join(["text,topic", *rows]))
    (folder / "texts.csv").write_text("text\nthe good film\na bad soup\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    output = finish("-m", "modeling_multitask", "train", "recipe.yaml", folder=folder)
    (folder / "train.txt").write_text(output)
    return folder


def test_a_training_prints_only_our_lines(folder: Path) -> None:
    output = (folder / "train.txt").read_text()

    assert "100%|" in output, "the bars of our own are gone"
    assert foreign_lines(output) == []


@pytest.mark.slow
def test_two_processes_print_each_message_once(folder: Path) -> None:
    output = finish("-m", "modeling_multitask", "train", "recipe.yaml", "output_dir=two", folder=folder, processes=2)

    # Here torch is imported before the command begins, so its C++ code has read another level.
    assert [line for line in foreign_lines(output) if "reducer.cpp" not in line] == []
    assert output.count("only 8 validation rows have a label") == 1
    assert output.count("You can load it without this package") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["train", "recipe.yaml", "--dry_run"],
        ["predict", "out/model", "texts.csv", "answers.csv"],
        # It loads the model in a further process.
        pytest.param(["push", "out/model", "me/topics", "--license", "mit"], marks=pytest.mark.slow),
        ["report", "out/model", "recipe.yaml", "--output", "report"],
        ["similarity", "out/model", "--pair", "a good film", "the bad soup"],
        ["data", "recipe.yaml", "--output", "data"],
    ],
    ids=lambda words: words[0],
)
def test_other_commands_let_no_library_print_to_stderr(folder: Path, words: list[str]) -> None:
    module = "import runpy\nrunpy.run_module('modeling_multitask', run_name='__main__', alter_sys=True)"

    finished = run_forked(module, ["multitask", *words], folder=folder, paths=[str(ROOT)])

    assert finished.exit_codes == [0], finished.stderr
    assert foreign_lines(finished.stderr) == []


def test_verbose_shows_the_output_of_the_libraries(folder: Path) -> None:
    words = ["predict", "out/model", "texts.csv", "verbose.csv", "--verbose"]

    output = finish("-m", "modeling_multitask", *words, folder=folder)

    assert "Loading weights" in output
    assert "[transformers]" in output


def test_the_trainer_causes_no_warning(backbone: Path, tmp_path: Path) -> None:
    """P128, P129, P130: special tokens, pinned memory, and checkpoints that are less than a second apart."""
    finished = run_forked(TRAINER, ["-c", str(backbone)], folder=tmp_path, paths=[str(ROOT)])

    assert finished.exit_codes == [0], finished.stderr
    assert foreign_lines(finished.stderr, of_program=True) == []


def test_a_saved_model_loads_without_a_warning(folder: Path) -> None:
    finished = run_forked(LOADS, ["-c", "out/model"], folder=folder)

    assert finished.exit_codes == [0], finished.stderr
    assert foreign_lines(finished.stderr, of_program=True) == []


def test_a_line_of_a_library_is_found_also_behind_a_bar() -> None:
    output = " 50%|█████     | 80/160 [00:13<00:10,  7.51it/s]\rWriting model shards: 100%|██| 1/1 [00:00<00:00]\n"
    output += "Probe:  67%|██████▋   | 2/3 [00:00<00:00,  4.69it/s][transformers] mtime may not be reliable\n"

    assert foreign_lines(output) == ["Writing model shards:", "[transformers] mtime may not be reliable"]
