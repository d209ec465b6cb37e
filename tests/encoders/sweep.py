"""One family of encoders from its recipe to its answers in a process without this package."""

import json
import logging
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel, BertModel, PreTrainedTokenizerFast

from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import predict
from modeling_multitask.publishing.fresh_load import _WITHOUT_US
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import Run, run_recipe
from tests.conftest import WORDS, tiny_bert_config
from tests.encoders.configurations import small_config
from tests.encoders.outcomes import BACKBONE, DEPENDS, WORKS
from tests.forks import run_forked
from tests.fresh_process import run_fresh

TEXTS = ["the film was good", "not a very good soup was the food and the plot of a phone", "", "film"]
FRESH = """
import json
import torch
from transformers import AutoModel, AutoTokenizer, pipeline
texts, *folders = sys.argv[1:]
result = []
for folder in folders:
    model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    classify = pipeline("multitask-classification", model=folder, trust_remote_code=True, batch_size=1)
    with torch.inference_mode():
        outputs = [model(**tokenizer([text], return_tensors="pt")) for text in json.loads(texts)]
    rows = [[each.embeddings[0].tolist(), each.logits["topic"][0].tolist()] for each in outputs]
    result.append([rows, classify(json.loads(texts))])
"""


class Tried(NamedTuple):
    """Whether a family works, and its run if it does."""

    outcome: str
    run: Run | None = None


def tried(kind: str, folder: Path) -> Tried:
    """Train a small model of a family for one step."""
    save_family(kind, folder / "backbone")
    messages: list[str] = []
    probe, handler = logging.getLogger("modeling_multitask.runs.probe"), logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    probe.addHandler(handler)
    try:
        run = run_recipe(one_step(folder))
    except RecipeError as error:
        [problem] = error.problems
        return Tried(problem.replace(str(folder / "backbone"), BACKBONE))
    finally:
        probe.removeHandler(handler)
    return Tried(DEPENDS if any("depend on the other texts of a batch" in each for each in messages) else WORKS, run)


def answers(run: Run) -> list[Any]:
    """Return embeddings, logits and answers of a trained model to `TEXTS`, each alone."""
    rows = []
    with torch.inference_mode():
        for text in TEXTS:
            output = run.model.eval()(**run.tokenizer([text], return_tensors="pt"))
            rows.append([output.embeddings[0].tolist(), output.logits["topic"][0].tolist()])
    return [rows, predict(run.model, TEXTS, tokenizer=run.tokenizer, batch_size=1)]


def answers_without_us(runs: list[Run], place: Path) -> list[list[Any]]:
    """Return the same of the models' folders, from one process that cannot import this package."""
    found: list[list[Any]] = run_fresh(FRESH, json.dumps(TEXTS), *(run.folder for run in runs), folder=place)
    return found


def in_a_forked_process(script: str, folder: Path, texts: list[str], seconds: float | None = None) -> Any:
    """Return what a script of `fresh_load` writes, or the reason why it failed."""
    with tempfile.TemporaryDirectory() as place:
        given, output = Path(place) / "texts.json", Path(place) / "found.json"
        given.write_text(json.dumps(texts), encoding="utf-8")
        arguments = ["-c", str(folder.resolve()), str(given), str(output)]
        finished = run_forked(_WITHOUT_US + script, arguments, folder=Path(place))
        return finished.stderr if finished.exit_codes != [0] else json.loads(output.read_text(encoding="utf-8"))


def leaves(value: Any) -> list[Any]:
    """Return the numbers and words of nested lists and dicts, in order."""
    if isinstance(value, dict):
        return [each for name in sorted(value) for each in (name, *leaves(value[name]))]
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]


def save_family(kind: str, folder: Path) -> None:
    """Write a small random model of a family, and a tokenizer for `WORDS`."""
    folder.mkdir(parents=True)
    config = small_config(kind)
    found = AutoModel._model_mapping[type(config)]
    torch.manual_seed(0)
    try:
        model = (found[0] if isinstance(found, tuple) else found)._from_config(config)
    except ImportError:  # the weights cannot be made here, and are never read
        model = BertModel(tiny_bert_config())
    model.save_pretrained(folder)
    config.save_pretrained(folder)
    has_segments = any(name.startswith("type_vocab_size") for name in config.to_dict())
    _tokenizer(has_segments=has_segments).save_pretrained(folder)


def _tokenizer(*, has_segments: bool) -> PreTrainedTokenizerFast:
    words = ["<s>", "<pad>", "</s>", "<unk>", *WORDS, "and", "of"]
    inner = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    inner.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    names = ["input_ids", *(["token_type_ids"] if has_segments else []), "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=inner, model_input_names=names, **special)


def one_step(folder: Path) -> Recipe:
    """Return a recipe that trains the backbone of a folder for one step."""
    rows = [
        f"the {word} was {['not bad', 'good'][i % 2]}{' and a very great plot' * (i % 3)},{'ab'[i % 2]},{i}"
        for i in range(4)
        for word in ("film", "phone", "soup")
    ]
    (folder / "rows.csv").write_text("\n".join(["text,topic,stars", *rows]) + "\n")
    return load_recipe(
        {
            "backbone": str(folder / "backbone"),
            "tasks": [
                {"name": "topic", "problem_type": "single_label_classification"},
                {"name": "stars", "problem_type": "regression"},
            ],
            "data": {"train": {"path": str(folder / "rows.csv"), "labels": {"topic": "topic", "stars": "stars"}}},
            "training": {"max_steps": 1, "disable_tqdm": True, "save_strategy": "no"},
            "report": False,
            "output_dir": str(folder / "run"),
        }
    )
