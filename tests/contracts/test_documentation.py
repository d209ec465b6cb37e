"""Every block of the documentation runs, or says why not; every output shown is real."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import needs_minilm
from tests.pages import PAGES, Block, blocks_of, check_recipe_part, missing_lines, run_page

RUNNING = [page for page in PAGES if any(block.runs for block in blocks_of(page))]
# The first pages that people try, and those with all words about tables, run in CI, the others by hand.
IN_CI = ("README.md", "docs/tutorials/first_model.md", "docs/how_to/label_files.md", "docs/explanation/cells.md")
PARTS = [
    pytest.param(block, id=f"{page} {i}")
    for page in PAGES
    for i, block in enumerate(blocks_of(page))
    if block.language == "yaml" and not block.mark
]


@pytest.mark.parametrize("page", PAGES)
def test_a_block_that_does_not_run_says_why(page: str) -> None:
    blocks = blocks_of(page)

    assert [block.mark for block in blocks if block.mark.startswith("not run") and not block.mark[9:].strip()] == []
    assert [block.text for block in blocks if not block.language] == [], "a block without a language"


@needs_minilm
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow if page in IN_CI else pytest.mark.long) for page in RUNNING]
)
def test_a_page_runs_and_shows_real_output(page: str, quickstart: Path, tmp_path: Path) -> None:
    shutil.copytree(quickstart, tmp_path / "runs" / "quickstart")

    run_page(page, tmp_path)


@pytest.mark.parametrize("block", PARTS)
def test_a_part_of_a_recipe_is_valid(block: Block, tmp_path: Path) -> None:
    check_recipe_part(block, tmp_path)


def test_shown_output_that_is_not_real_is_noticed() -> None:
    real = "epoch 1: loss 0.52\n│ topic │ 0.91 │\nThe model is in runs/x"

    assert missing_lines("epoch 1: loss 0.4\n...\nThe model is in runs/x\n", real) == []
    assert missing_lines("The model is in runs/x\nepoch 1: loss 0.4\n", real) == ["epoch 1: loss 0.4"]
    assert missing_lines("accuracy 0.9", real) == ["accuracy 0.9"]
