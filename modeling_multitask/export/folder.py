"""Write the folder of an exported model, which runs without torch and without this package."""

import json
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from ..answers_multitask import Decision
from ..configuration_multitask import MultiTaskConfig
from ..evaluation.agreement import agreement, answer_figures
from ..evaluation.judged import Judged, judge
from ..files import strict_json, whole_folder, write_json
from ..inference import predict_onnx
from ..inference.predict_onnx import MultiTaskOnnx
from ..inference.saving import save_tokenizer
from ..inference.text_encoder import TextEncoder
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from .check import TOLERANCE, Equality, differences
from .onnx import EMBEDDING, ONNX, ONNX_INT8, OPSET, check_onnx, export_onnx, without_adapters
from .openvino import OPENVINO, OPENVINO_INT8, check_openvino, export_openvino

Runtime = Literal["onnx", "openvino"]

RECORD = "export.json"
PYTORCH = "PyTorch"
_FILES = {"onnx": (ONNX, ONNX_INT8), "openvino": (OPENVINO, OPENVINO_INT8)}
# An empty text, special characters, unknown words, and a text longer than the maximum length.
_TEXTS = ["", "Naïve? 2 phones & a «soup» – bad_good!", "\u4e2d\u6587 xqzzyv", "one more word " * 2000]
# Settings of config.json that refer to files that are not in the folder.
_OF_OTHER_FILES = ("auto_map", "custom_pipelines", "architectures")


@dataclass(frozen=True)
class HeldOut:
    """Rows for comparing the exported graphs with the model.

    Args:
        rows: Rows of a `MultiTaskBuilder`.
        name: Their name in reports.
    """

    rows: Dataset
    name: str


def check_export(folder: Path, runtime: Runtime, *, int8: bool, force: bool) -> None:
    """Check the folder and the packages before the export.

    Args:
        folder: The folder of the export.
        runtime: The runtime of the export.
        int8: Whether a second graph with 8-bit weights is requested.
        force: Whether to overwrite an export in the folder.

    Raises:
        FileExistsError: If the folder is not empty, unless it is an export and `force` is set.
        ImportError: If a package is not installed.
    """
    check_replaceable(folder, RECORD, force=force)
    if runtime == "onnx":
        check_onnx()
    else:
        check_openvino(int8=int8)


def check_replaceable(folder: Path, record: str, *, force: bool) -> None:
    """Raise a `FileExistsError` if the folder is not empty, unless it is an export and `force` is set.

    Args:
        folder: The folder of the export.
        record: The file that each export of this format contains.
        force: Whether to overwrite an export in the folder.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not force:
        raise FileExistsError(f"{folder} exists already; add --force to overwrite it")
    if not (folder / record).is_file():
        raise FileExistsError(
            f"{folder} is not an export (it has no {record}), so --force does not overwrite it; give another folder"
        )


def write_export(
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    runtime: Runtime = "onnx",
    *,
    int8: bool = False,
    held_out: HeldOut | None = None,
) -> dict[str, Any]:
    """Write graphs, configuration, tokenizer and `predict_onnx.py`. If one of them fails, nothing is written.

    Args:
        model: The trained model.
        tokenizer: Its tokenizer.
        folder: The folder, which is replaced if it exists.
        runtime: The runtime of the export.
        int8: Whether to write a second graph with 8-bit weights.
        held_out: Rows for comparing the graphs with the model.

    Returns:
        The content of `export.json` in the folder: the files, their largest difference from the model, and, with rows,
        the agreement and the metrics of their answers.

    Raises:
        ValueError: If the encoder or the tokenizer cannot be exported.
        ImportError: If a package is not installed.
    """
    with whole_folder(folder.resolve()) as partial:
        return _fill(partial, without_adapters(model), tokenizer, runtime, int8, held_out)


def describe_export(found: dict[str, Any]) -> str:
    """Return the result of `write_export` as text."""
    equality = found["equality"]
    shapes = ", ".join(f"{rows} x {tokens}" for rows, tokens in equality["shapes"])
    lines = [
        *(f"{name}: {size / 1e6:,.1f} MB" for name, size in found["files"].items()),
        f"Equal to PyTorch: numbers differ by at most {equality['largest_difference']:.1e}, where "
        f"{equality['tolerance']:.0e} is allowed, in batches of {shapes} tokens.",
    ]
    if found["rows"] is None:
        return "\n".join([*lines, "No rows were given, so agreement and quality of the answers are not measured."])
    return "\n".join([*lines, *figure_lines(found)])


def figure_lines(found: dict[str, Any]) -> list[str]:
    """Return the metrics of each form of a model on the same rows, and their agreement with PyTorch, as lines.

    Args:
        found: A dictionary with `rows`, `figures` and `agreement`, as in `export.json`.
    """
    lines = [f"On {found['rows']['count']:,} rows ({found['rows']['name']}):"]
    width = max(map(len, found["figures"]))
    for task in found["figures"][PYTORCH]:
        for form, figures in found["figures"].items():
            shown = {**figures[task], **found["agreement"].get(form, {}).get(task, {})}
            numbers = [f"{name} {value if name == 'rows' else f'{value:.4f}'}" for name, value in shown.items()]
            lines.append(f"  {task}  {form:{width}}  {'  '.join(numbers)}")
    return lines


def _fill(
    folder: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    runtime: Runtime,
    int8: bool,
    held_out: HeldOut | None,
) -> dict[str, Any]:
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} has no tokenizer.json, which an export needs; "
            "only models with a fast tokenizer can be exported"
        )
    export = export_onnx if runtime == "onnx" else export_openvino
    equality = export(model, tokenizer, folder, int8=int8)
    save_tokenizer(tokenizer, model.config.max_length, folder)
    (folder / "config.json").write_text(_config_text(model.config), encoding="utf-8")
    shutil.copyfile(predict_onnx.__file__, folder / Path(predict_onnx.__file__).name)
    names = _FILES[runtime][: 2 if int8 else 1]
    forms = {name: MultiTaskOnnx(folder, file=name) for name in names}
    _check_texts(forms[names[0]], model, tokenizer)
    found = _describe(folder, names, equality) | _compare(forms, model, tokenizer, held_out)
    write_json(folder / RECORD, found)
    return found


def _config_text(config: MultiTaskConfig) -> str:
    content = json.loads(config.to_json_string())
    for name in _OF_OTHER_FILES:
        content.pop(name, None)
    return strict_json({**content, "dtype": "float32"}, indent=2, sort_keys=True) + "\n"


def _check_texts(form: MultiTaskOnnx, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise a `ValueError` if tokenizer.json gives other tokens than the tokenizer, which may run Python code."""
    expected, given = TextEncoder(model, tokenizer, dtype=torch.float32).run(_TEXTS), form.run(_TEXTS)
    pairs = {"embedding": (given[EMBEDDING], expected.embeddings, 1.0)}
    pairs |= {
        f"logits of {task.name}": (given[f"{task.name}.logits"], expected.logits[task.name], task.unit)
        for task in model.config.tasks
    }
    for name, (ours, theirs, unit) in pairs.items():
        difference = differences(ours, theirs, unit).max(axis=1)  # (N,)
        if not difference.max() <= TOLERANCE:
            text = _TEXTS[int(difference.argmax())]
            raise ValueError(
                f"{type(tokenizer).__name__} reads {text[:40]!r} differently from its tokenizer.json ({name} differs "
                f"by {difference.max():.1g}); only models whose tokenizer.json is complete can be exported"
            )


def _describe(folder: Path, names: tuple[str, ...], equality: Equality) -> dict[str, Any]:
    stems = {name: Path(name).stem for name in names}
    parts = {name: [name, f"{name}.data", f"{stem}.bin"] for name, stem in stems.items()}
    sizes = {
        name: sum((folder / part).stat().st_size for part in parts[name] if (folder / part).is_file()) for name in names
    }
    return {
        "files": sizes,
        "opset": OPSET,
        "made_with": {name: version(name) for name in ("torch", "transformers", "onnx")},
        "equality": {"tolerance": TOLERANCE, **asdict(equality)},
    }


def _compare(
    forms: dict[str, MultiTaskOnnx],
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    held_out: HeldOut | None,
) -> dict[str, Any]:
    """Return the metrics of each graph's answers, and their agreement with the model's answers."""
    if held_out is None:
        return {"rows": None}
    tasks = model.config.tasks
    judged = judge(model, held_out.rows, tokenizer, show_progress=True)
    decisions = {name: _decisions(form.run(judged.texts), tasks) for name, form in forms.items()}
    return compare_forms(decisions, judged, held_out.name)


def compare_forms(forms: dict[str, dict[str, Decision]], judged: Judged, name: str) -> dict[str, Any]:
    """Return the metrics of the answers of each form of a model, and their agreement with the model's answers.

    Args:
        forms: The decisions of each form, by its name and by task.
        judged: The answers of the model on the same rows.
        name: The name of the rows.
    """
    return {
        "rows": {"name": name, "count": len(judged.texts)},
        "figures": {
            form: answer_figures(each, judged.labels, judged.tasks)
            for form, each in {PYTORCH: judged.decisions, **forms}.items()
        },
        "agreement": {form: agreement(each, judged.decisions, judged.tasks) for form, each in forms.items()},
    }


def _decisions(outputs: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, Decision]:
    return {task.name: Decision(*(outputs[f"{task.name}.{part}"] for part in Decision._fields)) for task in tasks}
