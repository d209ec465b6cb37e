"""A Hub that cannot be reached, or does not answer, is reported once and soon."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, is_offline_mode
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask import hub_access as module
from modeling_multitask.commands.export import main as export
from modeling_multitask.commands.predict import main as predict
from modeling_multitask.commands.push import main as push
from modeling_multitask.commands.report import main as report
from modeling_multitask.commands.similarity import main as similarity
from modeling_multitask.commands.train import main as train
from modeling_multitask.hub.upload import patiently
from modeling_multitask.hub_access import hub_access, unreachable
from modeling_multitask.inference import encode
from modeling_multitask.inference import predict as answer_all
from modeling_multitask.inference.saving import save_folder


class _Nothing(BaseHTTPRequestHandler):
    status = 404

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(module, "_answered", {})
    monkeypatch.setattr(module, "_silent", {})
    monkeypatch.setattr(module, "PATIENCE", 0.5)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Hub that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        yield address


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Hub that has nothing."""
    server = HTTPServer(("127.0.0.1", 0), _Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_silent_hub_is_reported_within_the_limit(silent: str) -> None:
    started = time.monotonic()

    assert re.match(rf"{silent} cannot be reached: ", unreachable() or "")

    assert time.monotonic() - started < 5


def test_a_hub_that_refuses_connections_is_reported(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    assert re.match(r"http://127\.0\.0\.1:9 cannot be reached: .*refused", unreachable() or "")


def test_any_answer_is_an_answer_and_no_later_request_waits_for_ever(answering: str) -> None:
    assert unreachable() is None

    assert module.get_session().timeout.read == 60


def test_a_hub_is_asked_once_a_minute(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unreachable() is None
    monkeypatch.setattr(module, "get_session", pytest.fail)

    assert unreachable() is None


def test_a_hub_that_does_not_work_is_unreachable_for_models_but_an_upload_waits_for_it(
    answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Nothing, "status", 503)

    with hub_access("me/model") as reason:
        assert reason == f"{answering} cannot be reached: it answers with the HTTP status 503"
    assert unreachable() is None


class _ManyAddresses:
    """A client for which each of several addresses takes as long as one request may."""

    def head(self, endpoint: str, *, timeout: float) -> None:
        time.sleep(6 * timeout)


def test_the_limit_is_for_all_addresses_together(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # P127
    monkeypatch.setattr(module, "get_session", _ManyAddresses)
    started = time.monotonic()

    assert unreachable() == f"{silent} cannot be reached: no answer within 0.5 s"

    assert time.monotonic() - started < 1.5


def test_a_hub_that_did_not_answer_is_not_asked_again_at_once(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_access("me/model") as first:
        pass
    monkeypatch.setattr(module, "unreachable", pytest.fail)

    with hub_access("me/other") as second:
        assert second == first != None  # noqa: E711

    assert is_offline_mode() is False


def test_a_block_without_a_hub_works_offline(silent: str) -> None:
    with hub_access("me/model") as reason:
        assert is_offline_mode()
        with hub_access("me/model") as inner, pytest.raises(LocalEntryNotFoundError):
            hf_hub_download("me/model", "config.json")

    assert reason is not None
    assert inner == reason
    assert not is_offline_mode()


def test_a_local_folder_needs_no_hub(tmp_path: Path, silent: str) -> None:
    started = time.monotonic()

    with hub_access(str(tmp_path)) as reason:
        assert reason is None

    assert time.monotonic() - started < 0.4


def test_an_upload_is_not_tried_again_without_a_hub(silent: str) -> None:
    with pytest.raises(ConnectionError, match="cannot be reached"):
        patiently(pytest.fail, HfApi(endpoint=silent))


RECIPE = """
backbone: {backbone}
tasks: [{{name: topic, problem_type: single_label_classification, labels: [film, food]}}]
data: {{train: {{path: {data}, labels: {{topic: topic}}}}}}
"""


@pytest.mark.parametrize("kind", ["predict", "export", "similarity", "report", "train, model", "train, data", "push"])
def test_each_command_says_once_that_the_hub_is_silent(
    kind: str, silent: str, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, recipe = tmp_path / "rows.csv", tmp_path / "recipe.yaml"
    table.write_text("text,topic\nthe film,film\nthe soup,food\n")
    names = ("me/encoder", table) if kind == "train, model" else (backbone, "me/rows")
    recipe.write_text(RECIPE.format(backbone=names[0], data=names[1]))
    commands = {
        "predict": (predict, ["me/model", str(table), str(tmp_path / "answers.csv")]),
        "export": (export, ["me/model", str(tmp_path / "onnx")]),
        "similarity": (similarity, ["me/model", "--pair", "a", "b"]),
        "report": (report, ["me/model", str(table), "--output", str(tmp_path / "report")]),
        "train, model": (train, [str(recipe), f"output_dir={tmp_path}/run"]),
        "train, data": (train, [str(recipe), f"output_dir={tmp_path}/run"]),
        "push": (push, ["me/model", "me/other", "--license", "mit"]),
    }
    main, words = commands[kind]
    started = time.monotonic()

    code = main(words)

    said = capsys.readouterr().err
    assert code == 1
    assert said.count("cannot be reached") == 1, said
    assert "Retrying" not in said
    assert time.monotonic() - started < 8  # the half second, and some imports


@pytest.mark.parametrize("answer", [answer_all, encode])
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_python_says_once_that_the_hub_is_silent(answer: Callable, backend: str, silent: str) -> None:
    started = time.monotonic()

    with pytest.raises(FileNotFoundError, match=rf"^me/model: not a local folder, and {silent} cannot be reached: "):
        answer("me/model", ["a text"], backend=backend)

    assert time.monotonic() - started < 8


def test_a_local_model_is_answered_without_a_hub(
    silent: str,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_folder(model, tokenizer, tmp_path / "model")
    monkeypatch.setattr(module, "unreachable", pytest.fail)
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)

    assert len(answer_all(str(tmp_path / "model"), ["a text"])) == 1
