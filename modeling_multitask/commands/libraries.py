"""The output of the libraries during a command: errors only, or all of it with `--verbose`."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# The variables from which these libraries read their log level when they are imported. torch: that of its C++ code.
_VARIABLES = {
    "torch": "TORCH_CPP_LOG_LEVEL",
    "datasets": "DATASETS_VERBOSITY",
    "huggingface_hub": "HF_HUB_VERBOSITY",
    "transformers": "TRANSFORMERS_VERBOSITY",
}
_OURS = ("modeling_multitask", "datasets_builder")
_BARS = "transformers.utils.logging"


@contextmanager
def library_output(*, verbose: bool) -> Iterator[None]:
    """Show only errors of the libraries in the block, or also their warnings, logs and bars.

    Our own messages, errors and the bars of downloads and uploads are shown in both cases. The filters of `python -W`
    and PYTHONWARNINGS, and the variables in `_VARIABLES`, take precedence.

    Args:
        verbose: Whether to show everything. Our own messages then include those of the level INFO.
    """
    with _log_levels(verbose), warnings.catch_warnings():
        if verbose:
            yield
            return
        warnings.simplefilter("ignore", append=True)  # after the filters that are already set
        with _without_bars():
            yield


@contextmanager
def _log_levels(verbose: bool) -> Iterator[None]:
    given = [name for name, variable in _VARIABLES.items() if variable not in os.environ]
    level = logging.INFO if verbose else logging.ERROR
    is_first = os.environ.get("RANK", "0") == "0"  # one of several processes speaks for all
    ours = logging.INFO if verbose else logging.WARNING if is_first else logging.ERROR
    levels = dict.fromkeys(["", *given], level) | dict.fromkeys(_OURS, ours)
    before = {name: logging.getLogger(name).level for name in levels}
    handlers = list(logging.root.handlers)
    if verbose and not handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
        handler.addFilter(_has_no_handler)
        logging.root.addHandler(handler)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    os.environ.update({_VARIABLES[name]: "info" if verbose else "error" for name in given})
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(_VARIABLES[name], None)
        for name, value in before.items():
            logging.getLogger(name).setLevel(value)
        logging.root.handlers[:] = handlers


def _has_no_handler(record: logging.LogRecord) -> bool:
    """Return whether a library has no handler of its own, which prints its records already."""
    return not logging.getLogger(record.name.partition(".")[0]).handlers


@contextmanager
def _without_bars() -> Iterator[None]:
    """Hide the bars of transformers, such as "Loading weights" at each load and "Writing model shards" at each save."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    if _BARS in sys.modules:
        finder.hide(sys.modules[_BARS])
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if finder.hidden is not None:
            finder.hidden.enable_progress_bar()


class _Finder(MetaPathFinder):
    """An import finder that hides the bars of transformers when it is imported, which takes too long to do it here."""

    def __init__(self) -> None:
        self.hidden: Any = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _BARS else None
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            exec_module = loader.exec_module

            def exec_and_hide(module: ModuleType) -> None:
                exec_module(module)
                self.hide(module)

            loader.exec_module = exec_and_hide
        return spec

    def hide(self, module: Any) -> None:
        """Hide the bars of transformers, but not those of huggingface_hub, which transformers hides with its own."""
        from huggingface_hub.utils import enable_progress_bars

        if module.is_progress_bar_enabled():
            self.hidden = module
            module.disable_progress_bar()
            enable_progress_bars()
