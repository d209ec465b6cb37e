"""A pushed model on the Hub, used by every loader: pinned, private, gated, and offline."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.push import push
from modeling_multitask.publishing.shipment import Shipment, ShipmentError, make_shipment
from modeling_multitask.publishing.staging import write_all
from modeling_multitask.training.adapter import save_adapter
from tests.conftest import ROOT, tasks_of_each_type
from tests.deciding import same_answers
from tests.fresh_process import run_fresh
from tests.hub_server import HubServer, hub, hub_api
from tests.unit.training.test_lora import adapted

__all__ = ["hub", "hub_api"]  # fixtures
pytestmark = pytest.mark.slow

TEXTS = ["the film was good", "not very tasty soup"]
TEMPLATE = (ROOT / "model_card.md").read_text()
LOAD = """
import os
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline
repo, revision, *texts = sys.argv[1:]
pinned = {"revision": revision, "code_revision": revision}
config = AutoConfig.from_pretrained(repo, trust_remote_code=True, **pinned)
model = AutoModel.from_pretrained(repo, trust_remote_code=True, **pinned).eval()
tokenizer = AutoTokenizer.from_pretrained(repo, trust_remote_code=False, revision=revision)
inputs = tokenizer(texts, padding=True, truncation=True, max_length=config.max_length, return_tensors="pt")
answer = pipeline("multitask-classification", model=repo, trust_remote_code=True, revision=revision)
from sentence_transformers import SentenceTransformer
result = {
    "logits": {name: each.tolist() for name, each in model(**inputs).logits.items()},
    "answers": answer(texts),
    "embeddings": SentenceTransformer(repo, trust_remote_code=True, revision=revision).encode(texts).tolist(),
}
"""
REFUSED = """
from transformers import AutoModel
try:
    AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
    result = "loaded"
except OSError as error:
    result = str(error)
"""
ADAPTER = """
inputs = tokenizer(sys.argv[1:], padding=True, return_tensors="pt")
result = {name: each.tolist() for name, each in model(**inputs).logits.items()}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """The files of a training: a model, an adapter next to it, and a recipe."""
    return write_run(tmp_path_factory.mktemp("runs") / "run", backbone)


def write_run(run: Path, backbone: Path, *, seed: int = 0) -> Path:
    """As `run`, in that folder, with weights of its own for every seed."""
    torch.manual_seed(seed)
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type(), max_length=16).eval()
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    save_folder(model, tokenizer, run / "model")
    save_adapter(adapted(model), tokenizer, run / "adapter")
    recipe = {"examples": TEXTS, "card": {"license": "apache-2.0", "language": ["en"]}}
    (run / "recipe.json").write_text(json.dumps(recipe))
    return run


@pytest.fixture(scope="module")
def shipment(run: Path) -> Shipment:
    """The model, checked and tried."""
    return make_shipment(run / "model", Target("tester/model"), template=TEMPLATE)


def ship(api: HfApi, shipment: Shipment, work: Path, **changes: Any) -> str:
    """Pushes; returns the model's commit."""
    changed = replace(shipment, **changes)
    return next(each.commit for each in push(api, changed, work) if each.address.endswith(changed.target.repo_id))


def stranger(hub: HubServer, home: Path, monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    for name, value in {**hub.environment(home), **other}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.compat
def test_everyone_gets_the_models_answers_also_offline_later(
    hub: HubServer, hub_api: HfApi, run: Path, shipment: Shipment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # P48, P51, P55
    commit = ship(hub_api, shipment, tmp_path / "work")
    stranger(hub, tmp_path / "stranger", monkeypatch)

    found = run_fresh(LOAD, "tester/model", commit, *TEXTS, folder=tmp_path, online=True)
    asked = len(hub.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    offline = run_fresh(LOAD, "tester/model", commit, *TEXTS, folder=tmp_path, online=True)

    assert same_answers(found["answers"], predict(str(run / "model"), TEXTS))
    assert offline == found
    assert len(hub.requests) == asked


def test_an_older_commit_still_gives_the_older_models_answers(
    hub: HubServer,
    hub_api: HfApi,
    run: Path,
    backbone: Path,
    shipment: Shipment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = write_run(tmp_path / "newer", backbone, seed=1)
    first = ship(hub_api, shipment, tmp_path / "work")
    second = ship(hub_api, shipment, tmp_path / "work", model=newer / "model")
    stranger(hub, tmp_path / "stranger", monkeypatch)

    found = {
        commit: run_fresh(LOAD, "tester/model", commit, *TEXTS, folder=tmp_path, online=True)
        for commit in (second, first)
    }

    old, new = (predict(str(each / "model"), TEXTS) for each in (run, newer))
    assert same_answers(found[first]["answers"], old)
    assert same_answers(found[second]["answers"], new)
    assert not same_answers(old, new)
    assert found[first]["logits"] != found[second]["logits"]


def test_what_is_pushed_holds_no_pickle_and_its_card_reads_back(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path
) -> None:
    # P56, P57
    ship(hub_api, shipment, tmp_path / "work")

    files = hub.files("tester/model")
    card = ModelCard(files["README.md"].decode())
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    assert {"config.json", "model.safetensors", "modules.json", "modeling_multitask.py", "pictures/answers.png"} <= set(
        files
    )
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "transformers")
    assert str(tmp_path).encode() not in b"".join(files.values())


def test_a_private_model_is_for_those_with_a_token_and_a_gated_one_too(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(hub_api, shipment, tmp_path / "work", target=Target("tester/private", private=True))
    ship(hub_api, shipment, tmp_path / "work", target=Target("tester/gated"))
    hub_api.update_repo_settings("tester/gated", gated="auto")
    stranger(hub, tmp_path / "friend", monkeypatch)
    friend = [run_fresh(REFUSED, f"tester/{name}", folder=tmp_path, online=True) for name in ("private", "gated")]
    stranger(hub, tmp_path / "stranger", monkeypatch, HF_TOKEN="")
    refused = [run_fresh(REFUSED, f"tester/{name}", folder=tmp_path, online=True) for name in ("private", "gated")]

    assert friend == ["loaded", "loaded"]
    assert "tester/private" in refused[0]
    assert "gated" in refused[1]


@pytest.mark.compat
def test_an_adapter_loads_with_the_model_that_it_sits_on_also_offline_later(
    hub: HubServer, hub_api: HfApi, run: Path, shipment: Shipment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # P86
    from peft import AutoPeftModel

    ship(hub_api, shipment, tmp_path / "work", adapter="tester/model-lora", adapter_folder=run / "adapter")
    own = AutoPeftModel.from_pretrained(run / "adapter", trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "adapter")
    expected = own(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits
    stranger(hub, tmp_path / "stranger", monkeypatch)

    card = hub.files("tester/model-lora")["README.md"].decode()
    lines = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    found = run_fresh(lines + ADAPTER, *TEXTS, folder=tmp_path, online=True)
    asked = len(hub.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    offline = run_fresh(lines + ADAPTER, *TEXTS, folder=tmp_path, online=True)

    config = json.loads(hub.files("tester/model-lora")["adapter_config.json"])
    assert config["base_model_name_or_path"] == "tester/model-lora-base"
    assert config["revision"] == hub.commits("tester/model-lora-base")[0]
    for name, logits in expected.items():
        assert torch.allclose(torch.tensor(found[name]), logits, atol=1e-5)
    assert offline == found
    assert len(hub.requests) == asked


def test_all_of_it_is_linked_and_in_one_collection(
    hub: HubServer, hub_api: HfApi, run: Path, shipment: Shipment, tmp_path: Path
) -> None:
    hub_api.create_repo("tester/reviews", repo_type="dataset")
    commit = ship(
        hub_api,
        shipment,
        tmp_path / "work",
        dataset="tester/reviews",
        space="tester/demo",
        adapter="tester/lora",
        adapter_folder=run / "adapter",
    )

    cards = {
        kind: hub.files(*repository)["README.md"].decode()
        for kind, repository in {
            "Model": ("tester/model",),
            "Data set": ("tester/reviews", "dataset"),
            "Demo": ("tester/demo", "space"),
            "Adapter": ("tester/lora",),
            "Base model of the adapter": ("tester/lora-base",),
        }.items()
    }
    slug = re.search(r"https://huggingface\.co/collections/(tester/model-\w+)", cards["Model"])[1]
    for kind, card in cards.items():
        linked = re.findall(r"^- ([\w ]+): \[", card, re.MULTILINE)
        if kind == "Data set":
            assert "## Models trained on it\n\n- [tester/model](https://huggingface.co/tester/model)\n" in card
        else:
            assert linked == [each for each in [*cards, "Collection"] if each != kind]
    assert hub.collection(slug) == [
        ("model", "tester/model"),
        ("model", "tester/lora"),
        ("model", "tester/lora-base"),
        ("dataset", "tester/reviews"),
        ("space", "tester/demo"),
    ]
    assert json.loads(hub.files("tester/demo", "space")["settings.json"])["revision"] == commit


def test_what_was_edited_on_the_hub_survives_the_next_push(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path
) -> None:
    # P56
    ship(hub_api, shipment, tmp_path / "work")
    card = hub.files("tester/model")["README.md"].decode()
    edited = card.replace("## Limitations", "Mind the gap.\n\n## Limitations") + "\n## By hand\n\nThanks to all.\n"
    hub_api.upload_file(path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id="tester/model")

    ship(hub_api, shipment, tmp_path / "work", settings=CardSettings(license="mit"))

    now = hub.files("tester/model")["README.md"].decode()
    assert "Mind the gap." in now
    assert "## By hand\n\nThanks to all." in now
    assert ModelCard(now).data.license == "mit"


def test_what_an_earlier_push_has_linked_stays_linked(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path
) -> None:
    hub_api.create_repo("tester/reviews", repo_type="dataset")
    ship(hub_api, shipment, tmp_path / "work", dataset="tester/reviews", space="tester/demo")
    before = hub.files("tester/model")["README.md"]

    ship(hub_api, shipment, tmp_path / "work")

    assert b"- Demo: [tester/demo]" in before
    assert links_of(hub.files("tester/model")["README.md"]) == links_of(before)


def links_of(card: bytes) -> set[bytes]:
    """Return the names of a card's links."""
    return set(re.findall(rb"^- ([\w ]+): \[", card, re.MULTILINE))


def test_what_comes_from_the_hub_keeps_what_its_card_says_of_its_training(
    hub: HubServer, hub_api: HfApi, run: Path, shipment: Shipment, tmp_path: Path
) -> None:
    results = {"test": {"topic": {"rows": 3, "accuracy": 0.5}}}
    evidence = replace(shipment.evidence, results=results)
    ship(hub_api, shipment, tmp_path / "work", evidence=evidence)
    first = hub.files("tester/model")["README.md"].decode()
    downloaded = hub_api.snapshot_download("tester/model", local_dir=tmp_path / "downloaded")
    again = make_shipment(Path(downloaded), Target("tester/model"), template=TEMPLATE, license="mit")

    ship(hub_api, again, tmp_path / "work")

    now = hub.files("tester/model")["README.md"].decode()
    assert "| topic | accuracy | 0.500 | 3 |" in first
    assert "| topic | accuracy | 0.500 | 3 |" in now
    assert ModelCard(now).data.eval_results[0].metric_value == 0.5
    assert ModelCard(now).data.license == "mit"
    assert json.loads(hub.files("tester/model")["results.json"]) == results


def test_a_later_push_renews_the_cards_of_space_and_adapter(
    hub: HubServer, hub_api: HfApi, run: Path, shipment: Shipment, tmp_path: Path
) -> None:
    hub_api.create_repo("tester/demo", repo_type="space", space_sdk="gradio")
    hub_api.upload_file(
        path_or_fileobj=b"---\ntitle: Demo\nsdk: gradio\nsdk_version: 1.0.0\n---\nThe Hub's own.\n",
        path_in_repo="README.md",
        repo_id="tester/demo",
        repo_type="space",
    )
    everything = {"space": "tester/demo", "adapter": "tester/lora", "adapter_folder": run / "adapter"}
    ship(hub_api, shipment, tmp_path / "work", **everything)
    renewed = {**everything, "settings": CardSettings(title="Another", license="mit")}

    ship(hub_api, shipment, tmp_path / "work", **renewed)

    space = hub.files("tester/demo", "space")["README.md"].decode()
    assert "# Another" in space
    assert "license: mit" in space
    assert "sdk_version: 1.0.0" not in space
    assert "license: mit" in hub.files("tester/lora")["README.md"].decode()


def test_a_hub_that_makes_no_collection_still_gets_the_rest(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path
) -> None:
    hub.fail_next("POST", "/api/collections", status=403)

    ship(hub_api, shipment, tmp_path / "work", space="tester/demo")

    assert "app.py" in hub.files("tester/demo", "space")


def test_a_description_with_a_secret_is_found_in_what_would_be_sent(shipment: Shipment, tmp_path: Path) -> None:
    settings = CardSettings(license="mit", description=f"with hf_{'a' * 34}, of /home/alice/x")

    with pytest.raises(ShipmentError, match=r"README\.md: seems to contain a secret"):
        write_all(replace(shipment, settings=settings), tmp_path / "work")


def test_what_is_written_to_be_looked_at_is_no_other_name_of_the_model(
    run: Path, shipment: Shipment, tmp_path: Path
) -> None:
    write_all(shipment, tmp_path / "work")

    (tmp_path / "work" / "model" / "modules.json").write_text("{}")

    assert (run / "model" / "modules.json").read_text() != "{}"


def test_a_data_set_that_is_not_there_stops_the_push_before_it_begins(
    hub: HubServer, hub_api: HfApi, shipment: Shipment, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="data set tester/reviews does not exist on the Hub; push it first"):
        ship(hub_api, shipment, tmp_path / "work", dataset="tester/reviews")

    assert not [each for each in hub.requests if each[0] == "POST"]


def test_the_command_shows_and_then_pushes(hub: HubServer, run: Path, tmp_path: Path) -> None:
    environment = {**hub.environment(tmp_path / "hf"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def command(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "scripts.push", str(run / "model"), "tester/model", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    shown = command("--output", "look")
    asked = [each for each in hub.requests if each[0] not in ("GET", "HEAD")]
    pushed = command("--yes")

    assert "Would push to the model tester/model:\n" in shown.stdout
    assert "Nothing was pushed; add --yes to push." in shown.stdout
    assert asked == []
    assert (tmp_path / "look" / "model" / "README.md").is_file()
    assert f"Pushed to {hub.url}/tester/model, commit {hub.commits('tester/model')[0]}" in pushed.stdout


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """The run once more, to be spoilt."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def import_ours(run: Path) -> None:
    path = run / "adapter" / "adapter_config.json"
    named = {"base_model_class": "MultiTaskModel", "parent_library": "modeling_multitask.modeling_multitask"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_mapping": named}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / "recipe.json").unlink(), "the licence is missing; add --license"),
        (lambda run: (run / "model" / "args.bin").write_text("x"), "has a problem:\n  args.bin: is a pickle"),
        (lambda run: (run / "adapter" / "adapter_config.json").unlink(), "no adapter found; train with lora"),
        (
            lambda run: (run / "adapter" / "training_args.bin").write_text("x"),
            "adapter has a problem:\n  training_args.b",
        ),
        (lambda run: (run / "adapter" / "key").symlink_to("/etc/hostname"), "key: is a link"),
        (import_ours, "adapter has a problem:\n  loading without this package failed: .*modeling_multitask"),
        (lambda run: (run / "adapter" / "base" / "evil.py").write_text(""), "base/evil.py: is not code of this"),
    ],
)
def test_what_cannot_be_pushed_is_refused(copy: Path, change: Any, message: str) -> None:
    change(copy)

    with pytest.raises(ShipmentError, match=message):
        make_shipment(copy / "model", Target("tester/model"), template=TEMPLATE, adapter="tester/lora")


@pytest.mark.parametrize("name", ["tester/lora", "tester/lora-base"])
def test_a_model_and_its_adapter_have_different_names(run: Path, name: str) -> None:
    with pytest.raises(ShipmentError, match="are used by the adapter; choose another name for the model"):
        make_shipment(run / "model", Target(name), template=TEMPLATE, adapter="tester/lora")


def test_an_adapter_goes_to_main_alone(run: Path) -> None:
    with pytest.raises(ShipmentError, match="an adapter must be pushed to main"):
        make_shipment(run / "model", Target("tester/m", revision="v2"), template=TEMPLATE, adapter="tester/lora")


def test_an_adapter_alone_takes_no_space(run: Path) -> None:
    with pytest.raises(ShipmentError, match="is an adapter; push its model to add a Space or an adapter"):
        make_shipment(run / "adapter", Target("tester/lora"), template=TEMPLATE, space="tester/demo")
