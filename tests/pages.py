"""The pages of the documentation, run as a reader would run them.

The blocks of a page run from top to bottom in one folder. A comment above a block says how:

- `<!-- file: tickets.csv -->`: the block is the content of this file. Its encoding may follow. If it is a workbook or a
  database, the name of the sheet or table follows, and the block has its cells.
- `<!-- continued -->`: the Python block needs the names of the Python block before it.
- `<!-- not run: REASON -->`: nothing happens.

`bash` and `python` blocks run. A `text` block right after one of them is its output: each of its lines must occur in
the real output, in this order, whatever the numbers are; a line `...` skips some. A `yaml` block that is no file is a
part of a recipe, and must be valid.
"""

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from modeling_multitask.recipes.loading import load_recipe
from tests.conftest import MINILM, ROOT
from tests.forks import run_forked
from tests.launched import finish
from tests.own_lines import foreign_lines
from tests.workbooks import write_workbook

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts
)
QUIET = ("README.md",)  # pages on which only our own lines may be printed
_BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^\n]*?) -->\n+)?```(?P<language>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
RECIPE = f"""
backbone: {MINILM}
tasks:
  - {{name: domain, problem_type: single_label_classification}}
  - {{name: sentiment, problem_type: binary_classification}}
data: {{train: reviews.csv, split: {{validation: 0.1, test: 0.1}}}}
"""


class Block(NamedTuple):
    """A fenced block of a page: its language, its text, and the comment above it."""

    language: str
    text: str
    mark: str

    @property
    def runs(self) -> bool:
        """Whether it is a program."""
        return self.language in ("bash", "python") and not self.mark.startswith(("not run: ", "file: "))


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, which is named from the root of the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(each["language"], each["text"], each["mark"] or "") for each in _BLOCK.finditer(text)]


def run_page(page: str, folder: Path) -> None:
    """Runs the blocks of a page in a folder that has the checkout's `configuration` and `scripts`.

    Raises:
        AssertionError: A block fails, a line of its output does not occur, or a library prints to a page of `QUIET`.
    """
    for name in ("configuration", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    output, program = "", ""
    for block in blocks_of(page):
        if block.mark.startswith("file: "):
            _write_file(folder, block)
        elif block.runs and block.language == "python":
            program = f"{program}\n{block.text}" if block.mark == "continued" else block.text
            output, said = _run_python(program, folder)
            assert page not in QUIET or not (foreign := foreign_lines(said, of_program=True)), foreign
        elif block.runs:
            output = "".join(_run_line(line, folder) for line in _lines(block.text))
            assert page not in QUIET or not (foreign := foreign_lines(output)), foreign
        elif block.language == "text" and not block.mark:
            assert not (missing := missing_lines(block.text, output)), f"{missing[0]!r} is not in:\n{output[-6000:]}"


def _write_file(folder: Path, block: Block) -> None:
    name, _, how = block.mark.removeprefix("file: ").partition(" ")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        write_workbook(path, **{how: [line.split(",") for line in block.text.splitlines()]})
    elif path.suffix == ".sqlite":
        heading, *rows = [line.split(",") for line in block.text.splitlines()]
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE {how} ({', '.join(heading)})")
            database.executemany(f"INSERT INTO {how} VALUES ({', '.join('?' * len(heading))})", rows)
    else:
        path.write_text(block.text, encoding=how or "utf-8")


def missing_lines(shown: str, output: str) -> list[str]:
    """The lines shown that do not occur in the output in their order, whatever the numbers are."""
    rest = iter([_plain(line) for line in output.splitlines()])
    lines = [line for line in shown.splitlines() if _plain(line) not in ("", "...")]
    return [line for line in lines if not any(_plain(line) in each for each in rest)]


def recipe_with(block: Block) -> dict[str, Any]:
    """The content of a whole recipe that has the words of a part of one."""
    yaml = YAML(typ="safe", pure=True)
    part = yaml.load(block.text)
    content: dict[str, Any] = yaml.load(RECIPE) | part
    if "start_from" in part:
        content.pop("backbone")
    return content


def check_recipe_part(block: Block, folder: Path) -> None:
    """Reads a part of a recipe as part of a whole one.

    Raises:
        RecipeError: It has words or values that no recipe may have.
    """
    with (folder / "recipe.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(recipe_with(block), file)
    load_recipe(folder / "recipe.yaml")


def _plain(line: str) -> str:
    """A line without its numbers, its borders and its spacing."""
    return _NUMBER.sub("0", " ".join(re.sub(r"[│┃|━─┏┓┗┛┡┩╇┳┻┴└┘├┤┼╋╈]", " ", line).split()))


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def _run_python(program: str, folder: Path) -> tuple[str, str]:
    exit_codes, stdout, stderr = run_forked(program, ["-c"], folder=folder, paths=[str(folder), str(ROOT)])
    assert exit_codes == [0], f"{program}\n{stderr[-4000:]}"
    return stdout, stderr


def _run_line(line: str, folder: Path) -> str:
    """Runs a line of a shell; our own command in a forked process, which starts fast."""
    if line.startswith("multitask ") and not re.search(r"[|>&$*]", line):
        words = shlex.split(line, comments=True)[1:]
        words += ["probe=false"] if words[0] == "train" else []  # each takes ten seconds, and CI runs the quickstart's
        return finish("-m", "modeling_multitask", *words, folder=folder, COLUMNS="100")
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
