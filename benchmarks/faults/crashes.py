"""The crash matrix: commands killed by SIGKILL at random moments, then continued or started again.

python -m benchmarks.faults.crashes --kills 20 --folder /tmp/crashes

Each command is killed one to three times and then run to its end. Its result must be that of a run without a kill. The
figures are in `benchmarks/results/crashes.json`. A run that is stopped continues where it stopped.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.ways import WAYS, Way, threads, write_inputs, write_pushed
from tests.hub_server import HubServer
from tests.launched import kill_all

RESULTS = Path(__file__).parents[1] / "results" / "crashes.json"
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Kill each command until it has the number of kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--folder", type=Path, required=True, help="a folder for the runs")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in arguments.only:
        row = found.setdefault(name, {"kills": 0, "ends": 0, "equal": 0, "problems": []})
        if row["kills"] >= arguments.kills:
            continue
        whole, seconds = undisturbed(name, arguments.folder)
        while row["kills"] < arguments.kills:
            with HubServer() as hub:
                chain(name, arguments.folder, whole, seconds, row, hub)
            RESULTS.write_text(json.dumps(found, indent=2) + "\n")
        print(f"{name}: {row['kills']} kills, {row['equal']} of {row['ends']} ends equal", flush=True)


def undisturbed(name: str, folder: Path) -> tuple[Any, float]:
    """Return the result of a run without a kill, and its seconds."""
    way, place = WAYS[name], folder / name.replace(" ", "_") / "whole"
    shutil.rmtree(place.parent, ignore_errors=True)
    write_inputs(place, way.recipe)
    with HubServer() as hub:
        if way.model:
            run(WAYS["training"], place, hub, again=False)
        started = time.monotonic()
        code, said = run(way, place, hub, again=False)
        seconds = time.monotonic() - started
        if code != 0:
            raise SystemExit(f"{name} fails without a kill:\n{said}")
        return result(way, place, hub), seconds


def chain(name: str, folder: Path, whole: Any, seconds: float, row: dict[str, Any], hub: HubServer) -> None:
    """Kill a command one to three times, let it end, and note whether the result is that of a run without a kill."""
    way, draw = WAYS[name], random.Random(f"{name} {row['kills']}")
    before, place = folder / name.replace(" ", "_") / "whole", folder / name.replace(" ", "_") / "killed"
    shutil.rmtree(place, ignore_errors=True)
    inputs = shutil.ignore_patterns("look", "answers.csv*", "report", "onnx", *([] if way.model else ["out"]))
    shutil.copytree(before, place, ignore=inputs)
    again = False
    for _ in range(draw.randint(1, 3)):
        ended = run(way, place, hub, again=again, kill_after=draw.uniform(0.1, 0.8) * seconds)
        if ended[0] != -signal.SIGKILL:
            break
        row["kills"] += 1
        again = True
    else:
        ended = run(way, place, hub, again=again)
    row["ends"] += 1
    # A command may be killed after it has written its output, and then refuses to overwrite it.
    is_done = ended[0] == 0 or "already" in ended[1]
    if is_done and result(way, place, hub) == whole and not list(place.rglob(".*.partial")):
        row["equal"] += 1
    else:
        row["problems"].append(ended[1][-600:] or "another result")


def result(way: Way, place: Path, hub: HubServer) -> Any:
    """Return the result of a command as plain values."""
    if way.repositories:
        write_pushed(hub, way, place)
    return way.result(place)


def run(way: Way, place: Path, hub: HubServer, *, again: bool, kill_after: float | None = None) -> tuple[int, str]:
    """Run a command in a folder, and return its exit code and output. Kill all its processes after some seconds."""
    environment = {**hub.environment(place / "hf"), **threads(), "PYTHONPATH": str(ROOT)}
    if not way.repositories:
        environment["HF_HUB_OFFLINE"] = "1"
    process = subprocess.Popen(
        way.command(again=again),
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        kill_all(process)
        said = ""
    return process.returncode, said


if __name__ == "__main__":
    main()
