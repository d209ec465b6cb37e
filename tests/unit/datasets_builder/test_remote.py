"""Files on servers, read through a cache of local copies: a real HTTP server, and the file system in memory."""

import gzip
import hashlib
import os
import pickle
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import aiohttp
import fsspec
import pytest
from huggingface_hub import constants

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source, remote, servers
from datasets_builder.local_path import LocalCopy
from datasets_builder.remote import checked_once, files_in, local_copy
from datasets_builder.short_names import short_names
from datasets_builder.sources import open_tables
from tests.conftest import ROOT
from tests.file_server import FileServer, file_server

__all__ = ["file_server"]  # a fixture

TABLE = b"text,topic\nfirst,a\nsecond,b\n"
OTHER = b"text,topic\nthird,a\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a short patience, and no offline mode."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(servers, "PATIENCE", 0.5)
    monkeypatch.setattr(remote, "_without_version", set())
    return tmp_path / "home" / "multitask_files"


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """The file system of fsspec in memory."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def texts(path: str, **words: str) -> list[str]:
    tables = open_tables(Source(path, **words))  # type: ignore[arg-type]
    return [text for table in tables for chunk in table.read(["text"]) for text in chunk["text"].to_pylist()]


def copies(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_file_is_downloaded_once_while_its_etag_is_the_same(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')

    assert [texts(address), texts(address)] == [["first", "second"]] * 2
    assert file_server.count("GET") == 1


def test_another_etag_is_another_file_although_its_size_is_the_same(file_server: FileServer) -> None:
    texts(file_server.serve("/t.csv", TABLE, ETag='"1"'))

    assert texts(file_server.serve("/t.csv", TABLE.replace(b"first", b"fifth"), ETag='"2"')) == ["fifth", "second"]


def test_a_file_that_is_replaced_during_its_download_is_not_kept_as_the_earlier_version(
    file_server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    answer = file_server.answer

    def replaced(request: BaseHTTPRequestHandler) -> None:
        if request.command == "GET" and file_server.count("GET") == 0:
            file_server.serve("/t.csv", OTHER, ETag='"2"')
        answer(request)

    monkeypatch.setattr(file_server, "answer", replaced)
    assert texts(address) == ["third"]

    file_server.serve("/t.csv", TABLE, ETag='"1"')  # it is restored
    assert texts(address) == ["first", "second"]


def test_without_an_etag_the_time_of_the_last_change_tells_the_version(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE, Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
    texts(address)
    texts(address)
    before = file_server.count("GET")
    file_server.serve("/t.csv", OTHER, Last_Modified="Mon, 01 Jan 2024 00:00:01 GMT")

    assert (before, texts(address)) == (1, ["third"])


def test_a_file_without_a_version_is_downloaded_each_time_and_this_is_said_once(
    file_server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = file_server.serve("/t.csv", TABLE)
    first = texts(address)
    file_server.serve("/t.csv", OTHER)

    assert (first, texts(address)) == (["first", "second"], ["third"])
    assert caplog.messages == [
        f"{file_server.url}/t.csv: the server names no version of the file; it is downloaded each time"
    ]


def test_a_server_that_does_not_allow_head_is_asked_with_get(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    answer = file_server.answer
    file_server.answer = lambda request: (  # type: ignore[method-assign]
        request.send_error(405) if request.command == "HEAD" else answer(request)
    )

    assert texts(address) == ["first", "second"]


def test_within_a_block_an_address_is_asked_only_once(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", TABLE)
    with checked_once():
        texts(address)
        texts(address)

    assert file_server.count("GET") == 1


def test_a_recipe_with_one_file_for_all_splits_downloads_it_once(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", b"text,topic,split\nx,a,train\ny,b,train\nz,a,test\n")
    builder = MultiTaskBuilder(
        tasks=[{"name": "topic", "problem_type": "single_label_classification"}],
        train=[Source(address, where={"split": "train"})],
        test=[Source(address, where={"split": "test"})],
    )
    builder.download_and_prepare()

    assert builder.as_dataset()["test"]["text"][:] == ["z"]
    assert file_server.count("GET") == 1


def test_the_format_and_the_compression_are_those_of_the_ending_before_the_query(file_server: FileServer) -> None:
    file_server.serve("/t.csv.gz", gzip.compress(TABLE), ETag='"1"')

    assert texts(f"{file_server.url}/t.csv.gz?download=1") == ["first", "second"]
    assert ("GET", "/t.csv.gz?download=1") in file_server.requests


def test_two_queries_are_two_files(file_server: FileServer) -> None:
    file_server.serve("/export", TABLE, ETag='"1"')

    assert texts(f"{file_server.url}/export?gid=0", format="csv") == ["first", "second"]
    file_server.serve("/export", OTHER, ETag='"1"')
    assert texts(f"{file_server.url}/export?gid=1", format="csv") == ["third"]


def test_a_compressed_file_stays_compressed_if_the_server_calls_it_encoded(file_server: FileServer) -> None:
    # P155: aiohttp would unpack it, so that its ending would be wrong.
    address = file_server.serve("/t.csv.gz", gzip.compress(TABLE), ETag='"1"', Content_Encoding="gzip")

    assert texts(address) == ["first", "second"]


def test_an_encoded_answer_is_decoded(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", gzip.compress(TABLE), ETag='"1"', Content_Encoding="gzip")

    assert texts(address) == ["first", "second"]


def test_a_redirect_is_followed(file_server: FileServer) -> None:
    file_server.serve("/t.csv", TABLE, ETag='"1"')
    address = file_server.serve("/old.csv", b"", Location="/t.csv")
    file_server.ways["/old.csv"] = 302

    assert texts(address) == ["first", "second"]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/t.csv"])
def test_a_redirect_to_a_local_file_is_not_followed(file_server: FileServer, target: str, cache: Path) -> None:
    address = file_server.serve("/old.csv", b"", Location=target)
    file_server.ways["/old.csv"] = 302

    with pytest.raises(DataError, match="redirects to an address that is not on the web"):
        texts(address)
    assert copies(cache) == []


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (404, "no such file on the server; check the address"),
        (401, r"the server refuses access \(401 Unauthorized\); credentials come from the environment"),
        (403, r"the server refuses access \(403 Forbidden\)"),
        (500, r"cannot be downloaded: the server fails \(500 Internal Server Error\); try again later"),
        (503, r"the server fails \(503 Service Unavailable\)"),
        ("silent", r"cannot be downloaded: the server sends nothing for 0\.5 s; check the address and the network"),
        ("stalls", r"cannot be downloaded: the server sends nothing for 0\.5 s"),
        ("ends", "cannot be downloaded: the download ended early; try again"),
    ],
)
def test_an_error_names_the_address_and_the_problem_and_nothing_is_cached(
    file_server: FileServer, cache: Path, way: int | str, message: str
) -> None:
    # P153: fsspec reports all of these as a file that does not exist.
    file_server.serve("/t.csv", TABLE, ETag='"1"')
    file_server.ways["/t.csv"] = way
    begin = time.monotonic()

    with pytest.raises(DataError, match=rf"^{file_server.url}/t\.csv: .*{message}") as caught:
        texts(f"{file_server.url}/t.csv?part=quiet")

    assert "quiet" not in str(caught.value)
    assert time.monotonic() - begin < 5
    assert copies(cache) == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        # P165: aiohttp reports an answer that it cannot read as the status 400 of the server.
        (
            {"Content_Encoding": "zstd"},
            r"the content cannot be decoded \(.*zstd.*\); the server must send",
        ),
        ({"Content_Encoding": "gzip"}, r"the content cannot be decoded \(gzip\); the server must send"),
        ({"Cookie": "secret" * 2000}, "the server's answer is not valid HTTP; check the address"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_an_error_of_the_server(
    file_server: FileServer, cache: Path, headers: dict[str, str], message: str
) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"', **headers)

    with pytest.raises(DataError, match=rf"^{file_server.url}/t\.csv: {message}") as caught:
        texts(address)

    assert "secret" not in str(caught.value)
    assert copies(cache) == []


def test_an_endless_redirect_is_named(file_server: FileServer) -> None:
    address = file_server.serve("/t.csv", b"", Location="/t.csv")
    file_server.ways["/t.csv"] = 302

    with pytest.raises(DataError, match=r"/t\.csv: the server redirects again and again; check the address"):
        texts(address)


def test_a_full_disk_is_not_a_problem_of_the_network(file_server: FileServer, cache: Path) -> None:
    address = file_server.serve("/t.csv", TABLE * 1000, ETag='"1"')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(DataError, match=r"/t\.csv: the copy cannot be saved, because the disk is full; free"):
            texts(address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert copies(cache) == []


def test_a_silent_server_is_reported_within_30_seconds() -> None:
    source = (ROOT / "datasets_builder" / "servers.py").read_text()

    assert "PATIENCE = 20.0" in source  # the tests replace it


def test_a_slow_download_that_goes_on_is_not_a_silent_server(
    file_server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PATIENCE", 0.4)
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    file_server.pause = 0.1  # seconds after each 5 bytes

    assert texts(address) == ["first", "second"]


def test_a_download_may_take_hours() -> None:
    # P154: aiohttp ends a download after 5 minutes, however fast it is.
    limits = servers.client_settings("http://h/t.csv").get("timeout", aiohttp.client.DEFAULT_TIMEOUT)

    assert limits.total is None


def test_an_unknown_host_and_a_closed_port_are_errors(cache: Path) -> None:
    with pytest.raises(
        DataError, match=r"^http://127\.0\.0\.1:9/t\.csv: cannot be downloaded: .*Cannot connect to host"
    ):
        texts("http://127.0.0.1:9/t.csv?a=1")
    with pytest.raises(DataError, match="check the address, the network and the proxy"):
        texts("http://no-such-host.invalid/t.csv")


def test_a_web_page_is_not_a_table(file_server: FileServer, cache: Path) -> None:
    with pytest.raises(DataError, match="is a web page, not a table; give the address of the file itself"):
        texts(file_server.serve("/t.csv", b"\n<!DOCTYPE html>\n<html>", ETag='"1"'))
    assert copies(cache) == []


def test_the_last_copy_is_used_only_offline(
    file_server: FileServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    texts(address)
    file_server.ways["/t.csv"] = "silent"
    with pytest.raises(DataError, match=r"to use the copy of 20\d\d-\d\d-\d\d \d\d:\d\d, set HF_HUB_OFFLINE=1"):
        texts(address)
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")

    assert texts(address) == ["first", "second"]
    assert "its copy of 20" in caplog.messages[-1]


def test_a_copy_in_a_read_only_cache_is_used(
    file_server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    texts(address)
    before = sorted(cache.rglob("*"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may write anywhere

    assert texts(address) == ["first", "second"]
    assert file_server.count("GET") == 1

    file_server.serve("/t.csv", OTHER, ETag='"2"')
    with pytest.raises(
        DataError, match=r"/t\.csv: its present version cannot be saved, because .* is not writable; set"
    ):
        texts(address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    file_server.ways["/t.csv"] = "silent"
    assert texts(address) == ["first", "second"]
    assert sorted(cache.rglob("*")) == before


def test_offline_the_newest_copy_is_used(file_server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, content in enumerate([TABLE, OTHER, TABLE]):  # the last one is found in the cache
        texts(file_server.serve("/t.csv", content, ETag=f'"{number % 2}"'))
        time.sleep(0.02)
    file_server.ways["/t.csv"] = "silent"
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")

    assert texts(f"{file_server.url}/t.csv") == ["first", "second"]


def test_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")

    with pytest.raises(DataError, match=r"HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set; its copy is not in the cache"):
        texts("hf://datasets/owner/name/t.csv")


def test_an_address_offline_is_asked_if_it_is_not_on_the_hub(
    file_server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")

    assert texts(file_server.serve("/t.csv", TABLE, ETag='"1"')) == ["first", "second"]


@pytest.mark.parametrize(("address", "package"), [("s3://b/t.csv", "s3fs"), ("gs://b/t.csv", "gcsfs")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, address: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]

    with pytest.raises(ImportError, match=f"^{package} is not installed; it comes with the extra 'remote'"):
        texts(address)


def test_messages_name_the_address_and_not_the_copy(file_server: FileServer, cache: Path) -> None:
    address = file_server.serve("/t.csv.gz", gzip.compress(b"text\na,b\n"), ETag='"1"')

    with pytest.raises(DataError, match=rf"^{address}, line 2: 2 cells") as caught:
        texts(address)
    assert str(cache) not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv.zst", b"no"),
        ("t.csv.gz", b"no"),
        ("t.csv.zip", b"no"),
        ("t.csv", b"a\xff\n"),
        ("t.csv", b"a\0\n"),
        ("t.json", b"["),
        ("t.jsonl", b"{"),
        ("t.parquet", b"no"),
        ("t.arrow", b"no"),
        ("t.xlsx", b"no"),
        ("t.sqlite", b"no" * 1000),
        ("t.doc", b"no"),
    ],
)
def test_the_error_of_each_format_names_the_address(
    file_server: FileServer, cache: Path, name: str, content: bytes
) -> None:
    address = file_server.serve(f"/{name}", content, ETag='"1"')

    with pytest.raises(DataError) as caught:
        texts(address)
    assert str(caught.value).startswith(f"{address}")
    assert str(cache) not in str(caught.value)


def test_labels_from_the_name_of_a_file_and_its_folder_are_those_of_the_address(file_server: FileServer) -> None:
    address = file_server.serve("/mails/from%20web.csv.gz", gzip.compress(b"text\nx\n"), ETag='"1"')
    builder = MultiTaskBuilder(
        tasks=[
            {"name": "channel", "problem_type": "single_label_classification", "labels": ["from web", "other"]},
            {"name": "kind", "problem_type": "single_label_classification", "labels": ["letters", "mails"]},
        ],
        train=[
            Source(
                address,
                labels={
                    "channel": LabelColumn(from_="file_name"),
                    "kind": LabelColumn(from_="folder_name"),
                },
            )
        ],
    )
    builder.download_and_prepare()

    assert builder.as_dataset()["train"][0] == {"text": "x", "channel": 0, "kind": 1}


def test_the_place_of_a_row_is_the_address_without_its_query(file_server: FileServer) -> None:
    file_server.serve("/t.csv", TABLE, ETag='"1"')
    builder = MultiTaskBuilder(
        tasks=[{"name": "topic", "problem_type": "single_label_classification"}],
        train=[Source(f"{file_server.url}/t.csv?part=quiet")],
        with_place=True,
    )
    builder.download_and_prepare()

    assert builder.as_dataset()["train"].features["table"].names == [f"{file_server.url}/t.csv"]


def test_the_short_names_of_addresses_are_their_last_parts_or_the_whole() -> None:
    assert short_names(["https://h/a/t.csv", "https://h/b/t.csv"]) == ["a/t.csv", "b/t.csv"]
    assert short_names(["https://h/t.csv", "http://h/t.csv"]) == ["https://h/t.csv", "http://h/t.csv"]


def test_two_addresses_with_the_same_rows_have_the_same_fingerprint(file_server: FileServer) -> None:
    hashes = set()
    for path, tag in (("/t.csv", "1"), ("/other/u.csv", "2")):
        address = file_server.serve(path, TABLE, ETag=f'"{tag}"')
        topic = {"name": "topic", "problem_type": "single_label_classification"}
        hashes.add(MultiTaskBuilder(tasks=[topic], train=[Source(address)]).hash)

    assert len(hashes) == 1


def test_names_of_labels_may_be_an_address(file_server: FileServer) -> None:
    names = file_server.serve("/labels.txt", b"world\nsport\n", ETag='"1"')
    topic = {"name": "topic", "problem_type": "single_label_classification"}
    builder = MultiTaskBuilder(tasks=[{**topic, "names": names}], train=[{"text": ["x", "y"], "topic": ["1", "0"]}])
    builder.download_and_prepare()

    assert builder.tasks[0].labels == ["world", "sport"]
    assert builder.as_dataset()["train"]["topic"][:] == [1, 0]
    with pytest.raises(DataError, match=rf"^names: {file_server.url}/none\.txt: no such file on the server"):
        MultiTaskBuilder(tasks=[{**topic, "names": f"{file_server.url}/none.txt"}], train=[{"text": ["x"]}])


def test_a_file_in_memory_is_read_again_when_it_changes(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/d/t.csv", TABLE)
    first = texts("memory://d/t.csv")
    time.sleep(0.001)
    memory.pipe("/d/t.csv", OTHER)

    assert (first, texts("memory://d/t.csv")) == (["first", "second"], ["third"])


def test_a_file_system_remembers_nothing_of_earlier_questions() -> None:
    # P156: fsspec gives the same instance, with its memory, to each caller in a thread.
    assert servers._file_system("memory://d/t.csv") is not servers._file_system("memory://d/t.csv")


def test_a_folder_is_all_its_tables_in_the_order_of_their_names(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe(
        {"/d/b.csv": OTHER, "/d/a.csv": TABLE, "/d/notes.txt": b"no", "/d/.hidden.csv": b"no", "/d/e/c.csv": b""}
    )

    assert texts("memory://d/") == ["first", "second", "third"]
    assert [table.name for table in open_tables(Source("memory://d"))] == ["memory://d/a.csv", "memory://d/b.csv"]
    assert files_in("memory://d/a.csv") is None


def test_the_tables_of_a_folder_must_have_one_format_and_occur_once(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe({"/d/a.csv": TABLE, "/d/a.csv.gz": gzip.compress(TABLE), "/e/a.csv": TABLE, "/e/b.tsv": TABLE})
    memory.pipe({"/f/a.png": b""})

    with pytest.raises(DataError, match=r"^memory://d: contains a\.csv and the same file compressed"):
        open_tables(Source("memory://d"))
    with pytest.raises(DataError, match=r"^memory://e: the folder contains tables in several formats"):
        open_tables(Source("memory://e"))
    with pytest.raises(DataError, match=r"^memory://f: the folder contains no table"):
        open_tables(Source("memory://f"))


def test_a_file_that_arrives_shorter_than_announced_is_not_cached(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    memory.pipe("/d/t.csv", TABLE)
    info = type(memory).info
    monkeypatch.setattr(type(memory), "info", lambda self, path, **words: {**info(self, path), "size": 99})

    with pytest.raises(DataError, match=r"the download ended after 28 of 99 bytes; try again"):
        local_copy("memory://d/t.csv")
    assert copies(cache) == []


@pytest.mark.parametrize("name", ["..%2F..%2Fpasswd.csv", "%2e%2e", "a%00b.csv", "a\\..\\b.csv", f"{'n' * 300}.csv"])
def test_no_part_of_an_address_is_a_part_of_the_path_of_the_copy(
    file_server: FileServer, cache: Path, name: str
) -> None:
    address = file_server.serve(f"/{name}", TABLE, ETag='"1"')
    file_server.files = dict.fromkeys(("/", "/..", *file_server.files, f"/{name}".replace("\\", "%5C")), TABLE)

    try:
        copy = Path(os.fspath(local_copy(address)))
    except DataError:  # the server does not know the name as the client writes it
        assert copies(cache) == []
        return
    assert copy.resolve().is_relative_to(cache.resolve())
    assert copy.name in ("data", "data.csv")


def test_two_threads_and_two_processes_may_read_one_address_at_once(file_server: FileServer, cache: Path) -> None:
    content = b"text,topic\n" + b"x,a\n" * 500_000
    address = file_server.serve("/t.csv", content, ETag='"1"')
    code = (
        "import hashlib, os, sys; from huggingface_hub import constants; constants.HF_HOME = sys.argv[2]; "
        "from datasets_builder.remote import local_copy; "
        "print(hashlib.sha256(local_copy(sys.argv[1]).read_bytes()).hexdigest())"
    )
    words = [sys.executable, "-c", code, address, str(cache.parent)]
    processes = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    threads = [threading.Thread(target=local_copy, args=[address]) for _ in range(2)]
    for thread in threads:
        thread.start()
    digests = {process.communicate(timeout=100)[0].strip() for process in processes}
    for thread in threads:
        thread.join()

    assert digests == {hashlib.sha256(content).hexdigest()}
    assert file_server.count("GET") == 1
    assert len(copies(cache)) == 1


def test_what_a_killed_process_left_is_removed(file_server: FileServer, cache: Path) -> None:
    address = file_server.serve("/t.csv", TABLE, ETag='"1"')
    left = os.path.join(os.path.dirname(os.path.dirname(os.fspath(local_copy(address)))), "x.partial")  # noqa: PTH118, PTH120
    Path(left).mkdir()
    (Path(left) / "data.csv").write_text("half")
    file_server.serve("/t.csv", OTHER, ETag='"2"')

    assert texts(address) == ["third"]
    assert not Path(left).exists()


def test_a_copy_is_opened_like_a_path_and_named_like_its_address(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(TABLE)
    copy = LocalCopy.of("https://h/t.csv?a=1", tmp_path / "data.csv")

    assert (copy.read_bytes(), os.fspath(copy)) == (TABLE, str(tmp_path / "data.csv"))
    assert (str(copy), f"{copy}", copy.suffix) == ("https://h/t.csv", "https://h/t.csv", ".csv")
    assert str(copy.parent) == str(tmp_path)
    assert str(pickle.loads(pickle.dumps(copy))) == "https://h/t.csv"
