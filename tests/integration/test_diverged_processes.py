"""If a run diverges in one of several processes, all stop together with the same error."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.forks import run_forked

pytestmark = pytest.mark.slow

TRAIN = """
import json, math, sys
from transformers import AutoTokenizer, TrainerCallback
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.errors import DivergedError
from tests.conftest import rows_of_each_type, tasks_of_each_type

backbone, settings = sys.argv[1], json.loads(sys.argv[2])

class Spoil(TrainerCallback):
    def on_step_begin(self, args, state, control, model=None, **kwargs):
        if args.process_index == 1 and state.global_step == 5:
            model.heads.topic.register_forward_hook(lambda module, inputs, output: output * math.inf)

trainer = MultiTaskTrainer(
    model=MultiTaskModel.from_backbone(backbone, tasks_of_each_type()[:2]),
    args=MultiTaskTrainingArguments(
        "out", max_steps=12, per_device_train_batch_size=2, train_sampling_strategy="sequential",
        save_strategy="steps", save_steps=2, logging_strategy="no",
        report_to="none", use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False, **settings,
    ),
    train_dataset=rows_of_each_type(96),
    processing_class=AutoTokenizer.from_pretrained(backbone),
    callbacks=[Spoil()],
)
try:
    trainer.train()
except DivergedError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.parametrize(
    "settings", [{}, {"balancing": "pcgrad"}, {"balancing": "dwa"}, {"freeze": "backbone"}], ids=str
)
def test_all_processes_stop_at_the_step_of_the_first(tmp_path: Path, backbone: Path, settings: dict[str, Any]) -> None:
    arguments = ["train", str(backbone), json.dumps(settings)]

    ended = run_forked(TRAIN, arguments, folder=tmp_path, paths=[str(ROOT)], processes=2, seconds=120)

    assert ended.exit_codes == [1, 1], ended.stderr[-4000:]
    assert ended.stderr.count("training diverged at step 6: the loss of 'topic' is ") == 2
    assert ended.stderr.count("The last good checkpoint is out/checkpoint-4.") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checkpoint-2", "checkpoint-4"}
