"""Export a trained model as an OpenVINO graph, converted from its ONNX graph."""

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from ..extras import import_extra
from ..inference.predict_onnx import open_graph
from ..modeling_multitask import MultiTaskModel
from .check import Equality, check_equal
from .onnx import ONNX, AnswerGraph, check_onnx, example_batches, graph_inputs, without_adapters, write_graph

OPENVINO, OPENVINO_INT8 = "openvino_model.xml", "openvino_model_int8.xml"
_EXTRA = "openvino"


def export_openvino(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path, *, int8: bool = False
) -> Equality:
    """Write `openvino_model.xml` and its `.bin`, and compare them with the model.

    Args:
        model: The model, as for `export_onnx`.
        tokenizer: The model's tokenizer, which determines whether the encoder gets segments.
        folder: The folder, which is created if needed.
        int8: Whether to write `openvino_model_int8.xml` too. Its weights have 8 bits, and it computes in float32.

    Returns:
        The compared shapes and the largest difference.

    Raises:
        ValueError: If the encoder cannot be exported, or the graph differs from the model.
        ImportError: If the packages of the extras `onnx` and `openvino` are not installed.
    """
    check_openvino(int8=int8)
    openvino = import_extra("openvino", extra=_EXTRA)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    answers, names = AnswerGraph(without_adapters(model)), graph_inputs(model, tokenizer)
    with tempfile.TemporaryDirectory() as temporary:
        write_graph(answers, names, Path(temporary) / ONNX)
        graph = read_graph(Path(temporary) / ONNX, model.config.backbone_config.model_type)
        openvino.save_model(graph, folder / OPENVINO, compress_to_fp16=False)
        del graph  # an open graph would keep the file from being removed
    equality = check_equal(open_graph(folder / OPENVINO), answers, example_batches(model, names), model.config.tasks)
    if int8:
        openvino.save_model(_compressed(folder / OPENVINO), folder / OPENVINO_INT8, compress_to_fp16=False)
    return equality


def check_openvino(*, int8: bool) -> None:
    """Raise an `ImportError` with install instructions if a package for the export is missing."""
    check_onnx()
    for module in ("openvino", *(["nncf"] if int8 else [])):
        _import_silent(module)


def read_graph(path: Path, encoder: str) -> Any:
    """Return an ONNX graph as an OpenVINO graph.

    Args:
        path: The file.
        encoder: The encoder's model type, for the error.

    Raises:
        ValueError: If OpenVINO cannot read the graph.
    """
    try:
        # `convert_model` is not used, because it reports each use over the network.
        return import_extra("openvino", extra=_EXTRA).Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"OpenVINO cannot read the graph of the encoder {encoder!r}: {reason}") from error


def _compressed(path: Path) -> Any:
    """Return the graph with 8-bit weights, with a scale and a zero point for each channel, the default of nncf."""
    nncf = _import_silent("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf.compress_weights(import_extra("openvino", extra=_EXTRA).Core().read_model(path))


def _import_silent(module: str) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # without this, nncf reports each use over the network
    return import_extra(module, extra=_EXTRA)
