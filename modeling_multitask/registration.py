"""Registration with transformers' Auto classes, deferred until they are imported.

Importing transformers and torch takes seconds, and `multitask --help` needs neither. So nothing is imported here. When
a program imports an Auto class or `pipeline`, our class is imported after it and registered.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Modules of transformers, and our module for each.
_COUNTERPARTS = {
    "transformers.models.auto.configuration_auto": f"{__package__}.configuration_multitask",
    "transformers.models.auto.modeling_auto": f"{__package__}.modeling_multitask",
    "transformers.pipelines": f"{__package__}.pipeline_multitask",
}


def register_when_imported() -> None:
    """Register with each Auto class when it is imported, or now if it already is."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    for name in [name for name in _COUNTERPARTS if name in sys.modules]:
        finder.imported(name)


class _Finder(MetaPathFinder):
    """An import finder that notes when the modules of `_COUNTERPARTS`, theirs and ours, are imported."""

    def __init__(self) -> None:
        self._watched = {name for pair in _COUNTERPARTS.items() for name in pair}
        self._registered: set[str] = set()
        self._ours_in_progress = 0

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._watched:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = self._then_noted(fullname, loader.exec_module)
        return spec

    def imported(self, name: str) -> None:
        """Import our module for each imported module of transformers in `_COUNTERPARTS`, and register it.

        Nothing happens while a module of ours is still being imported, because another of our modules could import it.
        """
        self._watched.discard(name)
        if self._ours_in_progress:
            return
        for theirs, ours in _COUNTERPARTS.items():
            if theirs not in self._watched and ours not in sys.modules:
                importlib.import_module(ours)
        for theirs, ours in _COUNTERPARTS.items():
            if not {theirs, ours} & self._watched and theirs not in self._registered:
                self._registered.add(theirs)
                _REGISTER[theirs]()

    def _then_noted(self, name: str, exec_module: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        is_ours = name in _COUNTERPARTS.values()

        def exec_and_note(module: ModuleType) -> None:
            self._ours_in_progress += is_ours
            try:
                exec_module(module)
            finally:
                self._ours_in_progress -= is_ours
            self.imported(name)

        return exec_and_note


def _register_config() -> None:
    from transformers import AutoConfig

    from .configuration_multitask import MultiTaskConfig

    AutoConfig.register(MultiTaskConfig.model_type, MultiTaskConfig)


def _register_model() -> None:
    from transformers import AutoModel

    from .modeling_multitask import MultiTaskConfig, MultiTaskModel

    AutoModel.register(MultiTaskConfig, MultiTaskModel)


def _register_pipeline() -> None:
    from transformers import AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    from .pipeline_multitask import PIPELINE_TASK, MultiTaskPipeline

    PIPELINE_REGISTRY.register_pipeline(
        PIPELINE_TASK, pipeline_class=MultiTaskPipeline, pt_model=AutoModel, type="text"
    )


_REGISTER = dict(zip(_COUNTERPARTS, (_register_config, _register_model, _register_pipeline), strict=True))
