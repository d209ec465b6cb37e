"""The prompts of a backbone are put before each text, everywhere, as sentence-transformers does."""

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub.errors import StrictDataclassError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskPipeline
from modeling_multitask.export.folder import write_export
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.predict_onnx import MultiTaskOnnx
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.prompts_multitask import chosen_prompt
from modeling_multitask.sentence_transformers_multitask import POOLING_KEYS
from modeling_multitask.texts_multitask import tokenize
from modeling_multitask.training.growing import grow
from tests.conftest import tasks_of_each_type, tiny_bert_config

TEXTS = ["the film was good", "bad", "the food the food was bad"]
PROMPTS = {"query": "good phone ", "other": "bad film "}
TOLERANCE = 1e-6  # as of float32 numbers of size 1


def with_prompts(backbone: Path, folder: Path, *, pooling: str = "mean", include_prompt: bool = True) -> Path:
    """Save a sentence-transformers model with two prompts, of which `query` is the default one."""
    modules = [Transformer(str(backbone)), Pooling(32, pooling_mode=pooling, include_prompt=include_prompt)]
    SentenceTransformer(modules=modules, prompts=PROMPTS, default_prompt_name="query").save(str(folder))
    return folder


@pytest.fixture
def prompted(backbone: Path, tmp_path: Path) -> Path:
    return with_prompts(backbone, tmp_path / "prompted")


@pytest.mark.compat
@pytest.mark.parametrize("include_prompt", [True, False])
@pytest.mark.parametrize("pooling", POOLING_KEYS)
def test_embeddings_with_a_prompt_equal_those_of_sentence_transformers(
    backbone: Path, tmp_path: Path, pooling: str, include_prompt: bool
) -> None:
    # P131
    word = "mean_sqrt_len_tokens" if pooling == "mean_sqrt_len" else pooling
    folder = with_prompts(backbone, tmp_path / "theirs", pooling=word, include_prompt=include_prompt)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())
    save_folder(model, tokenizer, tmp_path / "ours")
    theirs, saved = (
        SentenceTransformer(str(folder)),
        SentenceTransformer(str(tmp_path / "ours"), trust_remote_code=True),
    )

    for choice in ({}, {"prompt_name": "other"}, {"prompt": "the good "}, {"prompt": ""}):
        expected = theirs.encode(TEXTS, **choice)
        assert encode(model, TEXTS, tokenizer=tokenizer, **choice) == pytest.approx(expected, abs=TOLERANCE)
        assert saved.encode(TEXTS, **choice) == pytest.approx(expected, abs=TOLERANCE)


def test_every_way_to_an_answer_uses_the_prompt(prompted: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(prompted)
    model = MultiTaskModel.from_backbone(prompted, tasks_of_each_type())
    plain = MultiTaskModel.from_backbone(prompted, tasks_of_each_type(), prompt="")
    plain.load_state_dict(model.state_dict())
    by_hand = [PROMPTS["query"] + text for text in TEXTS]

    expected = predict(plain, by_hand, tokenizer=tokenizer)

    assert predict(model, TEXTS, tokenizer=tokenizer) == expected
    piped = MultiTaskPipeline(model=model, tokenizer=tokenizer)(TEXTS)
    assert [row["topic"]["label"] for row in piped] == [row["topic"]["label"] for row in expected]


def test_a_pair_has_the_prompt_before_its_first_text(prompted: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(prompted)
    config = MultiTaskModel.from_backbone(prompted, tasks_of_each_type()).config

    found = tokenize(tokenizer, config, ["food"], ["bad"])["input_ids"]

    assert found == tokenizer(["good phone food"], ["bad"])["input_ids"]


@pytest.mark.slow
@pytest.mark.parametrize("include_prompt", [True, False])
def test_an_export_has_the_prompts_and_dense_layers_of_its_model(
    backbone: Path, tmp_path: Path, include_prompt: bool
) -> None:
    modules = [Transformer(str(backbone)), Pooling(32, include_prompt=include_prompt), Dense(32, 8), Normalize()]
    theirs = SentenceTransformer(modules=modules, prompts=PROMPTS, default_prompt_name="query")
    theirs.save(str(tmp_path / "theirs"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "theirs")
    model = MultiTaskModel.from_backbone(tmp_path / "theirs", tasks_of_each_type()[:1])

    write_export(model, tokenizer, tmp_path / "onnx")

    graph = MultiTaskOnnx(tmp_path / "onnx")
    assert graph.encode(TEXTS) == pytest.approx(theirs.encode(TEXTS), abs=TOLERANCE)
    through = encode(str(tmp_path / "onnx"), TEXTS, backend="onnx")
    assert through == pytest.approx(theirs.encode(TEXTS), abs=TOLERANCE)
    if include_prompt:
        other = theirs.encode(TEXTS, prompt_name="other")
        assert graph.encode(TEXTS, prompt_name="other") == pytest.approx(other, abs=TOLERANCE)
        with pytest.raises(
            ValueError, match="prompt_name is 'qery'; the prompts of this model are: document, other, query"
        ):
            graph.encode(TEXTS, prompt_name="qery")
        with pytest.raises(ValueError, match="prompt_name is 'query' and prompt is 'the '; give only one of them"):
            graph.encode(TEXTS, prompt_name="query", prompt="the ")
    else:
        with pytest.raises(ValueError, match="the graph leaves out the tokens of 'good phone ' at the start of each"):
            graph.encode(TEXTS, prompt="")


def test_a_given_prompt_is_saved_as_the_default_one(
    prompted: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    model = MultiTaskModel.from_backbone(prompted, tasks_of_each_type(), prompt="the ")
    save_folder(model, tokenizer, tmp_path / "model")

    loaded = MultiTaskConfig.from_pretrained(tmp_path / "model")
    theirs = json.loads((tmp_path / "model" / "config_sentence_transformers.json").read_text())

    assert (loaded.prompt, loaded.prompts) == ("the ", {**PROMPTS, "document": "", "default": "the "})
    assert (theirs["prompts"], theirs["default_prompt_name"]) == (loaded.prompts, "default")


def test_another_prompt_of_the_backbone_can_be_chosen_by_name(prompted: Path) -> None:
    assert (
        MultiTaskModel.from_backbone(prompted, tasks_of_each_type(), prompt_name="other").config.prompt == "bad film "
    )


def test_a_backbone_without_prompts_has_none(backbone: Path) -> None:
    config = MultiTaskModel.from_backbone(backbone, tasks_of_each_type()).config

    assert (config.prompt, config.prompts, config.default_prompt_name) == ("", {}, None)


def test_an_unknown_prompt_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"prompt_name is 'qery'.*its prompts are other, query; did you mean 'query'\?"
    ):
        chosen_prompt(PROMPTS, "qery")


def test_a_name_is_refused_if_there_are_no_prompts() -> None:
    with pytest.raises(ValueError, match="it has no prompts; give the text as prompt"):
        chosen_prompt({}, "query")


def test_a_name_and_a_text_together_are_refused() -> None:
    with pytest.raises(ValueError, match="prompt_name is 'query' and prompt is 'the '; give only one of them"):
        chosen_prompt(PROMPTS, "query", "the ")


def test_a_default_prompt_that_does_not_exist_is_refused() -> None:
    with pytest.raises((ValueError, StrictDataclassError), match="default_prompt_name is 'query', but the prompts are"):
        MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), default_prompt_name="query")


def test_windows_cannot_leave_out_the_tokens_of_a_prompt(backbone: Path, tmp_path: Path) -> None:
    folder = with_prompts(backbone, tmp_path, include_prompt=False)

    with pytest.raises(ValueError, match="set long_texts to 'truncate', or prompt to ''"):
        MultiTaskModel.from_backbone(folder, tasks_of_each_type(), long_texts="windows")


def test_a_model_that_grows_keeps_its_prompt(prompted: Path) -> None:
    model = MultiTaskModel.from_backbone(prompted, tasks_of_each_type())

    assert grow(model, tasks_of_each_type()[:2]).config.prompt == PROMPTS["query"]


def test_another_prompt_for_one_call_leaves_the_model_as_it_was(prompted: Path) -> None:
    model = MultiTaskModel.from_backbone(prompted, tasks_of_each_type())
    tokenizer = AutoTokenizer.from_pretrained(prompted)
    before = encode(model, TEXTS, tokenizer=tokenizer)

    encode(model, TEXTS, tokenizer=tokenizer, prompt="the ")

    assert np.array_equal(encode(model, TEXTS, tokenizer=tokenizer), before)


def test_an_empty_prompt_of_the_backbone_can_be_chosen(backbone: Path, tmp_path: Path) -> None:
    # sentence-transformers saves empty ones with the names `query` and `document` for every model.
    folder = with_prompts(backbone, tmp_path)
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps({"prompts": {"query": "good ", "document": ""}, "default_prompt_name": "query"}))

    config = MultiTaskModel.from_backbone(folder, tasks_of_each_type(), prompt_name="document").config

    assert (config.prompt, config.default_prompt_name) == ("", "document")


@pytest.mark.parametrize("text", ["", " "])
def test_the_pipeline_puts_the_prompt_before_a_blank_text(prompted: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(prompted)
    model = MultiTaskModel.from_backbone(prompted, tasks_of_each_type())

    answer = MultiTaskPipeline(model=model, tokenizer=tokenizer)(text, return_embedding=True)

    assert answer["embedding"] == pytest.approx(encode(model, text, tokenizer=tokenizer).tolist(), abs=1e-6)
