"""The commands that the crash matrix kills, each with its inputs and what its result is."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tests.conftest import WORDS, save_backbone
from tests.hub_server import HubServer
from tests.integration.test_interrupted_push import without_commits
from tests.integration.test_killed_runs import ADAPTERS, BEHIND_FROZEN, PHASES, RECIPE

PUSHED = "pushed.json"  # the hashes of the files on the local Hub
PLAIN = "learning_rates: {heads: 1e-3, backbone: 1e-4}\n"
_OF_TIME = ("seconds", "cpu_seconds", "date", "resumed", "memory", "energy", "kilowatt_hours")


@dataclass(frozen=True)
class Way:
    """A command of the matrix.

    Args:
        words: The arguments of `python`, in the folder of the inputs.
        result: Returns the result in a folder as plain values, which two folders must share.
        recipe: The lines of the recipe on training.
        again: Arguments that are added after the first kill.
        processes: The number of processes, started by torchrun.
        model: Whether a trained model is among the inputs.
        repositories: Name and type of each repository of a local Hub whose files are the result.
    """

    words: list[str]
    result: Callable[[Path], Any]
    recipe: str = PLAIN
    again: list[str] = field(default_factory=list)
    processes: int = 1
    model: bool = False
    repositories: tuple[tuple[str, str], ...] = ()

    def command(self, *, again: bool) -> list[str]:
        """Return the whole command."""
        launch = ["-m", "torch.distributed.run", f"--nproc_per_node={self.processes}"] if self.processes > 1 else []
        return [sys.executable, *launch, "-m", "modeling_multitask", *self.words, *(self.again if again else [])]


def write_inputs(folder: Path, recipe: str) -> None:
    """Write a recipe, its backbone and its rows."""
    folder.mkdir(parents=True)
    (folder / "backbone").mkdir()
    save_backbone(folder / "backbone")
    rows = [
        f"the {word} was {'good' if i % 2 else 'not bad'} and {WORDS[i % len(WORDS)]},{word if i % 3 else ''},"
        f"{'' if i % 5 == 1 else ['no', 'yes'][i % 2]}"
        for i in range(60)
        for word in ("film", "phone", "soup")
    ]
    (folder / "train.csv").write_text("\n".join(["text,topic,liked", *rows]) + "\n")
    (folder / "many.csv").write_text("\n".join(["text", *(row.split(",")[0] for row in rows * 300)]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone="backbone") + recipe)


def weights(folder: Path) -> Any:
    """Return the hash of the trained weights, and the results."""
    tensors = load_file(folder / "out" / "model" / "model.safetensors")
    digest = hashlib.sha256(b"".join(tensors[name].float().numpy().tobytes() for name in sorted(tensors)))
    return digest.hexdigest(), json.loads((folder / "out" / "results.json").read_text())


def rounded_weights(folder: Path) -> Any:
    """Return sums of the weights to 4 digits: of two processes and a cache, the last digits depend on the batches."""
    tensors = load_file(folder / "out" / "model" / "model.safetensors")
    return {name: round(float(tensors[name].double().abs().mean()), 4) for name in sorted(tensors)}


def texts_of(*names: str) -> Callable[[Path], Any]:
    """Return a function that returns the content of files."""
    return lambda folder: {name: (folder / name).read_text() for name in names}


def without_times(name: str) -> Callable[[Path], Any]:
    """Return a function that returns a JSON file without its times."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(each) for key, each in value.items() if key not in _OF_TIME and "second" not in key}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return lambda folder: strip(json.loads((folder / name).read_text()))


def graph(folder: Path) -> Any:
    """Return the files of an export and the hash of its graph."""
    names = sorted(path.name for path in (folder / "onnx").iterdir())
    return names, hashlib.sha256((folder / "onnx" / "model.onnx").read_bytes()).hexdigest()


_TRAIN = ["train", "recipe.yaml"]
_RESUME = ["resume=true"]
_MODEL = "out/model"

WAYS = {
    "data": Way(["data", "recipe.yaml", "--output", "look"], texts_of("look/data.txt", "look/data.json")),
    "training": Way(_TRAIN, weights, again=_RESUME),
    "training with phases": Way(_TRAIN, weights, PHASES, _RESUME),
    "training with LoRA": Way(_TRAIN, weights, PHASES + ADAPTERS, _RESUME),
    "training from a cache": Way(_TRAIN, rounded_weights, BEHIND_FROZEN, _RESUME),
    "training with two processes": Way(_TRAIN, rounded_weights, PLAIN, _RESUME, processes=2),
    "predict": Way(["predict", _MODEL, "many.csv", "answers.csv"], texts_of("answers.csv"), model=True),
    "report": Way(
        ["report", _MODEL, "train.csv", "--output", "report"],
        texts_of("report/report.json", "report/report.md"),
        model=True,
    ),
    "export": Way(["export", _MODEL, "onnx"], graph, model=True),
    "study": Way(
        ["study", "recipe.yaml", "--seeds", "0", "--only", "backbone_frozen", "everything", "--jobs", "1"],
        without_times("out/study.json"),
    ),
    "push": Way(
        ["push", _MODEL, "tester/model", "--license", "mit", "--space", "tester/demo", "--yes"],
        texts_of(PUSHED),
        model=True,
        repositories=(("tester/model", "model"), ("tester/demo", "space")),
    ),
}


def write_pushed(hub: HubServer, way: Way, place: Path) -> None:
    """Write the hashes of the files on the Hub, without the commits that the files name."""
    files = {each: without_commits(hub.files(*each)) for each in way.repositories}
    hashes = {
        " ".join(each): {name: hashlib.sha256(content).hexdigest() for name, content in sorted(found.items())}
        for each, found in files.items()
    }
    (place / PUSHED).write_text(json.dumps(hashes, indent=1))


def threads() -> dict[str, str]:
    """Return the environment of each command: one thread, so that sums have one order."""
    return {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}
