"""The card of a trainer: ours, by a function, or none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.hub.card_merge import is_signed
from modeling_multitask.publishing import trainer_card
from modeling_multitask.training.lora import add_lora
from tests.conftest import rows_with_gaps
from tests.hub_server import USER, HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures
BY_HAND = "---\nlicense: mit\n---\nby hand\n"
MISSING = "create_card is missing, and the model card of transformers would be wrong for this model; pass create_card="


@pytest.fixture
def build(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Callable:
    def trainer(adapt: Callable = lambda model: model, create_card: Any = trainer_card, **arguments: Any) -> Any:
        args = MultiTaskTrainingArguments(str(tmp_path / "out"), report_to="none", use_cpu=True, **arguments)
        return MultiTaskTrainer(adapt(model), args, processing_class=tokenizer, create_card=create_card)

    return trainer


@pytest.fixture
def online(hub: HubServer, hub_api: HfApi, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A Hub that transformers and this package use."""

    def client(token: str | None = None) -> HfApi:
        return HfApi(endpoint=hub.url, token=token or hub.token)

    monkeypatch.setattr("transformers.trainer.hf_api", client)
    monkeypatch.setattr("modeling_multitask.training.card_mixin.HfApi", client)
    return hub


def card_of(trainer: MultiTaskTrainer) -> str:
    return (Path(trainer.args.output_dir) / "README.md").read_text()


def test_the_card_is_ours(build: Callable) -> None:
    trainer = build()

    trainer.create_model_card()

    assert is_signed(card_of(trainer))
    assert '"multitask-classification", model="your-name/out"' in " ".join(card_of(trainer).split())


def test_the_card_names_the_repository(build: Callable) -> None:
    trainer = build(hub_model_id="me/reviews")

    trainer.create_model_card(license="mit", language="en")

    assert '"me/reviews"' in card_of(trainer)
    assert "license: mit" in card_of(trainer)
    assert "- en" in card_of(trainer)


@pytest.mark.parametrize("given", [{"dataset_tags": "mine"}, {"tags": "mine"}, {"tags": ["a"]}, {"model_name": "Foo"}])
def test_what_the_card_does_not_use_is_refused(given: dict[str, Any], build: Callable) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} is not used in the card; leave it out, and add it"):
        build().create_model_card(**given)


def test_without_a_function_there_is_no_card(build: Callable) -> None:
    trainer = build(create_card=None)

    with pytest.raises(ValueError, match=MISSING):
        trainer.create_model_card()
    assert not (Path(trainer.args.output_dir) / "README.md").exists()


def test_without_a_function_nothing_is_pushed(build: Callable, online: HubServer) -> None:
    with pytest.raises(ValueError, match=MISSING):
        build(create_card=None).push_to_hub()

    assert online.requests == []


def test_a_run_that_could_not_push_does_not_start(build: Callable) -> None:
    with pytest.raises(ValueError, match=MISSING):
        build(create_card=None, push_to_hub=True, hub_model_id="me/reviews")


def test_an_adapter_alone_is_not_pushed(build: Callable, online: HubServer) -> None:
    with pytest.raises(ValueError, match="the Trainer would push the LoRA adapter without its base model"):
        build(adapt=lambda model: add_lora(model, {"r": 2})).push_to_hub()

    assert online.requests == []


def test_a_push_has_our_card(build: Callable, online: HubServer) -> None:
    build().push_to_hub(license="mit")

    files = online.files(f"{USER}/out")
    assert is_signed(files["README.md"].decode())
    assert f'"{USER}/out"' in files["README.md"].decode()
    assert {"config.json", "model.safetensors", "modules.json", "pipeline_multitask.py", "tokenizer.json"} <= set(files)


def test_a_push_without_a_function_has_the_card_that_was_written_by_hand(build: Callable, online: HubServer) -> None:
    trainer = build(create_card=None)
    Path(trainer.args.output_dir).mkdir(parents=True, exist_ok=True)
    (Path(trainer.args.output_dir) / "README.md").write_text(BY_HAND)

    trainer.push_to_hub()

    assert online.files(f"{USER}/out")["README.md"].decode() == BY_HAND


def test_a_second_push_keeps_the_edits_of_the_card_on_the_hub(
    build: Callable, online: HubServer, hub_api: HfApi
) -> None:
    # P56
    trainer = build()
    trainer.push_to_hub()
    card = online.files(f"{USER}/out")["README.md"].decode()
    edited = card.replace("## Limitations", "Ask me first.\n\n## Limitations").encode()
    hub_api.upload_file(path_or_fileobj=edited, path_in_repo="README.md", repo_id=f"{USER}/out")

    trainer.push_to_hub(license="mit")

    assert "Ask me first." in online.files(f"{USER}/out")["README.md"].decode()
    assert "license: mit" in online.files(f"{USER}/out")["README.md"].decode()


def test_a_push_during_training_has_our_card_and_everything_that_loads_the_model(
    build: Callable, online: HubServer, tokenizer: PreTrainedTokenizerBase
) -> None:
    trainer = build(
        push_to_hub=True,
        hub_model_id=f"{USER}/out",
        save_strategy="steps",
        save_steps=1,
        max_steps=1,
        prefix_cache=False,
    )
    trainer.train_dataset = rows_with_gaps(8)

    trainer.train()

    files = online.files(f"{USER}/out")
    assert is_signed(files["README.md"].decode())
    assert {"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "tokenizer.json"} <= set(files)
    assert {"configuration_multitask.py", "modeling_multitask.py", "pipeline_multitask.py"} <= set(files)
    assert "trainer_state.json" not in files
