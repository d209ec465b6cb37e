"""Tokens, keys and passwords, which must never be written, logged or pushed."""

import re

# Not inside a longer word: `multi-task-...` contains `sk-`.
_SECRET = re.compile(
    r"(?<![\w-])(?:hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|sk-[A-Za-z0-9_-]{30,}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,}|AKIA[0-9A-Z]{16})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)"  # the password of an address
)
_SHOWN = 6  # characters of a secret in a message


def find_secret(text: str) -> str | None:
    """Return the start of the first secret in a text, such as `hf_AbC...`, or `None` if there is none.

    Known are tokens of Hugging Face, GitHub, OpenAI and Slack, key ids of AWS, private keys, and passwords in
    addresses.
    """
    found = _SECRET.search(text)
    return found and f"{found[0][:_SHOWN]}..."


def without_secrets(text: str) -> str:
    """Return a text in which only the start of each secret is left."""
    return _SECRET.sub(lambda found: f"{found[0][:_SHOWN]}...", text)
