"""Check that a saved model loads for other users, in a new process where this package cannot be imported."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from ..inference.answering import predict
from ..inference.loading import load
from ..modeling_multitask import MultiTaskModel
from ..texts_multitask import tokenize

TOLERANCE = 1e-4  # in the unit of each task, and relative for numbers above it
_WITHOUT_US = """
import importlib.util, json, sys
for name in ("modeling_multitask", "datasets_builder"):
    sys.modules[name] = None
folder, given, output = sys.argv[1:]
with open(given, encoding="utf-8") as file:
    texts = json.load(file)
"""
# Each text alone, because some encoders do not ignore padding.
_SCRIPT = """
from transformers import AutoModel, AutoTokenizer, pipeline
model = AutoModel.from_pretrained(folder, trust_remote_code=True).float().eval()
tokenizer = AutoTokenizer.from_pretrained(folder, config=model.config)
found = []
for text in texts:
    cut = {"truncation": True, "max_length": model.config.max_length}
    cut["return_overflowing_tokens"] = model.config.long_texts == "windows"
    windows = tokenizer([model.config.prompt + text], **cut, padding=True)
    given = model(**windows.convert_to_tensors("pt"))
    logits = {name: each[0].tolist() for name, each in given.logits.items()}
    found.append({"logits": logits, "embedding": given.embeddings[0].tolist(), "windows": len(windows["input_ids"])})
answers = pipeline("multitask-classification", model=folder, trust_remote_code=True, batch_size=1)(texts)
embeddings = None
with open(f"{folder}/1_Pooling/config.json", encoding="utf-8") as file:
    is_known = "pooling_mode" not in json.load(file)
if is_known and importlib.util.find_spec("sentence_transformers"):
    from sentence_transformers import SentenceTransformer

    embeddings = SentenceTransformer(folder, trust_remote_code=True).encode(texts, batch_size=1).tolist()
with open(output, "w", encoding="utf-8") as file:
    json.dump({"rows": found, "answers": answers, "embeddings": embeddings}, file)
"""

_ADAPTER_SCRIPT = """
from peft import AutoPeftModel
from transformers import AutoTokenizer
model = AutoPeftModel.from_pretrained(folder, trust_remote_code=True).float().eval()
tokenizer = AutoTokenizer.from_pretrained(folder, config=model.config)
found = []
for text in texts:
    given = model(**tokenizer(model.config.prompt + text, truncation=True, return_tensors="pt"))
    found.append({"logits": {name: each[0].tolist() for name, each in given.logits.items()}})
with open(output, "w", encoding="utf-8") as file:
    json.dump({"rows": found}, file)
"""


def fresh_load_problem(
    folder: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: list[str],
    *,
    seconds: float | None = None,
) -> str | None:
    """Return why other users would get different logits or embeddings from a folder, or `None` if they would not.

    The function runs the code in the folder, so the code must be checked first. `AutoModel`, the pipeline and, if it is
    installed, `SentenceTransformer` load the folder, offline and with an empty cache.

    Args:
        folder: Folder to push.
        model: The model, loaded from the folder in this process.
        tokenizer: The tokenizer, loaded from the folder in this process.
        texts: Texts for the comparison.
        seconds: The time limit of the process.

    Raises:
        subprocess.TimeoutExpired: If the process was stopped.
    """
    found = _in_a_fresh_process(_SCRIPT, folder, texts, seconds)
    return found if isinstance(found, str) else _difference(found, _own(model, tokenizer, texts), _units(model))


def fresh_adapter_problem(folder: Path, texts: list[str]) -> str | None:
    """Return why other users would get different logits with `AutoPeftModel`, or `None` if they would not.

    The function runs the code of the base model, so the code must be checked first.

    Args:
        folder: Folder of the adapter, with its base model in `base`.
        texts: Texts for the comparison.
    """
    base, tokenizer = load(str(folder / "base"))
    adapted: Any = PeftModel.from_pretrained(base, folder).float().eval()
    with tempfile.TemporaryDirectory() as copy:
        for path in folder.glob("*"):
            if path.is_file():
                shutil.copy2(path, copy)
        config = Path(copy) / "adapter_config.json"
        words = json.loads(config.read_text(encoding="utf-8"))
        # The saved path of the base model may be outdated.
        config.write_text(json.dumps({**words, "base_model_name_or_path": str((folder / "base").resolve())}))
        found = _in_a_fresh_process(_ADAPTER_SCRIPT, Path(copy), texts)
    if isinstance(found, str):
        return found
    units = _units(base)
    for text, theirs in zip(texts, found["rows"], strict=True):
        with torch.inference_mode():
            given = adapted(
                **tokenizer(base.config.prompt + text, truncation=True, return_tensors="pt").to(base.device)
            )
        for name, logits in given.logits.items():
            if not _equal(theirs["logits"].get(name), logits[0].float().tolist(), units[name]):
                return f"without this package, the adapter gives different logits for {name!r}; train it again"
    return None


def _in_a_fresh_process(
    script: str, folder: Path, texts: list[str], seconds: float | None = None
) -> dict[str, Any] | str:
    """Run the script offline with an empty cache. Return its output, or the reason why it failed."""
    with tempfile.TemporaryDirectory() as home:
        given, output = Path(home) / "texts.json", Path(home) / "found.json"
        given.write_text(json.dumps(texts), encoding="utf-8")
        environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
        for name in ("HF_HUB_CACHE", "HF_MODULES_CACHE", "TRANSFORMERS_CACHE"):
            environment.pop(name, None)
        finished = subprocess.run(
            [sys.executable, "-c", _WITHOUT_US + script, str(folder.resolve()), str(given), str(output)],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if finished.returncode != 0:
            return f"loading without this package failed: {_last_line(finished.stderr)}"
        found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return found


def _own(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[dict[str, Any]]:
    found = []
    with torch.inference_mode():
        for text in texts:
            inputs = tokenize(tokenizer, model.config, [text], padding=True, return_tensors="pt")
            given = model(**inputs.to(model.device))
            logits = {name: each[0].float().tolist() for name, each in given.logits.items()}
            found.append({"logits": logits, "embedding": given.embeddings[0].float().tolist()})
    given_answers = predict(model, texts, tokenizer=tokenizer, dtype=model.dtype, batch_size=1)
    return [{**each, "answers": answers} for each, answers in zip(found, given_answers, strict=True)]


def _units(model: MultiTaskModel) -> dict[str, float]:
    return {task.name: task.unit for task in model.config.tasks}


def _difference(found: dict[str, Any], own: list[dict[str, Any]], units: dict[str, float]) -> str | None:
    for theirs, ours in zip(found["rows"], own, strict=True):
        for name, logits in ours["logits"].items():
            if not _equal(theirs["logits"].get(name), logits, units[name]):
                return (
                    f"without this package, the logits of {name!r} are different; save the model again with save_folder"
                )
    # SentenceTransformer reads only one window of a text. It may be missing or may not support the pooling.
    embeddings = [
        theirs if theirs is not None and row["windows"] == 1 else row["embedding"]
        for row, theirs in zip(found["rows"], found["embeddings"] or [None] * len(own), strict=True)
    ]
    if not all(_equal(theirs, ours["embedding"]) for theirs, ours in zip(embeddings, own, strict=True)):
        return "without this package, the embeddings are different; save the model again with save_folder"
    answers = [ours["answers"] for ours in own]
    if not all(
        theirs.keys() == ours.keys() and all(_alike(theirs[name], ours[name], units[name]) for name in ours)
        for theirs, ours in zip(found["answers"], answers, strict=True)
    ):
        return "without this package, the answers of the pipeline are different; save the model again with save_folder"
    return None


def _alike(theirs: Any, ours: Any, unit: float) -> bool:
    """Return whether the answers to one task are equal, with a tolerance for scores."""
    if isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(_alike(theirs[name], ours[name], unit) for name in ours)
    if isinstance(ours, list):
        return len(theirs) == len(ours) and all(_alike(*pair, unit) for pair in zip(theirs, ours, strict=True))
    return _equal([theirs], [ours], unit) if isinstance(ours, float) and theirs is not None else theirs == ours


def _equal(theirs: list[float] | None, ours: list[float], unit: float = 1.0) -> bool:
    if theirs is None or len(theirs) != len(ours):
        return False
    return bool(np.allclose(theirs, ours, rtol=TOLERANCE, atol=TOLERANCE * unit))


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "the process ended without a message"
