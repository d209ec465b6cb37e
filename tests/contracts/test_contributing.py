"""The changes shown in CONTRIBUTING.md apply and work."""

import configparser
import json
import math
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.checkout import copy_checkout
from tests.conftest import ROOT
from tests.forks import run_forked
from tests.fresh_process import run_fresh

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = dict(re.findall(r"^### A (.+?)\n.*?^```diff\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL))
MOST_FILES = {"problem type": 4, "pooling": 2, "loss": 2, "balancing method": 2, "file format": 2}


def apply(diff: str, checkout: Path) -> None:
    """Apply a diff to a copy of the checkout."""
    subprocess.run(["git", "apply", "-C1", "-"], input=diff, cwd=checkout, text=True, check=True)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with the files that the diffs change, outside of any repository."""
    for name in set(re.findall(r"^\+\+\+ b/(.*)$", "".join(DIFFS.values()), re.MULTILINE)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("what", MOST_FILES)
def test_a_diff_fits_and_touches_few_files(sources: Path, what: str) -> None:
    apply(DIFFS[what], sources)

    files = [path.relative_to(sources) for path in sources.rglob("*.py")]
    changed = [path for path in files if (sources / path).read_bytes() != (ROOT / path).read_bytes()]
    assert len(changed) == DIFFS[what].count("\n+++ ") <= MOST_FILES[what]


def test_the_layers_are_those_that_are_checked() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = config["importlinter:contract:layers"]["layers"].split()
    checked = [each.removeprefix("modeling_multitask.") for each in layers[: layers.index("datasets_builder") + 1]]
    (block,) = re.findall(r"^```\n(scripts .*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)

    assert re.findall(r"^ *([a-z_]+) ", block, flags=re.MULTILINE) == checked


RECIPE = """
backbone: {backbone}
probe: false
pooling: root_mean_square
max_length: 16
head: {{hidden_sizes: []}}
tasks:
  - {{name: visits, problem_type: count_regression}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
data: {{train: visits.csv, split: {{validation: 0.25}}}}
learning_rates: {{heads: 5e-2, backbone: 5e-3}}
training: {{warmup_steps: 0, num_train_epochs: 20, per_device_train_batch_size: 8, disable_tqdm: true}}
output_dir: run
"""
TEXTS = ["the good film", "the boring film"]
TRAIN = """
import json, sys
from modeling_multitask.commands import main
assert main(["train", "recipe.yaml"]) == 0
import torch
from modeling_multitask.inference import encode, predict
texts, exactly = sys.argv[1:], {"dtype": torch.float32}
with open("ours.json", "w") as file:
    json.dump([encode("run/model", texts, **exactly).tolist(), predict("run/model", texts, **exactly)], file)
"""
LOAD = """
from transformers import AutoModel, AutoTokenizer, pipeline
folder, texts = sys.argv[1], sys.argv[2:]
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
states, mask = model.backbone(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
output = model(**batch)
result = {
    "embeddings": output.embeddings.tolist(),
    "expected": ((states**2 * mask).sum(1) / mask.sum(1)).sqrt().tolist(),
    "logits": output.logits["visits"].tolist(),
    "answers": pipeline(model=folder, trust_remote_code=True)(texts),
}
"""


@pytest.mark.slow
def test_a_new_problem_type_and_a_new_pooling_train_and_load_without_this_package(
    backbone: Path, tmp_path: Path
) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    apply(DIFFS["problem type"], checkout)
    apply(DIFFS["pooling"], checkout)
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    words = [("good", 6, "yes"), ("boring", 1, "no"), ("tasty", 5, "yes"), ("broken", "", "no")]
    rows = [f"the {words[i % 4][0]} film {'very ' * (i // 4)},{words[i % 4][1]},{words[i % 4][2]}" for i in range(32)]
    (tmp_path / "visits.csv").write_text("\n".join(["text,visits,liked", *rows]) + "\n")

    trained = run_forked(TRAIN, ["-c", *TEXTS], folder=tmp_path, paths=[str(checkout)])

    assert trained.exit_codes == [0], trained.stderr
    embeddings, answers = json.loads((tmp_path / "ours.json").read_text())
    found = run_fresh(LOAD, tmp_path / "run" / "model", *TEXTS, folder=tmp_path)
    visits = [answer["visits"]["score"] for answer in found["answers"]]
    assert visits == pytest.approx([answer["visits"]["score"] for answer in answers], rel=1e-4)
    assert visits == pytest.approx([math.exp(logit) for (logit,) in found["logits"]], rel=1e-4)
    assert visits[0] > 3 > visits[1]  # the training rows have six visits for good and one for boring
    assert found["embeddings"] == pytest.approx(np.array(embeddings), abs=1e-5)
    assert found["embeddings"] == pytest.approx(np.array(found["expected"]), abs=1e-5)
