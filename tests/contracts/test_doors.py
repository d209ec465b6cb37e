"""A pushed model answers in other libraries and services, as docs/reference/doors.md says.

The test of a door is named after its row in the table of that page.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskPipeline
from modeling_multitask.export.folder import Runtime, write_export
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.evidence import read_evidence
from modeling_multitask.publishing.links import Links
from modeling_multitask.publishing.shipment import Shipment
from modeling_multitask.publishing.staging import write_model
from modeling_multitask.training.adapter import save_adapter
from tests.conftest import ROOT, tasks_of_each_type
from tests.deciding import same_answers
from tests.fresh_process import run_fresh
from tests.unit.training.test_lora import adapted

pytestmark = pytest.mark.compat
PAGE = (ROOT / "docs" / "reference" / "doors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \[(.+?)\]\(#.+?\) \| (.+?) \|", PAGE, flags=re.MULTILINE)
TEXTS = ["the film was good", "bad", "great plot", "not very tasty soup", "good " * 300]
PAIR = {"text": "the film was good", "text_pair": "bad"}
SETTINGS: dict[str, dict[str, Any]] = {
    "topic": {"temperature": 0.5},
    "sentiment": {"temperature": 0.1, "abstain_below": 0.7},
    "tags": {"thresholds": [0.51, 0.51]},
}
GENRE = {"name": "genre", "problem_type": "binary_classification", "labels": ["comedy", "drama"]}
GIVEN = {"given": {"task": "topic", "labels": ["food"]}}

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

GRAPH = """
import copy
import json
sys.modules["torch"] = sys.modules["transformers"] = None
sys.path.insert(0, sys.argv[1])
from predict_onnx import MultiTaskOnnx
texts = json.loads(sys.argv[2])
model = MultiTaskOnnx(sys.argv[1])
result = {"answers": model.predict(texts), "embeddings": model.encode(texts).tolist()}
"""


class Pushed(NamedTuple):
    """The files of a pushed model and of an adapter, and the same models in this process."""

    folder: Path
    model: MultiTaskModel
    adapter: Path
    adapted: Any
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
    """A model with a prompt, a task of each problem type, a condition and abstention, as a push writes it."""
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    tasks = [{**task, **SETTINGS.get(task["name"], {})} for task in [*tasks_of_each_type(), {**GENRE, **GIVEN}]]
    model = MultiTaskModel.from_backbone(backbone, tasks, max_length=16).eval()
    model.config.prompts, model.config.default_prompt_name = {"query": "the "}, "query"
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    wrapped = adapted(copy.deepcopy(model))
    save_adapter(wrapped, tokenizer, run / "adapter")
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
    return Pushed(folder, model, run / "adapter", wrapped, tokenizer)


@pytest.fixture(scope="module")
def card(pushed: Pushed) -> Any:
    """The metadata of the model's card."""
    return ModelCard.load(pushed.folder / "README.md").data


def test_the_model_of_these_tests_uses_every_rule_of_a_decision(pushed: Pushed) -> None:
    answers = pushed.answers(TEXTS)

    assert {each["sentiment"]["label"] for each in answers} > {None}
    assert {each["genre"]["label"] for each in answers} > {None}
    assert len({len(each["tags"]) for each in answers}) > 1


def test_each_door_of_the_page_has_a_test_of_its_name() -> None:
    slugs = [re.sub(r"\W+", "_", name.lower()) for name, _ in ROWS]

    assert len(slugs) > 7
    assert [slug for slug in slugs if not any(name.startswith(f"test_door_{slug}_") for name in globals())] == []


def test_the_page_names_the_tested_versions() -> None:
    tested = dict(re.findall(r"^(.+?)==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    named = [version.split() for _, version in ROWS if version.count(" ") == 1]

    assert len(named) > 6
    assert [(package, version) for package, version in named if tested[package] != version] == []


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
def test_door_pipeline_is_the_same_by_each_name_and_without_one(pushed: Pushed, tmp_path: Path, task: str) -> None:
    code = f"""
from transformers import pipeline
pipe = pipeline({task}model=sys.argv[1], trust_remote_code=True)
result = [pipe(sys.argv[2:]), pipe(sys.argv[2], top_k=None, return_embedding=True)]
"""

    every, one = run_fresh(code, pushed.folder, *TEXTS, folder=tmp_path)

    assert same_answers(every, pushed.answers(TEXTS))
    assert same_answers(one, pushed.answers(TEXTS[0], top_k=None, return_embedding=True))


def test_door_feature_extraction_gives_the_token_states(pushed: Pushed, tmp_path: Path) -> None:
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


def test_door_automodel_gives_the_logits_with_the_hubs_snippet(pushed: Pushed, tmp_path: Path) -> None:
    code = MODEL_AND_TOKENIZER.format(id=pushed.folder) + LOGITS

    assert same_answers(run_fresh(code, TEXTS[0], folder=tmp_path), pushed.logits(TEXTS[0]))


def test_door_automodel_gives_the_logits_with_the_hubs_snippet_without_a_tokenizer(
    pushed: Pushed, tmp_path: Path
) -> None:
    code = f"{MODEL.format(id=pushed.folder)}\nfrom transformers import AutoTokenizer\n{LOGITS}"

    assert same_answers(run_fresh(code, TEXTS[0], folder=tmp_path), pushed.logits(TEXTS[0]))


def test_door_sentencetransformer_gives_the_embeddings_with_the_hubs_snippet(pushed: Pushed, tmp_path: Path) -> None:
    code = SENTENCE_TRANSFORMER.format(id=pushed.folder)
    sentences, embeddings, similarities = run_fresh(
        f"{code}\nresult = [sentences, embeddings.tolist(), similarities.tolist()]", folder=tmp_path
    )

    expected = encode(pushed.model, sentences, tokenizer=pushed.tokenizer)
    unit = expected / (expected**2).sum(axis=1, keepdims=True) ** 0.5
    assert embeddings == pytest.approx(expected, abs=1e-5)
    assert similarities == pytest.approx(unit @ unit.T, abs=1e-5)


def test_door_inference_endpoints_gives_the_answers_of_the_pipeline(pushed: Pushed, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = [
        {"inputs": TEXTS[0]},
        {"inputs": TEXTS, "parameters": None},
        {"inputs": PAIR},
        {"inputs": TEXTS[:2], "parameters": {"top_k": None, "tasks": ["topic", "tags"], "return_embedding": True}},
    ]

    found = run_fresh(ENDPOINT, pushed.folder, *map(json.dumps, requests), folder=tmp_path)

    expected = [pushed.answers(each["inputs"], **(each.get("parameters") or {})) for each in requests]
    assert same_answers(found, expected)


def test_door_sentencetransformer_embeds_pairs(pushed: Pushed, tmp_path: Path) -> None:
    code = """
from sentence_transformers import SentenceTransformer
result = SentenceTransformer(sys.argv[1], trust_remote_code=True).encode([tuple(sys.argv[2:])]).tolist()
"""
    pair = tuple(PAIR.values())

    found = run_fresh(code, pushed.folder, *pair, folder=tmp_path)

    assert found == pytest.approx(encode(pushed.model, [pair], tokenizer=pushed.tokenizer), abs=1e-5)


def test_door_autopeftmodel_gives_the_logits_of_the_adapter(pushed: Pushed, tmp_path: Path) -> None:
    code = f"""
from peft import AutoPeftModel
from transformers import AutoTokenizer
model = AutoPeftModel.from_pretrained(sys.argv[2], trust_remote_code=True).eval()
{LOGITS.replace("model.name_or_path", "sys.argv[2]")}
"""

    found = run_fresh(code, TEXTS[0], pushed.adapter, folder=tmp_path)

    assert same_answers(found, pushed._replace(model=pushed.adapted).logits(TEXTS[0]))
    assert not same_answers(found, pushed.logits(TEXTS[0]))


def check_graph(pushed: Pushed, runtime: Runtime, folder: Path) -> None:
    """Assert that a graph gives the answers and the embeddings of the pipeline, also for a pair."""
    write_export(pushed.model, pushed.tokenizer, folder / runtime, runtime)

    found = run_fresh(GRAPH, folder / runtime, json.dumps([*TEXTS, PAIR]), folder=folder)

    expected = pushed.answers([*TEXTS, PAIR], return_embedding=True)
    assert found["embeddings"] == pytest.approx(torch.tensor([each.pop("embedding") for each in expected]), abs=1e-5)
    assert same_answers(found["answers"], expected)


@pytest.mark.slow
def test_door_onnx_runtime_gives_the_answers_of_the_pipeline(pushed: Pushed, tmp_path: Path) -> None:
    check_graph(pushed, "onnx", tmp_path)


@pytest.mark.slow
def test_door_openvino_gives_the_answers_of_the_pipeline(pushed: Pushed, tmp_path: Path) -> None:
    check_graph(pushed, "openvino", tmp_path)


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
