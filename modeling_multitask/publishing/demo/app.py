"""The app of a Space. Run `python app.py` in a folder that contains these files and a `settings.json`.

The settings name the model on the Hub and its revision. The app runs the code of that model's repository.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from transformers import Pipeline, pipeline

HERE = Path(__file__).parent

if not __package__:  # run as a script: make its folder the package for the relative imports below
    package = ModuleType("multitask_demo")
    package.__path__ = [str(HERE)]
    sys.modules["multitask_demo"] = package
    __package__, __spec__ = "multitask_demo", ModuleSpec("multitask_demo.app", None)

from .interface import About, build_demo, launch  # noqa: E402


def load_demo(about: About) -> Pipeline:
    """Load the pipeline of the model, with weights and code from the same revision."""
    return pipeline(
        "multitask-classification",
        model=about.model_id,
        revision=about.revision,
        code_revision=about.revision,
        trust_remote_code=True,
    )


def main() -> None:
    """Load the model and serve the demo."""
    about = About(**json.loads((HERE / "settings.json").read_text(encoding="utf-8")))
    launch(build_demo(load_demo(about), about))


if __name__ == "__main__":
    main()
