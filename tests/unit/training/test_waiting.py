"""Optimizer steps do not wait for the device. Values are only read from it for logging."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from tests.conftest import rows_of_each_type, tasks_of_each_type, tiny_bert_config

# A number that the host reads, or a shape that depends on numbers: on a GPU the host then waits until all is computed.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "repeat_interleave"}
ELSEWHERE = ("collator.py", "dataloader.py", "masking_utils.py")


class Waits(TorchDispatchMode):
    """Notes each operator that a GPU would have to be waited for.

    But not where batches are made, on the CPU anyway, nor where transformers looks whether a mask is needed at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        if name in WAITING:
            places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_stack()]
            if not any(place.startswith(ELSEWHERE) for place in places):
                self.found.append(f"{name}: {places[-7:-1]}")
        return function(*args, **(kwargs or {}))


@pytest.fixture
def waits(tmp_path: Path, backbone: Path) -> Callable[..., list[str]]:
    """Return the places where a run of this many steps waits for the device."""

    def train(steps: int, **settings: Any) -> list[str]:
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)
        trainer = MultiTaskTrainer(
            MultiTaskModel(config),
            MultiTaskTrainingArguments(
                str(tmp_path / "run"),
                max_steps=steps,
                per_device_train_batch_size=6,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                disable_tqdm=True,
                dataloader_pin_memory=False,
                **settings,
            ),
            train_dataset=rows_of_each_type(),
            processing_class=BertTokenizer.from_pretrained(backbone),
        )
        with Waits() as found:
            trainer.train()
        return found.found

    return train


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="plain"),
        pytest.param({"gradient_accumulation_steps": 2}, id="accumulation"),
        pytest.param({"balancing": "uncertainty"}, id="uncertainty"),
        pytest.param({"freeze": ["embeddings", "layers.0"], "prefix_cache": False}, id="frozen"),
        pytest.param({"phases": [{"train": ["heads"]}], "prefix_cache": False}, id="phases"),
    ],
)
def test_more_steps_wait_no_more_often(waits: Callable[..., list[str]], settings: dict[str, Any]) -> None:
    # P85
    few, more = waits(2, **settings), waits(7, **settings)

    assert len(few) == len(more), "\n".join(more)
