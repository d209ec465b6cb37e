"""Addresses of files on servers: what is one, how it is named in messages, and what it must not contain."""

import pytest

from datasets_builder import DataError, Source
from datasets_builder.addresses import check_address, is_address, path_within, shown_path, with_shown_paths
from datasets_builder.source import is_on_hub

SECRET = "https://example.org/t.csv?X-Amz-Signature=abc"


@pytest.mark.parametrize("path", ["s3://b/t.csv", "HTTPS://h/t.csv", "hf://datasets/o/n/t.csv", "a::s3://b/t.csv"])
def test_a_path_with_a_protocol_is_an_address(path: str) -> None:
    assert is_address(path)
    assert not is_on_hub(Source("s3://b/t.csv"))


@pytest.mark.parametrize(
    "path", ["C:\\data\\t.csv", "C://data/t.csv", "owner/name", "/data/t.csv", "./a:b.csv", "t.csv"]
)
def test_a_drive_a_local_path_and_an_id_on_the_hub_are_no_addresses(path: str) -> None:
    assert not is_address(path)
    assert shown_path(path) == path


def test_a_shown_address_has_no_user_no_query_and_no_fragment() -> None:
    assert shown_path("https://me:pw@example.org:80/a/t.csv?token=x#y") == "https://example.org:80/a/t.csv"
    assert shown_path("hf://datasets/o/n@main/t.csv") == "hf://datasets/o/n@main/t.csv"


def test_addresses_in_the_message_of_a_library_are_shown_in_the_same_way() -> None:
    given = "404, url='https://me:pw@h/t.csv?sig=x' or \"s3://k:s@b/t.csv\""

    assert with_shown_paths(given) == "404, url='https://h/t.csv' or \"s3://b/t.csv\""


def test_only_the_path_of_a_web_address_is_decoded() -> None:
    assert path_within("https://h/a%20b/c%2Fd.csv?x=1").parts == ("h", "a b", "c", "d.csv")
    assert path_within("s3://b/a%20b.csv").parts == ("b", "a%20b.csv")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "ftp://h/t.csv",
            "ftp://h/t.csv: files are not read through ftp://; an address must begin with one of s3://, ",
        ),
        ("file:///t.csv", "a local file has no protocol"),
        ("gcs://b/t.csv", "gcs://; did you mean 'gs'|gcs://; an address must begin"),
        ("simplecache::https://h/t.csv", "files are not read through simplecache::https://"),
        ("https://h", "https://h: names no file; write https://.../reviews.csv"),
        ("s3:///t.csv", "names no file"),
        ("https://[::1/t.csv", "not a valid address"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_address(address)


@pytest.mark.parametrize(
    ("address", "what", "secret"),
    [
        ("https://me:pass9@h/t.csv", "its user name or password", "pass9"),
        ("s3://AKIA:pass9@bucket/t.csv", "its user name or password", "pass9"),
        ("https://h/t.csv?a=1&access_token=pass9", "the word 'access_token' of its query", "pass9"),
        ("https://h/t.csv?sig=pass9", "the word 'sig' of its query", "pass9"),
        ("https://h/t.csv?X-Goog-Signature=pass9", "the word 'X-Goog-Signature' of its query", "pass9"),
        ("https://h/t.csv?apiKey=pass9", "the word 'apiKey' of its query", "pass9"),
        (f"https://h/t.csv?a=hf_{'a' * 34}", "a token", "aaaa"),
    ],
)
def test_credentials_in_an_address_are_refused_without_repeating_them(address: str, what: str, secret: str) -> None:
    with pytest.raises(DataError, match="must not contain credentials") as caught:
        check_address(address)

    assert f"({what})" in str(caught.value)
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("query", ["download=1", "format=csv&gid=0", "author=me", "tokenized=1", "monkey=1"])
def test_other_words_of_a_query_are_allowed(query: str) -> None:
    check_address(f"https://h/t.csv?{query}")


def test_a_source_with_credentials_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match=r"^https://example\.org/t\.csv: the address must not contain credentials"):
        Source(SECRET)


def test_a_source_is_named_by_its_address_without_the_query() -> None:
    assert Source("https://h/t.csv?download=1").name == "https://h/t.csv"
