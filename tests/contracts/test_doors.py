"""A pushed model answers in other libraries and services, in the way that each of them prints or calls it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskPipeline
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.evidence import read_evidence
from modeling_multitask.publishing.links import Links
from modeling_multitask.publishing.shipment import Shipment
from modeling_multitask.publishing.staging import write_model
from tests.conftest import ROOT, tasks_of_each_type
from tests.deciding import same_answers
from tests.fresh_process import run_fresh

pytestmark = pytest.mark.compat
TEXTS = ["the film was good", "bad", "not very tasty soup", "good " * 300]
PAIR = {"text": "the film was good", "text_pair": "bad"}
GIVEN = {"task": "topic", "labels": ["film"]}
GENRE = {"name": "genre", "problem_type": "binary_classification", "labels": ["comedy", "drama"], "given": GIVEN}

# As huggingface.js writes them for our cards: `transformers` and `sentenceTransformers` in
# https://github.com/huggingface/huggingface.js/blob/00142be70773c00449b42eb1acb4cef3db6e0e17/packages/tasks/src/model-libraries-snippets.ts
# The Hub adds the tag `custom_code` to a repository with remote code, and finds the Auto classes.
PIPELINE = """
# Use a pipeline as a high-level helper
from transformers import pipeline

pipe = pipeline("{pipeline_tag}", model="{id}", trust_remote_code=True)
"""
MODEL_AND_TOKENIZER = """
# Load model directly
from transformers import AutoTokenizer, AutoModel

tokenizer = AutoTokenizer.from_pretrained("{id}", trust_remote_code=True)
model = AutoModel.from_pretrained("{id}", trust_remote_code=True)
"""
MODEL = """
# Load model directly
from transformers import AutoModel
model = AutoModel.from_pretrained("{id}", trust_remote_code=True, dtype="auto")
"""
SENTENCE_TRANSFORMER = """
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{id}", trust_remote_code=True)

sentences = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium."
]
embeddings = model.encode(sentences)

similarities = model.similarity(embeddings, embeddings)
print(similarities.shape)
# [3, 3]
"""
LOGITS = """
tokenizer = AutoTokenizer.from_pretrained(model.name_or_path, config=model.config)
inputs = tokenizer(sys.argv[1], return_tensors="pt")
result = {name: logits.tolist() for name, logits in model(**inputs).logits.items()}
"""

# As `check_and_register_custom_pipeline_from_directory` imports a handler, and as the server calls it:
# https://github.com/huggingface/huggingface-inference-toolkit/blob/00cdb5334352129df9cb0d716687c520c0847343/src/huggingface_inference_toolkit/utils.py
ENDPOINT = """
import importlib.util, json
folder, *requests = sys.argv[1:]
spec = importlib.util.spec_from_file_location("handler.EndpointHandler", f"{folder}/handler.py")
sys.path.insert(0, folder)
handler = importlib.util.module_from_spec(spec)
sys.modules["handler.EndpointHandler"] = handler
spec.loader.exec_module(handler)
answer = handler.EndpointHandler(folder)
result = [answer(json.loads(request)) for request in requests]
"""


class Pushed(NamedTuple):
    """The files of a pushed model, and the same model in this process."""

    folder: Path
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase

    def answers(self, texts: Any, **parameters: Any) -> Any:
        """Return the answers of the pipeline in this process."""
        return MultiTaskPipeline(model=self.model, tokenizer=self.tokenizer)(texts, **parameters)

    def logits(self, text: str) -> dict[str, Any]:
        """Return the logits of a text."""
        logits = self.model(**self.tokenizer(text, return_tensors="pt")).logits
        return {name: each.tolist() for name, each in logits.items()}


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Pushed:
    """A model with a task of each problem type and one with a condition, as a push writes it."""
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(backbone, [*tasks_of_each_type(), GENRE], max_length=16).eval()
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    save_folder(model, tokenizer, run / "model")
    shipment = Shipment(
        model=run / "model",
        target=Target("me/model"),
        config=model.config,
        evidence=read_evidence(run / "model"),
        template=(ROOT / "model_card.md").read_text(encoding="utf-8"),
        settings=CardSettings(license="apache-2.0"),
    )
    folder = run / "pushed"
    folder.mkdir()
    write_model(shipment, folder, Links("me/model"))
    return Pushed(folder, model, tokenizer)


@pytest.fixture(scope="module")
def card(pushed: Pushed) -> Any:
    """The metadata of the model's card."""
    return ModelCard.load(pushed.folder / "README.md").data


def test_the_hub_chooses_these_snippets_for_our_cards(card: Any) -> None:
    assert card.library_name == "transformers"
    assert card.pipeline_tag == "text-classification"
    assert "sentence-transformers" in card.tags
    assert not {"conversational", "PyLate", "cross-encoder"} & set(card.tags)


def test_the_hubs_pipeline_snippet_answers_all_tasks(pushed: Pushed, card: Any, tmp_path: Path) -> None:
    snippet = PIPELINE.format(id=pushed.folder, pipeline_tag=card.pipeline_tag)

    found = run_fresh(f"{snippet}\nresult = pipe(sys.argv[1:])", *TEXTS, folder=tmp_path)

    assert same_answers(found, pushed.answers(TEXTS))


@pytest.mark.parametrize("task", ["", '"text-classification", ', '"multitask-classification", '])
def test_the_pipeline_is_the_same_by_each_name_and_without_one(pushed: Pushed, tmp_path: Path, task: str) -> None:
    code = f"""
from transformers import pipeline
pipe = pipeline({task}model=sys.argv[1], trust_remote_code=True)
result = [pipe(sys.argv[2:]), pipe(sys.argv[2], top_k=None, return_embedding=True)]
"""

    every, one = run_fresh(code, pushed.folder, *TEXTS, folder=tmp_path)

    assert same_answers(every, pushed.answers(TEXTS))
    assert same_answers(one, pushed.answers(TEXTS[0], top_k=None, return_embedding=True))


def test_the_pipeline_for_feature_extraction_gives_the_token_states(pushed: Pushed, tmp_path: Path) -> None:
    code = """
from transformers import pipeline
pipe = pipeline("feature-extraction", model=sys.argv[1], trust_remote_code=True)
result = pipe(sys.argv[2])
"""

    found = run_fresh(code, pushed.folder, TEXTS[0], folder=tmp_path)

    states = pushed.model(**pushed.tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state
    assert torch.tensor(found).numpy() == pytest.approx(states.detach().numpy(), abs=1e-5)


def test_a_copy_that_a_stranger_saves_answers_the_hubs_pipeline_snippet(pushed: Pushed, tmp_path: Path) -> None:
    code = """
from transformers import pipeline
pipeline("text-classification", model=sys.argv[1], trust_remote_code=True).save_pretrained("copy")
result = pipeline("text-classification", model="copy", trust_remote_code=True)(sys.argv[2:])
"""

    found = run_fresh(code, pushed.folder, *TEXTS, folder=tmp_path)

    assert same_answers(found, pushed.answers(TEXTS))


def test_the_hubs_model_snippet_gives_the_logits(pushed: Pushed, tmp_path: Path) -> None:
    code = MODEL_AND_TOKENIZER.format(id=pushed.folder) + LOGITS

    assert same_answers(run_fresh(code, TEXTS[0], folder=tmp_path), pushed.logits(TEXTS[0]))


def test_the_hubs_model_snippet_without_a_tokenizer_gives_the_logits(pushed: Pushed, tmp_path: Path) -> None:
    code = f"{MODEL.format(id=pushed.folder)}\nfrom transformers import AutoTokenizer\n{LOGITS}"

    assert same_answers(run_fresh(code, TEXTS[0], folder=tmp_path), pushed.logits(TEXTS[0]))


def test_the_hubs_sentence_transformers_snippet_gives_the_embeddings(pushed: Pushed, tmp_path: Path) -> None:
    code = SENTENCE_TRANSFORMER.format(id=pushed.folder)
    sentences, embeddings, similarities = run_fresh(
        f"{code}\nresult = [sentences, embeddings.tolist(), similarities.tolist()]", folder=tmp_path
    )

    expected = encode(pushed.model, sentences, tokenizer=pushed.tokenizer)
    unit = expected / (expected**2).sum(axis=1, keepdims=True) ** 0.5
    assert embeddings == pytest.approx(expected, abs=1e-5)
    assert similarities == pytest.approx(unit @ unit.T, abs=1e-5)


def test_an_inference_endpoint_gives_the_answers_of_the_pipeline(pushed: Pushed, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = [
        {"inputs": TEXTS[0]},
        {"inputs": TEXTS, "parameters": None},
        {"inputs": PAIR},
        {"inputs": TEXTS[:2], "parameters": {"top_k": None, "tasks": ["topic", "tags"], "return_embedding": True}},
    ]

    found = run_fresh(ENDPOINT, pushed.folder, *map(json.dumps, requests), folder=tmp_path)

    expected = [pushed.answers(each["inputs"], **(each.get("parameters") or {})) for each in requests]
    assert same_answers(found, expected)


def test_a_handler_without_a_path_answers_for_its_own_folder(pushed: Pushed, tmp_path: Path) -> None:
    code = """
sys.path.insert(0, sys.argv[1])
from handler import EndpointHandler
result = EndpointHandler()({"inputs": sys.argv[2]})
"""

    assert same_answers(run_fresh(code, pushed.folder, TEXTS[0], folder=tmp_path), pushed.answers(TEXTS[0]))


def test_an_inference_endpoint_installs_a_transformers_that_loads_the_model(pushed: Pushed) -> None:
    [bound] = [
        line for line in (ROOT / "setup.cfg").read_text().splitlines() if line.strip().startswith("transformers>")
    ]

    assert (pushed.folder / "requirements.txt").read_text() == f"{bound.strip()}\n"
