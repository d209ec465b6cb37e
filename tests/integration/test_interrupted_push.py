"""A push interrupted at any request: no repository mixes old and new files, and the next push completes it.

The slow tests interrupt it at every fifth request, the long ones at the others.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.publishing.push import push
from modeling_multitask.publishing.shipment import Shipment, make_shipment
from tests.hub_server import HubServer, connect, hub, hub_api
from tests.integration.test_pushed_model import TEMPLATE, run, write_run
from tests.unit.hub.test_upload import drop, fail

__all__ = ["hub", "hub_api", "run"]  # fixtures

MODEL, LORA, BASE = ("tester/model", "model"), ("tester/lora", "model"), ("tester/lora-base", "model")
SPACE, REVIEWS = ("tester/demo", "space"), ("tester/reviews", "dataset")
COUNT = 54  # requests of the second push
# The collection, what is there already, and the link from the data set; the others are those of four folders.
BESIDE_THE_FOLDERS = [*range(1, 7), *range(42, COUNT + 1)]
BREAKS = [("before", drop), ("after", fail), ("after", drop), ("before", fail)]

State = dict[tuple[str, str], dict[str, bytes]]


@pytest.fixture(scope="module")
def old(run: Path) -> Shipment:
    """A model with an adapter and a demo."""
    places = {"space": "tester/demo", "adapter": "tester/lora"}
    return make_shipment(run / "model", Target("tester/model"), template=TEMPLATE, **places)


@pytest.fixture(scope="module")
def new(old: Shipment, backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Shipment:
    """The same with other weights, another licence, and a data set to be linked: every repository changes."""
    newer = write_run(tmp_path_factory.mktemp("runs") / "newer", backbone, seed=1)
    return replace(
        old,
        model=newer / "model",
        adapter_folder=newer / "adapter",
        settings=CardSettings(license="mit"),
        dataset="tester/reviews",
    )


@pytest.fixture(scope="module")
def expected(old: Shipment, new: Shipment, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, State]:
    """The state after the first and after the second of two uninterrupted pushes."""
    work = tmp_path_factory.mktemp("undisturbed")
    with HubServer() as hub, pytest.MonkeyPatch.context() as patch:
        api = connect(hub, work / "cache", patch)
        push_first(api, old, work / "work")
        first = state(hub)
        begin = len(hub.requests)
        push(api, new, work / "work")
        assert len(hub.requests) - begin == COUNT
        return first, state(hub)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch, expected: tuple[State, State]) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


def push_first(api: HfApi, old: Shipment, work: Path) -> None:
    api.create_repo("tester/reviews", repo_type="dataset")
    push(api, old, work)


def state(hub: HubServer) -> State:
    """The files of every repository; commits, which differ from push to push, are cut out, and digests of sections."""
    return {each: without_commits(hub.files(*each)) for each in (MODEL, LORA, BASE, SPACE, REVIEWS)}


def without_commits(files: dict[str, bytes]) -> dict[str, bytes]:
    cut_out = re.compile(rb"\b[0-9a-f]{40}\b|(?<=<!-- generated: use )[0-9a-f]{8}")  # a card says which commit to use
    return {name: cut_out.sub(b"", content) for name, content in files.items()}


def versions(found: State, expected: tuple[State, State]) -> dict[tuple[str, str], int]:
    """Of each repository 0 if it is the old one, 1 if it is the new one; a mixture raises a `ValueError`."""
    return {each: [version[each] for version in expected].index(files) for each, files in found.items()}


def pins(hub: HubServer) -> Iterator[tuple[tuple[str, str], tuple[str, str], dict[str, bytes]]]:
    """Yield the pinned commits: the pointing repository, the target repository, and its files at that commit."""
    for pointing, name, to in ((LORA, "adapter_config.json", BASE), (SPACE, "settings.json", MODEL)):
        commit = json.loads(hub.files(*pointing)[name])["revision"]
        yield pointing, to, without_commits(hub.files(*to, revision=commit))


def collected(hub: HubServer) -> list[tuple[str, str]]:
    card = hub.files("tester/model")["README.md"].decode()
    return hub.collection(re.search(r"https://huggingface\.co/collections/(tester/model-\w+)", card)[1])


def break_off(hub: HubServer, number: int, *, for_good: bool) -> None:
    """Breaks at the request of that number from now on, and at those that follow if for good."""
    at, (moment, act) = len(hub.requests) + number, BREAKS[number % len(BREAKS)]
    setattr(hub, moment, lambda each: act() if each == at or (for_good and each > at) else None)


def every_fifth_slow(numbers: Iterable[int]) -> list[Any]:
    """The numbers of requests as cases; most are left to the long tests."""
    marks = {True: pytest.mark.slow, False: pytest.mark.long}
    return [pytest.param(number, marks=marks[number % 5 == 1]) for number in numbers]


@pytest.mark.slow
def test_every_repository_changes(expected: tuple[State, State]) -> None:
    assert [each for each, files in expected[0].items() if files == expected[1][each]] == []


@pytest.mark.parametrize("number", every_fifth_slow(range(1, COUNT + 1)))
def test_nothing_is_a_mixture_and_the_next_push_completes_it(
    hub: HubServer,
    hub_api: HfApi,
    old: Shipment,
    new: Shipment,
    expected: tuple[State, State],
    tmp_path: Path,
    number: int,
) -> None:
    push_first(hub_api, old, tmp_path / "work")
    break_off(hub, number, for_good=True)

    with contextlib.suppress(OSError):  # that the collection or a link is missing is only logged
        push(hub_api, new, tmp_path / "work")

    hub.before = hub.after = lambda each: None
    found = versions(state(hub), expected)
    for pointing, to, files in pins(hub):
        assert files == expected[found[pointing]][to]
    push(hub_api, new, tmp_path / "work")
    assert state(hub) == expected[1]
    assert {(each[1], each[0]) for each in expected[1]} == set(collected(hub))


@pytest.mark.parametrize("number", every_fifth_slow(BESIDE_THE_FOLDERS))
def test_a_connection_that_breaks_once_costs_neither_the_collection_nor_a_link(
    hub: HubServer,
    hub_api: HfApi,
    old: Shipment,
    new: Shipment,
    expected: tuple[State, State],
    tmp_path: Path,
    number: int,
) -> None:
    push_first(hub_api, old, tmp_path / "work")
    break_off(hub, number, for_good=False)

    push(hub_api, new, tmp_path / "work")

    assert state(hub) == expected[1]
    assert {(each[1], each[0]) for each in expected[1]} == set(collected(hub))
