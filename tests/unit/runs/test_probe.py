"""Failures that would come after hours of training are reported before it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from modeling_multitask import MultiTaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.outputs import check_space
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.probe import _check_words, _shallow, probe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import load_tokenizer
from tests.conftest import tasks_of_each_type

ROWS = [
    "the good film,film",
    "the bad phone was very bad,phone",
    "soup,film",
    "a film is not a phone but good,phone",
] * 5
TASKS = "tasks: [{name: topic, problem_type: single_label_classification}]\n"
Make = Callable[..., Recipe]


@pytest.fixture
def make(tmp_path: Path, backbone: Path) -> Make:
    """Returns a recipe with a copy of the backbone, which a test may change, and the overrides."""
    shutil.copytree(backbone, tmp_path / "backbone")
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *ROWS]) + "\n")
    data = "data: {train: {path: rows.csv, labels: {topic: topic}}}\ntraining: {max_steps: 1}\n"
    (tmp_path / "recipe.yaml").write_text(f"backbone: {tmp_path / 'backbone'}\n{TASKS}{data}")
    return lambda *overrides: load_recipe(
        tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'run'}", "training.disable_tqdm=true", *overrides]
    )


def problem_of(recipe: Recipe) -> str:
    with pytest.raises(RecipeError) as caught:
        plan(recipe)
    [problem] = caught.value.problems
    return problem


def save_decoder(folder: Path, **words: Any) -> None:
    """Write a small GPT-2 whose tokenizer has no padding token, and gives an empty text no token."""
    vocabulary = {word: i for i, word in enumerate(["<|end|>", "<unk>", "the", "film", "phone", "good", "bad", "soup"])}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", **words).save_pretrained(folder)
    config = transformers.GPT2Config(vocab_size=8, n_embd=16, n_layer=1, n_head=2, n_positions=32)
    transformers.GPT2Model(config).save_pretrained(folder)


def test_a_run_is_as_without_the_probe(make: Make, tmp_path: Path) -> None:
    probed = run_recipe(make())
    plain = run_recipe(make("probe=false", f"output_dir={tmp_path / 'other'}"))

    assert all(torch.equal(a, b) for a, b in zip(probed.model.parameters(), plain.model.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.usefixtures("whole_probe")
def test_the_copy_is_loaded_without_this_package(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(make())
    monkeypatch.setattr("modeling_multitask.runs.probe._SECONDS", 120)
    monkeypatch.setattr("modeling_multitask.runs.probe._LAYERS", 1)
    recipe = make()
    prepared = prepare(recipe)
    monkeypatch.setattr("modeling_multitask.publishing.fresh_load._equal", lambda *_: False)

    with pytest.raises(
        RecipeError, match="a saved copy of the model fails: without this package, the logits of 'topic'"
    ):
        probe(recipe, prepared)


def test_the_tokens_of_a_prompt_are_not_those_of_the_texts(make: Make, tmp_path: Path) -> None:
    rows = [f"кот кит {i},film" for i in range(20)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    recipe = make("tasks.0.labels=[film, phone]", "prompt='good film bad phone soup '")

    with pytest.raises(RecipeError, match="does not know 100% of the tokens of the training texts"):
        _check_words(recipe, prepare(recipe))


@pytest.mark.slow
@pytest.mark.usefixtures("whole_probe")
def test_a_model_with_a_prompt_passes_the_whole_probe(make: Make) -> None:
    plan(make("prompt='good film '"))


def test_a_prompt_that_leaves_no_room_for_a_text_is_refused(make: Make) -> None:
    assert problem_of(make("max_length=8", "prompt='good film bad phone soup good '")) == (
        "prompt: the prompt has 7 tokens, which leaves no room for a text, because max_length is 8; shorten the "
        "prompt, or set max_length higher"
    )


def test_without_tokenizer_files_there_are_no_words(make: Make, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / "backbone" / name).unlink(missing_ok=True)

    assert problem_of(make()) == (
        f"backbone: {tmp_path / 'backbone'}: the tokenizer has no words; its files, such as tokenizer.json, are "
        "missing; save the tokenizer to the folder of the model"
    )


@pytest.mark.usefixtures("whole_probe")
@pytest.mark.parametrize(("unknown", "refused"), [(3, False), (12, True)])
def test_texts_of_unknown_words_are_warned_of_or_refused(
    make: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    unknown: int,
    *,
    refused: bool,
) -> None:
    rows = [f"{'кот' if i % 20 < unknown else 'film'},film" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    monkeypatch.setattr("modeling_multitask.runs.probe._check_copy", lambda *args: None)
    recipe = make("tasks.0.labels=[film, phone]")

    if refused:
        assert "does not know 60% of the tokens of the training texts; choose an encoder for their" in problem_of(
            recipe
        )
    else:
        plan(recipe)
        assert "does not know 15% of the tokens of the training texts" in caplog.text


def test_added_tokens_need_embeddings(make: Make, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "backbone")
    tokenizer.add_tokens(["[user]", "[place]"])
    tokenizer.save_pretrained(tmp_path / "backbone")
    size = AutoModel.from_pretrained(tmp_path / "backbone").config.vocab_size

    assert f"but the model has only {size} embeddings; use the tokenizer of this model, or" in problem_of(make())
    trained = run_recipe(make("resize_token_embeddings=true")).model

    assert trained.get_input_embeddings().weight.shape[0] == size + 2
    assert json.loads((tmp_path / "run/model/config.json").read_text())["backbone_config"]["vocab_size"] == size + 2


def test_a_decoder_pads_with_the_end_of_a_text(make: Make, tmp_path: Path) -> None:
    save_decoder(tmp_path / "decoder", eos_token="<|end|>")

    run = run_recipe(make(f"backbone={tmp_path / 'decoder'}"))

    assert run.tokenizer.pad_token == "<|end|>"


def test_a_tokenizer_without_any_padding_is_refused(make: Make, tmp_path: Path) -> None:
    save_decoder(tmp_path / "decoder")
    recipe = make(f"backbone={tmp_path / 'decoder'}")

    with pytest.raises(RecipeError, match=r"pad_token: the tokenizer of .* has no padding token; set pad_token to one"):
        load_tokenizer(recipe)
    with pytest.raises(RecipeError, match=r"pad_token: '<end>' is not a token of .*; did you mean '<.end.>'"):
        load_tokenizer(make(f"backbone={tmp_path / 'decoder'}", "pad_token=<end>"))
    assert load_tokenizer(make(f"backbone={tmp_path / 'decoder'}", "pad_token=<unk>")).pad_token == "<unk>"


def test_a_loss_that_is_not_finite_is_said_before_training(make: Make, tmp_path: Path) -> None:
    encoder = AutoModel.from_pretrained(tmp_path / "backbone")
    with torch.no_grad():
        encoder.encoder.layer[1].output.dense.bias.fill_(float("nan"))
    encoder.save_pretrained(tmp_path / "backbone")

    assert "one training step with the longest texts fails (ValueError: the loss is nan)" in problem_of(make())


def test_an_encoder_that_cannot_be_trained_is_refused(make: Make, tmp_path: Path) -> None:
    config = transformers.ReformerConfig(
        vocab_size=40,
        hidden_size=32,
        attn_layers=["local", "local"],
        axial_pos_shape=[8, 8],
        axial_pos_embds_dim=[16, 16],
        num_attention_heads=2,
        attention_head_size=8,
        feed_forward_size=32,
        local_attn_chunk_length=8,
        max_position_embeddings=64,
        is_decoder=False,
    )
    transformers.ReformerModel(config).save_pretrained(tmp_path / "backbone")

    problem = problem_of(make())

    assert problem.startswith(f"{tmp_path / 'backbone'}: one training step with the longest texts fails (")
    assert problem.endswith("; choose another encoder; probe=false skips this check")


def test_the_copy_of_a_model_of_texts_and_images_has_two_layers() -> None:
    # P123
    small = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}
    texts = {**small, "vocab_size": 40, "num_key_value_heads": 2, "head_dim": 16}
    encoder = transformers.Gemma3Config(text_config=texts, vision_config={**small, "image_size": 28, "patch_size": 14})

    copy = _shallow(MultiTaskConfig(backbone_config=encoder, tasks=tasks_of_each_type()))

    assert copy.config.num_hidden_layers == copy.config.backbone_config.vision_config.num_hidden_layers == 2
    assert encoder.text_config.num_hidden_layers == 4


def test_an_encoder_of_longer_texts_alone_is_refused(make: Make, tmp_path: Path) -> None:
    config = transformers.CanineConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_hash_buckets=64
    )
    transformers.CanineModel(config).save_pretrained(tmp_path / "backbone")

    assert "backbone: encoding an empty text alone fails (RuntimeError: " in problem_of(make())


def test_answers_that_depend_on_the_batch_are_warned_of(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = transformers.FNetConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, intermediate_size=64, max_position_embeddings=64
    )
    transformers.FNetModel(config).save_pretrained(tmp_path / "backbone")

    plan(make())

    assert "depend on the other texts of a batch" in caplog.text


def test_too_little_memory_is_warned_of_with_a_smaller_batch(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = make("training.per_device_train_batch_size=16")
    needed = plan(recipe).memory
    half = needed["gradients"] + needed["optimizer"] + needed["activations"] // 2
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=half))

    plan(recipe)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1))
    plan(recipe)

    assert "training.per_device_train_batch_size=8 and training.gradient_accumulation_steps=2" in caplog.text
    assert "choose a smaller encoder, or train only adapters (lora)" in caplog.text


def test_the_space_for_checkpoints_is_checked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = prepare(make("training.save_strategy=epoch")).trainer
    size = sum(each.nbytes for each in trainer.model.parameters())
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=6 * size))

    with pytest.raises(OSError, match="the model and its checkpoints need"):
        check_space(make(), trainer)  # the model, and two checkpoints with the two means of AdamW
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=7 * size))
    check_space(make(), trainer)


@pytest.mark.parametrize(("average", "copies"), [("{last: 3}", 4), ("{ema: 0.9}", 2)])
def test_the_space_for_an_average_is_checked(
    make: Make, monkeypatch: pytest.MonkeyPatch, average: str, copies: int
) -> None:
    trainer = prepare(make("training.save_strategy=epoch", f"average={average}")).trainer
    size = sum(each.nbytes for each in trainer.model.parameters())
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=(6 + 2 * copies) * size))

    with pytest.raises(OSError, match="the model and its checkpoints need"):
        check_space(make(), trainer)  # each of two checkpoints has the average and the weights of its step
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=(7 + 2 * copies) * size))
    check_space(make(), trainer)


@pytest.mark.parametrize(("average", "copies"), [("{last: 3}", 4), ("{ema: 0.9}", 2)])
def test_the_memory_of_an_average_is_estimated(make: Make, average: str, copies: int) -> None:
    needed = plan(make("probe=false", f"average={average}")).memory

    assert needed["average"] == copies * needed["gradients"]  # also the weights of the step, during an evaluation
