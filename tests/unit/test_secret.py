"""Tokens and passwords are recognised, and ordinary words are not."""

import pytest

from modeling_multitask.secret import find_secret, without_secrets

TOKEN = "hf_" + "Ab1" * 11


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1_" * 20,
        "sk-proj-" + "a1" * 20,
        "xoxb-" + "1234567890-" * 3,
        "AKIA" + "Q" * 16,
        "-----BEGIN RSA PRIVATE KEY-----",
        "https://ann:pass@example.org/table.csv",
    ],
)
def test_a_secret_is_found_in_a_text(secret: str) -> None:
    found = find_secret(f"path: {secret} # mine")

    assert found is not None
    assert found.endswith("...")
    assert secret not in without_secrets(f"path: {secret}")


@pytest.mark.parametrize(
    "text",
    [
        "multi-task-learning-with-a-very-long-name-of-a-branch",
        "hf_hub",
        "https://example.org:8000/@ann",
        "task: sk-1",
        "",
    ],
)
def test_an_ordinary_text_has_no_secret(text: str) -> None:
    assert find_secret(text) is None
    assert without_secrets(text) == text
