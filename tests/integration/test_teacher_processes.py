"""Two processes learn the same from a teacher as one."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference.saving import save_folder
from tests.launched import finish

pytestmark = pytest.mark.slow

RECIPE = """
backbone: {backbone}
tasks:
  - {{name: topic, problem_type: single_label_classification, labels: [film, food, phone], teacher: {teacher}}}
data: {{train: {folder}/rows.csv, test: {folder}/rows.csv}}
training:
  max_steps: 3
  optim: sgd
  per_device_train_batch_size: {batch_size}
  train_sampling_strategy: sequential
  disable_tqdm: true
  use_cpu: true
  dataloader_pin_memory: false
learning_rates: {{heads: 0.1, backbone: 0.1}}
head: {{hidden_sizes: []}}
max_length: 16
probe: false
output_dir: {folder}/{name}
"""
NO_DROPOUT = '"hidden_dropout_prob": 0.1', '"attention_probs_dropout_prob": 0.1'


def test_two_processes_learn_the_same_as_one(
    tmp_path: Path, backbone: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path / "model")
    rows = [f"the {'film' if i % 2 else 'soup'} was {'good' if i % 3 else 'bad'} {i}," for i in range(24)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", "a film,film", *rows]) + "\n")
    student = tmp_path / "backbone"
    student.mkdir()
    for path in backbone.iterdir():
        (student / path.name).write_bytes(path.read_bytes())
    settings = (student / "config.json").read_text()
    for word in NO_DROPOUT:
        settings = settings.replace(word, word.replace("0.1", "0.0"))
    (student / "config.json").write_text(settings)
    words = {"backbone": student, "teacher": tmp_path / "model", "folder": tmp_path}
    for name, batch_size in (("one", 8), ("two", 4)):
        (tmp_path / f"{name}.yaml").write_text(RECIPE.format(name=name, batch_size=batch_size, **words))

    for processes, name in enumerate(("one", "two"), start=1):
        finish("-m", "scripts.train", tmp_path / f"{name}.yaml", folder=tmp_path, processes=processes)

    found = MultiTaskModel.from_pretrained(tmp_path / "two" / "model").state_dict()
    for name, expected in MultiTaskModel.from_pretrained(tmp_path / "one" / "model").state_dict().items():
        # The remaining difference is rounding from a different order of sums.
        torch.testing.assert_close(found[name], expected, atol=1e-5, rtol=1e-4)
