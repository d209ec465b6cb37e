"""What a Space runs: `python app.py`, in a folder that holds these files side by side and a settings.json.

The settings say which model is loaded from the Hub, and which revision of it; its own code is run.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from transformers import Pipeline, pipeline

HERE = Path(__file__).parent

if not __package__:  # run as a script: its folder is made the package that the imports below are relative to
    package = ModuleType("multitask_demo")
    package.__path__ = [str(HERE)]
    sys.modules["multitask_demo"] = package
    __package__, __spec__ = "multitask_demo", ModuleSpec("multitask_demo.app", None)

from .interface import About, build_demo, launch  # noqa: E402


def load_demo(about: About) -> Pipeline:
    """The pipeline of the model, its weights and its code of one revision."""
    return pipeline(
        "multitask-classification",
        model=about.model_id,
        revision=about.revision,
        code_revision=about.revision,
        trust_remote_code=True,
    )


def main() -> None:
    """Loads and serves."""
    about = About(**json.loads((HERE / "settings.json").read_text(encoding="utf-8")))
    launch(build_demo(load_demo(about), about))


if __name__ == "__main__":
    main()
