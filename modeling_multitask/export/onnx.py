"""Export a trained model as one ONNX graph with each task's logits and decision, and the sentence embedding.

Shapes: B rows, T tokens, D width of the encoder, C classes of one task.
"""

import copy
import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from ..answers_multitask import decide
from ..extras import import_extra
from ..inference.predict_onnx import open_graph
from ..modeling_multitask import MultiTaskModel
from ..wording import first_line
from .check import Equality, check_equal, probe_shapes

ONNX, ONNX_INT8 = "model.onnx", "model_int8.onnx"
OPSET = 18  # the newest that torch writes without conversion; ONNX Runtime supports it since 1.14
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# `embedding` is already the name of a node, and makes torch's exporter write an invalid graph.
EMBEDDING = "sentence_embedding"
_EXTRA = "onnx"
# At each export one logs that torchvision is not installed, the other which constants it did not fold.
_TALKERS = ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding")


class AnswerGraph(nn.Module):
    """The exported module: a model with its decisions, so that users of the graph need no code for dependent tasks.

    Args:
        model: A model returned by `without_adapters`.
    """

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> dict:
        """Return all outputs by name.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T).
            token_type_ids: (B, T), for an encoder with segments.

        Returns:
            `sentence_embedding` (B, D), and for each task `TASK.logits` and the fields of its `Decision`:
            `TASK.scores`, `TASK.chosen`, `TASK.asked` and `TASK.confidence`. See `Decision` for their shapes.
        """
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        outputs = {EMBEDDING: output.embeddings}
        for name, decision in decide(output.logits, self.model.config.tasks).items():
            outputs[f"{name}.logits"] = output.logits[name]
            outputs |= {f"{name}.{part}": value for part, value in decision._asdict().items()}
        return outputs


def export_onnx(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path, *, int8: bool = False
) -> Equality:
    """Write `model.onnx` for any number of rows and tokens, and compare it with the model.

    Args:
        model: The model, on any device and in any dtype. The graph is float32.
        tokenizer: The model's tokenizer, which determines whether the encoder gets segments.
        folder: The folder, which is created if needed.
        int8: Whether to write `model_int8.onnx` too.

    Returns:
        The compared shapes and the largest difference.

    Raises:
        ValueError: If the encoder cannot be exported, or the graph differs from the model.
        ImportError: If the packages of the extra `onnx` are not installed.
    """
    check_onnx()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    equality = write_graph(AnswerGraph(without_adapters(model)), graph_inputs(model, tokenizer), folder / ONNX)
    if int8:
        quantize_onnx(folder / ONNX, folder / ONNX_INT8)
    return equality


def check_onnx() -> None:
    """Raise an `ImportError` with install instructions if a package for the export is missing."""
    for module in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(module, extra=_EXTRA)


def without_adapters(model: MultiTaskModel) -> MultiTaskModel:
    """Return a copy on the CPU, in float32 and eval mode, with the attention that gives the simplest graph.

    Raises:
        ValueError: If the model reads long texts in windows.
    """
    if model.config.long_texts == "windows":
        raise ValueError(
            "the model reads long texts in windows, but a graph reads only the first window; "
            "export a model with long_texts: truncate"
        )
    model = copy.deepcopy(model).cpu().float().eval()
    if model.backbone.config._attn_implementation != "eager":  # encoders without another attention refuse the call
        model.set_attn_implementation("eager")
    return model


def write_graph(graph: AnswerGraph, names: list[str], path: Path) -> Equality:
    """Write a float32 graph with these inputs, and compare it with the model."""
    model = graph.model
    _trace(graph, example_batch(model, names, 2, min(8, _most_tokens(model))), path)
    import_extra("onnx.checker", extra=_EXTRA).check_model(str(path), full_check=True)
    return check_equal(open_graph(path), graph, example_batches(model, names), model.config.tasks)


def graph_inputs(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the inputs of the graph: those that the tokenizer returns and the encoder accepts."""
    taken = inspect.signature(model.backbone.forward).parameters
    return [name for name in INPUTS if name in taken and (name in tokenizer.model_input_names or name in INPUTS[:2])]


def example_batches(model: MultiTaskModel, names: list[str]) -> list[dict[str, Tensor]]:
    """Return batches of several shapes for comparing a graph with its model."""
    return [example_batch(model, names, rows, tokens) for rows, tokens in probe_shapes(_most_tokens(model))]


def example_batch(model: MultiTaskModel, names: list[str], rows: int, tokens: int) -> dict[str, Tensor]:
    """Return random tokens, where each row is one token shorter than the row before it.

    Args:
        model: The model, which determines the vocabulary and the segments.
        names: The names of the inputs.
        rows: B.
        tokens: T.

    Returns:
        The inputs by name, (B, T).
    """
    config = model.config.encoder_config
    random = torch.Generator().manual_seed(0)
    mask = (torch.arange(tokens) < (tokens - torch.arange(rows)).clamp(min=1).unsqueeze(1)).long()
    ids = torch.randint(config.vocab_size, (rows, tokens), generator=random)
    ids = ids.where(mask == 1, config.pad_token_id or 0)
    segments = (torch.arange(tokens) >= tokens // 2) * (getattr(config, "type_vocab_size", 0) > 1) * mask
    return {name: each for name, each in zip(INPUTS, (ids, mask, segments), strict=True) if name in names}


def quantize_onnx(path: Path, target: Path) -> None:
    """Write a graph with 8-bit weights, whose activations are quantized at run time.

    Of the methods in ONNX Runtime, unsigned weights with a scale for each channel agree best with float32.

    Args:
        path: The float32 graph.
        target: The path of the quantized graph, which is about a quarter as large.
    """
    onnx = import_extra("onnx", extra=_EXTRA)
    quantization = import_extra("onnxruntime.quantization", extra=_EXTRA)
    graph = onnx.load(path)
    # The quantizer transposes weights and fails on their recorded shapes. It infers the shapes itself.
    del graph.graph.value_info[:]
    # Without this it recommends a preprocessing that torch's exporter has already done.
    import_extra("onnxruntime.quantization.quant_utils", extra=_EXTRA).add_pre_process_metadata(graph)
    quantization.quantize_dynamic(
        graph,
        target,
        weight_type=quantization.QuantType.QUInt8,
        per_channel=True,
        use_external_data_format=path.with_name(f"{path.name}.data").exists(),
    )


def _trace(graph: AnswerGraph, batch: dict[str, Tensor], path: Path) -> None:
    rows, tokens = torch.export.Dim("batch"), torch.export.Dim("sequence", max=max(3, _most_tokens(graph.model)))
    # Run once before tracing, because `may_follow` caches its tables and must not cache those of the trace.
    with torch.no_grad():
        names = list(graph(**batch))
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                kwargs=batch,
                input_names=list(batch),
                output_names=names,
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes={name: {0: rows, 1: tokens} for name in batch},
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        kind, reason = graph.model.config.backbone_config.model_type, error.__cause__ or error
        raise ValueError(f"torch cannot export the encoder {kind!r} to ONNX: {first_line(reason)}") from error
    assert program is not None
    _forget_where(program.model)
    program.save(path)


def _forget_where(model: Any) -> None:
    """Remove the exporter's metadata of each node, which contains source lines and local paths."""
    parts = [model.graph, *model.functions.values()]
    for each in (model, *parts, *(node for part in parts for node in part.all_nodes())):
        each.metadata_props.clear()


def _most_tokens(model: MultiTaskModel) -> int:
    return int(model.config.max_length)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's internal logs and warnings."""
    talkers = [logging.getLogger(name) for name in _TALKERS]
    levels = [each.level for each in talkers]
    for each in talkers:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(talkers, levels, strict=True):
            each.setLevel(level)
