"""Print version and hardware information for bug reports. The output has no paths and no tokens.

multitask env
"""

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from ..version import __version__
from .arguments import Parser
from .command import command

PACKAGES = (
    *("torch", "transformers", "tokenizers", "datasets", "evaluate", "accelerate", "peft", "huggingface_hub"),
    *("safetensors", "numpy", "pyarrow", "pandas", "scikit-learn", "pydantic", "sentence-transformers"),
    *("onnxruntime", "openvino", "gradio", "matplotlib", "torchjd", "cleanlab"),
)


def build_parser() -> Parser:
    """Return the parser of the command."""
    return Parser(
        "env", "", "Print version and hardware information for bug reports. The output contains no paths and no tokens."
    )


def run(arguments: argparse.Namespace) -> None:
    """Print one line per item."""
    lines = {"modeling-multitask": __version__, "python": platform.python_version(), "system": platform.platform()}
    lines |= {name: _version(name) for name in PACKAGES}
    lines |= machine()
    width = max(map(len, lines)) + 2
    print(*(f"{name:{width}}{value}" for name, value in lines.items()), sep="\n")


def machine() -> dict[str, str]:
    """Return the processor, the memory and the accelerators of this machine."""
    import torch

    from ..runs.records import cores, memory_bytes, processor_name

    memory = memory_bytes()
    kind = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    devices = [] if kind is None else [_device_name(kind.type, i) for i in range(torch.accelerator.device_count())]
    return {
        "processor": f"{processor_name()}, {cores()} cores",
        "memory": "unknown" if memory is None else f"{memory / 2**30:.0f} GiB",
        "accelerators": ", ".join(devices) or "none",
    }


def _device_name(kind: str, index: int) -> str:
    import torch

    return torch.cuda.get_device_name(index) if kind == "cuda" else f"{kind}:{index}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


main = command(build_parser, run)
