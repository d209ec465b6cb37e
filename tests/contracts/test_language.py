"""The English of pages, docstrings and messages: no words that a reader has to decipher."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

# Words and phrases of an earlier style, and what says the same plainly.
FORBIDDEN = {
    r"\bbeside\b(?! \|)": "next to, with, in addition to",
    r"\banew\b": "again, rebuilt",
    r"\bnobody\b": "no one, no row, unknown",
    r"\b(?:is|are|was) to be had\b": "is available",
    r"\bhad no say\b": "was not used for",
    r"\b(?:rests|rested)\b": "is skipped, is frozen",
    r"\bwanted\b": "requested; a benchmark states what was measured",
    r"\b(?:stand|stands|stood|lies)\b(?! for)": "is in, is",
    r"\"\"\"(?:What|That) ": "(no sentence with What or That as its subject)",
    r"\bwhat leaves (?:them|it)\b": "its output",
    r"\bOne of several labels, yes or no\b": "single-label, binary",
    r"\b[Oo]ut come\b": "(no inverted order)",
    r"\b[Tt]here is nobody\b": "no",
    r"\bwhat it (?:says|is beside)\b": "its own ..., the baseline",
    r"\bEverything that can be wrong\b": "All errors",
    r"\bgoes? (?:along|on from)\b": "is included, resumes",
    r"\btimes as fast\b(?= \|)": "Speed-up",
    r"\bno difference can be told\b": "the difference is not significant",
    r"\bnor a model that the Hub gives\b": "not found on the Hub",
    r"\blooked at\b": "checked, read",
    r"\bmend\b": "fix",
}
NOT_OURS = (
    "LICENSE",
    "tests/snapshots/",
    "tests/version_0_1/",
    "tests/contracts/test_language.py",
    "configuration/recipes/data/",
)
TEXTS = (".py", ".md", ".yaml", ".cfg", ".toml", ".jinja", ".css", "run", "newest")


def files() -> list[str]:
    """The text files of the repository that people read."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split() or [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()]
    return [name for name in names if name.endswith(TEXTS) and not name.startswith(NOT_OURS)]


@pytest.mark.parametrize("phrase", FORBIDDEN)
def test_no_sentence_of_the_old_kind_remains(phrase: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in files()
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(phrase, line)
    ]

    assert found == [], f"write instead: {FORBIDDEN[phrase]}"
