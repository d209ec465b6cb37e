"""A repository that a Trainer pushed, used by every loader that its card names."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode, predict
from tests.deciding import same_answers
from tests.fresh_process import run_fresh
from tests.hub_server import HubServer, hub, hub_api
from tests.integration.test_pushed_model import LOAD, TEXTS, stranger
from tests.unit.training.test_card_mixin import build, online

__all__ = ["build", "hub", "hub_api", "online"]  # fixtures
pytestmark = pytest.mark.slow


def test_everyone_gets_the_answers_of_a_model_that_a_trainer_pushed(
    build: Any,
    online: HubServer,
    hub_api: HfApi,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build(hub_model_id="tester/pushed").push_to_hub(license="mit")
    stranger(online, tmp_path / "stranger", monkeypatch)

    found = run_fresh(LOAD, "tester/pushed", online.commits("tester/pushed")[0], *TEXTS, folder=tmp_path, online=True)

    assert same_answers(found["answers"], predict(model.eval(), TEXTS, tokenizer=tokenizer))
    assert found["embeddings"] == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=1e-5)
