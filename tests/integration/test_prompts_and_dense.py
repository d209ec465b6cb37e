"""Whole runs on a sentence-transformers backbone with prompts and dense layers, and what becomes of them."""

from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import nn

from modeling_multitask.inference import encode
from modeling_multitask.inference.loading import load
from modeling_multitask.publishing.fresh_load import fresh_load_problem
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe

ROWS = ["the good film,film", "the bad phone was very bad,phone", "soup,film", "a phone but good,phone"] * 10
TEXTS = ["the good film", "bad soup"]
RECIPE = """
backbone: encoder
max_length: 16
tasks: [{name: topic, problem_type: single_label_classification}]
data: {train: rows.csv, split: {validation: 0.2}}
training: {num_train_epochs: 2, disable_tqdm: true}
probe: false
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Any:
    """Load a recipe with an encoder that has two prompts and two dense layers."""
    layers = [Dense(32, 64, bias=False, activation_function=nn.Identity()), Dense(64, 24)]
    modules = [Transformer(str(backbone)), Pooling(32, include_prompt=False), *layers, Normalize()]
    prompts = {"query": "good film ", "other": "bad "}
    SentenceTransformer(modules=modules, prompts=prompts, default_prompt_name="query").save(str(tmp_path / "encoder"))
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *ROWS]) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return lambda *overrides: load_recipe(
        tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'run'}", f"backbone={tmp_path / 'encoder'}", *overrides]
    )


@pytest.mark.slow
def test_a_run_with_adapters_loads_without_this_package(recipe: Any, tmp_path: Path) -> None:
    run_recipe(recipe("lora={r: 4}", "prompt_name=other"))
    folder = tmp_path / "run" / "model"
    model, tokenizer = load(str(folder))

    assert model.config.prompt == "bad "
    assert fresh_load_problem(folder, model, tokenizer, TEXTS) is None


def test_dense_layers_are_trained_unless_the_backbone_is_frozen(recipe: Any, tmp_path: Path) -> None:
    before = SentenceTransformer(str(tmp_path / "encoder")).encode(TEXTS)

    trained = run_recipe(recipe(f"output_dir={tmp_path / 'trained'}"))
    frozen = run_recipe(recipe("freeze=backbone", "learning_rates={heads: 1e-3}"))

    assert encode(str(frozen.folder), TEXTS, dtype="float32") == pytest.approx(before, abs=1e-6)
    assert abs(encode(str(trained.folder), TEXTS, dtype="float32") - before).max() > 1e-4


def test_the_cached_embeddings_of_a_frozen_backbone_are_its_own(recipe: Any, tmp_path: Path) -> None:
    words = ["freeze=backbone", "learning_rates={heads: 1e-3}"]
    cache = f"prefix_cache={{folder: {tmp_path / 'cache'}}}"

    cached = run_recipe(recipe(*words, cache, f"output_dir={tmp_path / 'cached'}"))
    plain = run_recipe(recipe(*words, "prefix_cache=false"))

    assert list((tmp_path / "cache").rglob("*"))
    for name, each in cached.model.heads.state_dict().items():
        assert each.numpy() == pytest.approx(plain.model.heads.state_dict()[name].numpy(), abs=1e-5)
