"""A trained model as an OpenVINO graph, made from its ONNX graph."""

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
from .onnx import ONNX, AnswerGraph, check_onnx, graph_inputs, probes, without_adapters, write_graph

OPENVINO, OPENVINO_INT8 = "openvino_model.xml", "openvino_model_int8.xml"
_EXTRA = "openvino"


def export_openvino(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path, *, int8: bool = False
) -> Equality:
    """Writes `openvino_model.xml` and its `.bin`, after holding them against the model.

    Args:
        model: As for `export_onnx`, like `tokenizer`.
        tokenizer: Says whether the encoder gets segments.
        folder: Made if it is not there.
        int8: Also writes `openvino_model_int8.xml`, whose weights are in 8 bits; it still computes in float32.

    Raises:
        ValueError: If the encoder cannot be exported, or the graph says something else than the model.
        ImportError: If the packages of the extras `onnx` and `openvino` are not installed.
    """
    check_openvino(int8=int8)
    openvino = import_extra("openvino", extra=_EXTRA)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    answers, names = AnswerGraph(without_adapters(model)), graph_inputs(model, tokenizer)
    with tempfile.TemporaryDirectory() as beside:
        write_graph(answers, names, Path(beside) / ONNX)
        graph = read_graph(Path(beside) / ONNX, model.config.backbone_config.model_type)
        openvino.save_model(graph, folder / OPENVINO, compress_to_fp16=False)
        del graph  # else the file cannot be removed where it is still read from
    equality = check_equal(open_graph(folder / OPENVINO), answers, probes(model, names), model.config.tasks)
    if int8:
        openvino.save_model(_compressed(folder / OPENVINO), folder / OPENVINO_INT8, compress_to_fp16=False)
    return equality


def check_openvino(*, int8: bool) -> None:
    """Raises an `ImportError` that says how to install what an export needs, if that is not there."""
    check_onnx()
    for module in ("openvino", *(["nncf"] if int8 else [])):
        _import_silent(module)


def read_graph(path: Path, encoder: str) -> Any:
    """An ONNX graph as one of OpenVINO's.

    Args:
        path: The file.
        encoder: Its kind, for the error.

    Raises:
        ValueError: If OpenVINO cannot read it.
    """
    try:
        # Not by `convert_model`, which reports each use over the network.
        return import_extra("openvino", extra=_EXTRA).Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"OpenVINO cannot read the graph of the encoder {encoder!r}: {reason}") from error


def _compressed(path: Path) -> Any:
    """The graph with weights in 8 bits, each channel with a scale and a zero point: nncf's own choice."""
    nncf = _import_silent("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf.compress_weights(import_extra("openvino", extra=_EXTRA).Core().read_model(path))


def _import_silent(module: str) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # else nncf reports each use over the network
    return import_extra(module, extra=_EXTRA)
