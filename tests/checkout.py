"""A copy of the checkout without the files that git ignores."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ANYWHERE = shutil.ignore_patterns(".git", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", ".venv")
_AT_THE_ROOT = {"build", "dist", "runs"}


def copy_checkout(target: Path) -> Path:
    """Copy the checkout to a folder that does not exist yet."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        at_the_root = _AT_THE_ROOT & set(names) if Path(folder) == ROOT else set()
        return _ANYWHERE(folder, names) | at_the_root

    return Path(shutil.copytree(ROOT, target, ignore=ignored))
