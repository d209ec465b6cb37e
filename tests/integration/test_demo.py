"""The demo in a real browser: as a separate process, and as a Space from a Hub on this machine."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from huggingface_hub import HfApi
from transformers import BertTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskPipeline
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.links import Links
from modeling_multitask.publishing.space import write_space
from tests.browser import Visit, visit
from tests.conftest import ROOT, tasks_of_each_type, tiny_bert_config
from tests.fresh_process import BLOCK
from tests.hub_server import HubServer, hub, hub_api
from tests.unit.commands.test_demo import free_port

__all__ = ["hub", "hub_api", "visit"]  # fixtures

pytestmark = pytest.mark.slow

EVIL = ["<img src=x onerror=alert(1)>", "**bold** [x](javascript:alert(1))", "${alert(1)} {{value}} </script>"]
TASKS: list[dict[str, Any]] = [
    *tasks_of_each_type(),
    {"name": "nasty", "problem_type": "single_label_classification", "labels": EVIL},
    {"name": "unsure", "problem_type": "binary_classification", "labels": ["no", "yes"], "abstain_below": 1.0},
]
TEXT = "the film was good <b onclick=alert(1)>not</b> boring"
SECONDS = 60_000  # in thousandths: what a page may take on a slow machine


class Served:
    """A process that serves the demo until it is told to end."""

    def __init__(self, *command: object, port: int, cwd: Path, log: Path, **environment: str) -> None:
        self.address = f"http://127.0.0.1:{port}/"
        self.log = log
        with log.open("w") as printed:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=cwd,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1", **environment},
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def folder(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model with a task of each kind, labels that would be markup, and a task that is never answered."""
    folder = tmp_path_factory.mktemp("demo") / "model"
    torch.manual_seed(0)
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)).eval()
    save_folder(model, BertTokenizer.from_pretrained(backbone), folder)
    return folder


@pytest.fixture(scope="module")
def classify(folder: Path) -> MultiTaskPipeline:
    model, tokenizer = load(str(folder))
    return MultiTaskPipeline(model=model, tokenizer=tokenizer, device=model.device)


def serve(folder: Path) -> Served:
    """`scripts.demo` as users run it."""
    port = free_port()
    command = ("-m", "scripts.demo", folder, "--port", port, "--no_browser")
    return Served(*command, port=port, cwd=ROOT, log=folder.parent / f"{port}.log")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """One for all tests: it takes its time to start."""
    with serve(folder) as demo:
        yield demo


def open_demo(visit: Visit, demo: Served) -> None:
    """Waits until it is served."""
    from playwright.sync_api import Error

    end = time.monotonic() + 120
    while True:
        try:
            visit.page.goto(demo.address)
            break
        except Error:
            assert demo.process.poll() is None, demo.log.read_text()
            assert time.monotonic() < end, "the demo is not served"
            time.sleep(0.5)
    visit.page.get_by_role("tab", name="One sentence").wait_for(timeout=SECONDS)


def ask(visit: Visit, text: str) -> None:
    visit.page.get_by_label("Sentence", exact=True).fill(text)
    visit.page.get_by_role("button", name="Answer", exact=True).click()
    visit.page.locator("#answers .mt-legend").first.wait_for(timeout=SECONDS)


def answer_of(visit: Visit, task: str) -> str:
    return visit.page.locator(f'#answers [data-task="{task}"] .mt-answer').inner_text()


def test_a_sentence_is_answered_as_the_pipeline_answers_it(
    visit: Visit, served: Served, classify: MultiTaskPipeline
) -> None:
    expected = classify(TEXT)
    open_demo(visit, served)

    ask(visit, TEXT)

    for task in ("topic", "sentiment", "grade", "nasty"):
        assert answer_of(visit, task) == expected[task]["label"]
    assert answer_of(visit, "tags") == (", ".join(each["label"] for each in expected["tags"]) or "none")
    assert answer_of(visit, "rating") == f"{expected['rating']['score']:.4g}"
    assert re.fullmatch(r"no answer: score 0\.\d+ is below 1\.0+", answer_of(visit, "unsure"))
    bars = visit.page.locator('#answers [data-task="topic"] .mt-bars li').all_inner_texts()
    ranked = classify(TEXT, top_k=None)["topic"]
    assert [bar.split() for bar in bars] == [[each["label"], f"{each['score']:.2f}"] for each in ranked]
    assert visit.errors == []


def test_nothing_of_a_label_or_a_sentence_becomes_markup(visit: Visit, served: Served) -> None:
    open_demo(visit, served)

    ask(visit, TEXT)

    labels = visit.page.locator('#answers [data-task="nasty"] .mt-label').all_inner_texts()
    words = visit.page.locator('#answers [data-task="nasty"] .mt-words').inner_text()
    assert sorted(labels) == sorted(EVIL)
    assert words == TEXT
    assert visit.page.locator("#answers img, #answers b, #answers a, #answers script").count() == 0
    assert visit.errors == []  # no dialog among them


def test_words_are_coloured_and_say_how_much_they_mattered(visit: Visit, served: Served) -> None:
    open_demo(visit, served)

    ask(visit, "the film was good")

    words = visit.page.locator('#answers [data-task="topic"] .mt-words span')
    titles = [word.get_attribute("title") or "" for word in words.all()]
    assert words.all_inner_texts() == ["the", "film", "was", "good"]
    assert any("100% of the strongest word" in title for title in titles)


def test_an_example_is_answered_when_it_is_chosen(visit: Visit, served: Served) -> None:
    open_demo(visit, served)

    visit.page.get_by_role("button", name="I fell asleep in the cinema.").click()
    visit.page.locator("#answers .mt-legend").first.wait_for(timeout=SECONDS)

    assert visit.page.get_by_label("Sentence", exact=True).input_value() == "I fell asleep in the cinema."


def test_without_a_sentence_one_is_asked_for(visit: Visit, served: Served) -> None:
    open_demo(visit, served)

    visit.page.get_by_role("button", name="Answer", exact=True).click()

    visit.page.get_by_text("Type a sentence first.").wait_for(timeout=SECONDS)


def test_two_sentences_are_compared(visit: Visit, served: Served, classify: MultiTaskPipeline) -> None:
    one, other = "the film was good", "a very boring plot"
    vectors = torch.tensor([each["embedding"] for each in classify([one, other], return_embedding=True)])
    cosine = torch.nn.functional.cosine_similarity(*vectors, dim=0).item()
    open_demo(visit, served)

    visit.page.get_by_role("tab", name="Two sentences").click()
    visit.page.get_by_label("First sentence").fill(one)
    visit.page.get_by_label("Second sentence").fill(other)
    visit.page.get_by_role("button", name="Compare").click()
    visit.page.locator("#compared table").wait_for(timeout=SECONDS)

    said = visit.page.locator("#compared .mt-alike").inner_text()
    found = re.search(r"cosine (-?[\d.]+); \(1 \+ cosine\) / 2 = ([\d.]+)", said)
    assert found, said
    # Four digits are shown; a batch of two moves the last of float32.
    assert [float(each) for each in found.groups()] == pytest.approx([cosine, (1 + cosine) / 2], abs=1e-4)
    assert visit.page.locator("#compared tbody tr").count() == len(TASKS)
    assert visit.errors == []


def test_a_table_is_answered_and_downloaded(
    visit: Visit, served: Served, classify: MultiTaskPipeline, tmp_path: Path
) -> None:
    rows = [["1", "the film was good"], ["2", "=1+1, <img src=x onerror=alert(1)>"]] * 40
    with (tmp_path / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "review"], *rows])
    open_demo(visit, served)

    visit.page.get_by_role("tab", name="A table").click()
    visit.page.locator("#file input[type=file]").set_input_files(tmp_path / "texts.csv")
    visit.page.locator("#table table").wait_for(timeout=SECONDS)
    chosen = visit.page.locator("#column input").input_value()
    visit.page.get_by_role("button", name="Answer every row").click()
    visit.page.get_by_text("80 rows answered").wait_for(timeout=SECONDS)
    with visit.page.expect_download() as download:
        visit.page.locator("#download").click()

    download.value.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    expected = classify([text for _, text in rows])
    assert chosen == "review"
    assert [[row["id"], row["review"]] for row in answers] == rows
    assert [row["topic"] for row in answers] == [each["topic"]["label"] for each in expected]
    assert [row["unsure"] for row in answers] == [""] * 80
    assert visit.page.locator("#table img").count() == 0
    assert visit.errors == []


def test_a_table_that_cannot_be_read_says_why(visit: Visit, served: Served, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,<b>topic</b>,topic\ngood,1,2\n")
    open_demo(visit, served)

    visit.page.get_by_role("tab", name="A table").click()
    visit.page.locator("#file input[type=file]").set_input_files(tmp_path / "texts.csv")

    problem = visit.page.locator("#table [role=alert]")
    problem.wait_for(timeout=SECONDS)
    assert problem.inner_text() == "the table already has a column 'topic', and the answers need this name; rename it"
    assert visit.page.get_by_role("button", name="Answer every row").is_disabled()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_wide_as_the_screen(visit: Visit, served: Served, width: int, scheme: Any) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.page.emulate_media(color_scheme=scheme)
    open_demo(visit, served)

    ask(visit, f"{'good ' * 40}{'x' * 300}")

    shade = visit.page.evaluate("getComputedStyle(document.querySelector('.gradio-container')).backgroundColor")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert shade == {"light": "rgb(246, 248, 250)", "dark": "rgb(20, 23, 26)"}[scheme]


def test_nothing_comes_from_elsewhere(visit: Visit, served: Served) -> None:
    open_demo(visit, served)

    ask(visit, TEXT)

    elsewhere = [each for each in visit.requests if not each.startswith((served.address, "data:", "blob:"))]
    assert elsewhere == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_it_is_told_to(visit: Visit, folder: Path, how: signal.Signals) -> None:
    with serve(folder) as demo:
        open_demo(visit, demo)

        demo.process.send_signal(how)
        code = demo.process.wait(timeout=60)

    printed = demo.log.read_text()
    assert code == 0
    assert f"The demo runs at {demo.address}" in printed
    assert "Traceback" not in printed


def test_programs_get_what_the_pipeline_answers(visit: Visit, served: Served, classify: MultiTaskPipeline) -> None:
    open_demo(visit, served)
    call = (
        "async text => { const at = 'gradio_api/call/answer';"
        "const {event_id} = await (await fetch(at, {method: 'POST', headers: {'Content-Type': 'application/json'},"
        " body: JSON.stringify({data: [text]})})).json();"
        "return await (await fetch(`${at}/${event_id}`)).text(); }"
    )

    said = visit.page.evaluate(call, TEXT)

    [answer] = json.loads(said.partition("data: ")[2])
    assert answer["topic"] == {**classify(TEXT)["topic"], "score": pytest.approx(classify(TEXT)["topic"]["score"])}


def test_a_space_loads_the_revision_that_its_settings_name(
    visit: Visit, hub: HubServer, hub_api: HfApi, folder: Path, classify: MultiTaskPipeline, tmp_path: Path
) -> None:
    # P48, P55: the model's own code answers, of that revision; this package cannot be imported.
    hub_api.create_repo("me/reviews")
    pinned = hub_api.upload_folder(repo_id="me/reviews", folder_path=folder).oid
    hub_api.upload_file(repo_id="me/reviews", path_or_fileobj=b"raise SystemExit", path_in_repo="pipeline_multitask.py")
    space = tmp_path / "space"
    write_space(space, links=Links("me/reviews", space="me/demo"), revision=pinned, title="Reviews")
    (space / "sitecustomize.py").write_text(BLOCK)  # imported by Python before anything else
    port = free_port()
    environment = {**hub.environment(tmp_path / "home"), "PYTHONPATH": str(space), "GRADIO_SERVER_PORT": str(port)}
    with Served("app.py", port=port, cwd=space, log=tmp_path / "log", **environment) as demo:
        open_demo(visit, demo)
        ask(visit, TEXT)

        assert answer_of(visit, "topic") == classify(TEXT)["topic"]["label"]
        assert visit.page.locator(".mt-head a").get_attribute("href") == "https://huggingface.co/me/reviews"
        assert visit.page.locator(".mt-foot").inner_text() == f"me/reviews at revision {pinned}"
        assert visit.errors == []
