"""A damaged model folder is refused with one error, or answers with finite scores."""

import json
import math
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.inference import predict
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.saving import save_folder
from tests.conftest import tasks_of_each_type, tiny_bert_config
from tests.fuzz.damage import as_json, damaged_bytes, damaged_json, fuzzed, refusal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """A model folder of which each example damages one file."""
    torch.manual_seed(0)
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)
    folder = tmp_path_factory.mktemp("fuzz") / "model"
    save_folder(MultiTaskModel(config), AutoTokenizer.from_pretrained(backbone), folder)
    return folder


def check(folder: Path, file: str, content: bytes, tmp_path: Path) -> None:
    """Assert that the folder is refused, or answers, if one file has this content."""
    damaged = tmp_path / "model"
    if not damaged.exists():
        shutil.copytree(folder, damaged)
    before = (damaged / file).read_bytes()
    (damaged / file).write_bytes(content)
    said = refusal(lambda: check_answers(damaged), OSError)
    (damaged / file).write_bytes(before)
    assert said is None or ("\n" not in said.strip() and str(damaged) in said), said


def check_answers(folder: Path) -> None:
    model, tokenizer = load(str(folder))
    [answers] = predict(model, ["the film"], tokenizer=tokenizer)
    scores = [each["score"] for each in answers.values() if isinstance(each, dict) and each["score"] is not None]
    assert all(map(math.isfinite, scores))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@fuzzed
@given(data=st.data())
def test_a_damaged_json_file_is_refused(data: st.DataObject, file: str, folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / file).read_text(encoding="utf-8"))

    check(folder, file, as_json(data.draw(damaged_json(content))), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
@fuzzed
@given(data=st.data())
def test_a_file_with_damaged_bytes_is_refused(data: st.DataObject, file: str, folder: Path, tmp_path: Path) -> None:
    check(folder, file, data.draw(damaged_bytes((folder / file).read_bytes())), tmp_path)


@pytest.mark.slow
@fuzzed
@given(data=st.data())
def test_a_damaged_header_of_the_weights_is_refused(data: st.DataObject, folder: Path, tmp_path: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    [size] = struct.unpack("<Q", content[:8])
    change: Callable = damaged_json if data.draw(st.booleans()) else damaged_bytes
    header = content[8 : 8 + size]
    if change is damaged_json:
        header = as_json(data.draw(damaged_json(json.loads(header))))
    else:
        header = data.draw(damaged_bytes(header))

    check(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + content[8 + size :], tmp_path)
