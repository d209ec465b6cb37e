"""Write the table of the licences of all dependencies, as their own metadata states them.

python docs/licences.py > docs/reference/licences.md
"""

import sys
from importlib.metadata import PackageNotFoundError, metadata, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "modeling-multitask"
EXTRAS = ("balancing", "balancing-gpl", "demo", "errors", "onnx", "openvino", "plots", "remote", "tables")
HEAD = """# Licences

This package is under the Apache License 2.0. The table lists every package that `pip` installs with it, and the licence
that the package's own metadata states. "Installed with" is the core or the first extra that needs the package.

The extra `balancing-gpl`, for the balancing methods `upgrad` and `nash_mtl`, installs ecos and quadprog, which are
under the GNU General Public License. No other extra does.

| Package | Licence | Installed with |
|---|---|---|"""


def main() -> None:
    """Print the page."""
    found: dict[str, str] = {}
    for extra in ("", *EXTRAS):
        for name in sorted(installed_with(OURS, extra) - set(found) - {OURS}):
            found[name] = extra or "core"
    lines = [HEAD, *(f"| {name} | {licence_of(name)} | {found[name]} |" for name in sorted(found))]
    sys.stdout.write("\n".join(lines) + "\n")


def installed_with(package: str, extra: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Return a package and all that it needs on this platform, by their canonical names."""
    name = canonicalize_name(package)
    key = f"{name}[{extra}]"
    if key in seen:
        return set()
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return set()
    needed = {name}
    for each in map(Requirement, lines):
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            for one in each.extras or {""}:
                needed |= installed_with(each.name, one, seen | {key})
    return needed


def licence_of(package: str) -> str:
    """Return the licence of a package in a few words."""
    found = metadata(package)
    if expression := found.get("License-Expression"):
        return expression
    classified = [line.split(" :: ")[-1] for line in found.get_all("Classifier") or [] if line.startswith("License ::")]
    words = (found.get("License") or "").strip().splitlines()
    named = [each for each in classified if each != "OSI Approved"] or words[:1]
    return ", ".join(named)[:80] or "see its files"


if __name__ == "__main__":
    main()
