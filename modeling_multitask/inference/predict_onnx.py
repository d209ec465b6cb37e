"""Run an exported model: every task's answers to texts, and their embeddings.

This file is part of every export and runs without this package. It needs numpy, tokenizers, and onnxruntime, or
openvino for an export to OpenVINO.

    python predict_onnx.py "The battery died within a day." "Great soup."

    from predict_onnx import MultiTaskOnnx
    model = MultiTaskOnnx("FOLDER", file="model_int8.onnx")
    model.predict(["Great soup."])[0]["sentiment"]  # {"label": "positive", "score": 0.98}
    model.encode(["Great soup."])  # (1, D) float32

Shapes: B rows, T tokens, N texts, D width of the encoder, C classes of one task.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

FILES = ("model.onnx", "openvino_model.xml")  # the first that exists is used
BATCH_SIZE = 32
_NOTHING = 1e-6  # a smaller remaining probability is a rounding error

Arrays = dict[str, np.ndarray]
TextOrPair = str | tuple[str, str]


class MultiTaskOnnx:
    """An exported model, which gives the same answers as the pipeline of the original model.

    Args:
        folder: The folder with the graph, config.json and tokenizer.json. By default the folder of this file.
        file: The graph, such as `model_int8.onnx`. By default the float32 graph.

    Raises:
        FileNotFoundError: If the folder does not contain the graph.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent, *, file: str | None = None) -> None:
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.tasks: list[dict[str, Any]] = config["tasks"]
        self._padding_id = config["backbone_config"].get("pad_token_id") or 0
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(config["max_length"])
        self._graph = open_graph(_find_graph(folder, file))
        self._prompts: dict[str, str] = config.get("prompts") or {}
        self._prompt = self._prompts.get(config.get("default_prompt_name"), "")
        self._includes_prompt = config.get("include_prompt", True)

    def predict(
        self, texts: Sequence[TextOrPair], *, top_k: int | None = 0, batch_size: int = BATCH_SIZE
    ) -> list[dict[str, Any]]:
        """Return every task's answer to each text.

        Args:
            texts: A list of N texts. A pair is a tuple or list of two strings, or a dict with `text` and `text_pair`.
            top_k: The number of labels to return for each task, the answer first and then by score (for an ordinal
                regression, all by score). `None` returns all labels. 0 returns only the answer, or for a multi-label
                task the labels above their threshold.
            batch_size: The number of texts in one pass.

        Returns:
            For each text `{task: {"label": ..., "score": ...}}`. A multi-label task, or any task with `top_k`, has a
            list of these, and a regression has `{"score": ...}`. Without an answer the label, or the regression's
            score, is `None`.
        """
        outputs = self.run(texts, batch_size=batch_size)
        answers: list[dict[str, Any]] = [{} for _ in texts]
        refused: dict[str, np.ndarray] = {}
        for task in self.tasks:
            name, given = task["name"], task.get("given")
            scores, chosen, asked = (outputs[f"{name}.{part}"] for part in ("scores", "chosen", "asked"))
            refused[name] = _refused(task, asked, outputs[f"{name}.confidence"])
            if given:  # a task that depends on a refused answer has no answer either
                refused[name] |= refused[given["task"]]
            columns = (scores, chosen, asked, asked & ~refused[name])
            for answer, *row in zip(answers, *(each.tolist() for each in columns), strict=True):
                answer[name] = _answer(task, row, top_k)
        return answers

    def encode(
        self,
        texts: Sequence[TextOrPair],
        *,
        batch_size: int = BATCH_SIZE,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> np.ndarray:
        """Return the sentence embedding of each text, (N, D) float32.

        Args:
            texts: N texts, or pairs of texts as tuples.
            batch_size: The number of texts in one pass.
            prompt_name: The name of one of the model's prompts, to put before each text instead of the default one.
            prompt: A text to put before each text, instead of a name.

        Raises:
            ValueError: If the model has no such prompt, or its graph leaves out the tokens of the default one.
        """
        prompt = self.chosen_prompt(prompt_name, prompt)
        return self.run(texts, batch_size=batch_size, prompt=prompt)["sentence_embedding"]

    def chosen_prompt(self, prompt_name: str | None = None, prompt: str | None = None) -> str:
        """Return the text to put before each text. By default, it is the model's own.

        Raises:
            ValueError: If the model has no such prompt, or its graph leaves out the tokens of the default one.
        """
        if prompt_name is not None and prompt is not None:
            raise ValueError(f"prompt_name is {prompt_name!r} and prompt is {prompt!r}; give only one of them")
        if prompt_name is not None and prompt_name not in self._prompts:
            there = ", ".join(sorted(self._prompts)) or "none"
            raise ValueError(f"prompt_name is {prompt_name!r}; the prompts of this model are: {there}")
        chosen = self._prompts[prompt_name] if prompt_name is not None else self._prompt if prompt is None else prompt
        if chosen != self._prompt and not self._includes_prompt:
            raise ValueError(
                f"prompt is {chosen!r}, but the graph leaves out the tokens of {self._prompt!r} at the start of each "
                "text; export a model with the other prompt"
            )
        return chosen

    def run(self, texts: Sequence[TextOrPair], *, batch_size: int = BATCH_SIZE, prompt: str | None = None) -> Arrays:
        """Return all outputs of the graph for N texts, in their order.

        Args:
            texts: The texts. Texts of similar length are batched together.
            batch_size: The number of texts in one pass.
            prompt: The text before each text. By default, it is the model's own.

        Returns:
            `sentence_embedding` (N, D), and for each task:

            - `TASK.logits`.
            - `TASK.scores` (N, C), or the number (N, 1) of a regression.
            - `TASK.chosen` (N,), the id of the label, or -1 where the task does not apply. Zeros and ones (N, C) for a
              multi-label task, and the number for a regression.
            - `TASK.asked` (N,), whether the task applies.
            - `TASK.confidence` (N,), which is compared with `abstain_below` to refuse an answer.

        Raises:
            TypeError: If `texts` is a single text or pair.
            ValueError: If one of them is not a text, such as `None`.
        """
        if isinstance(texts, str | tuple | dict):
            raise TypeError(f"texts is a single text, {texts!r}; give a list of texts")
        start = self._prompt if prompt is None else prompt
        given = [read_text_or_pair(text, f"texts[{i}]") for i, text in enumerate(texts)]
        given = [start + text if isinstance(text, str) else (start + text[0], text[1]) for text in given]
        encoded = self._tokenizer.encode_batch(given or [""])  # without texts, one empty text gives the shapes
        order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row].ids))
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        outputs = [self._graph(self._pad([encoded[row] for row in batch])) for batch in batches]
        back = np.argsort(order)[: len(texts)]
        return {name: np.concatenate([each[name] for each in outputs])[back] for name in outputs[0]}

    def _pad(self, rows: list[Encoding]) -> Arrays:
        length = max(len(row.ids) for row in rows)

        def padded(lists: list[list[int]], filler: int) -> np.ndarray:
            return np.array([each + [filler] * (length - len(each)) for each in lists], dtype=np.int64)  # (B, T)

        return {
            "input_ids": padded([row.ids for row in rows], self._padding_id),
            "attention_mask": padded([row.attention_mask for row in rows], 0),
            "token_type_ids": padded([row.type_ids for row in rows], 0),
        }


def read_text_or_pair(given: Any, place: str) -> TextOrPair:
    """Return a text, or two as a tuple. Raise a `ValueError` with the place of anything else."""
    parts: Any = given if isinstance(given, tuple | list) and len(given) == 2 else [given]
    if isinstance(given, dict):
        names = ("text", "text_pair")[: len(given)]
        parts = [given.get(name) for name in names] if names and set(given) == set(names) else [None]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(
            f"{place} is {given!r}; it must be a string, two strings for a pair, or a dict with 'text' and, for a "
            "pair, 'text_pair'; remove the rows without a text, or give an empty text, ''"
        )
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def open_graph(path: Path) -> Callable[[Arrays], Arrays]:
    """Return a graph as a function from inputs (B, T) to all outputs by name. Inputs that it lacks are ignored."""
    return _open_openvino(path) if path.suffix == ".xml" else _open_onnx(path)


def main(argv: list[str] | None = None) -> None:
    """Print a line of JSON for each text."""
    parser = argparse.ArgumentParser(description="Print every task's answer to each text as a line of JSON.")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--file", help=f"the graph, such as model_int8.onnx ({' or '.join(FILES)})")
    arguments = parser.parse_args(argv)
    for answer in MultiTaskOnnx(file=arguments.file).predict(arguments.texts):
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _find_graph(folder: Path, file: str | None) -> Path:
    graphs = sorted(path.name for path in folder.iterdir() if path.suffix in (".onnx", ".xml"))
    for name in [file] if file else FILES:
        if (folder / name).is_file():
            return folder / name
    missing = file or " or ".join(FILES)
    raise FileNotFoundError(f"{folder} has no {missing}; its graphs are: {', '.join(graphs) or 'none'}")


def _open_onnx(path: Path) -> Callable[[Arrays], Arrays]:
    session = importlib.import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, outputs = ([each.name for each in ends] for ends in (session.get_inputs(), session.get_outputs()))
    return lambda given: dict(zip(outputs, session.run(outputs, {name: given[name] for name in inputs}), strict=True))


def _open_openvino(path: Path) -> Callable[[Arrays], Arrays]:
    core = importlib.import_module("openvino").Core()
    graph = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})  # some CPUs use bfloat16
    inputs = [each.any_name for each in graph.inputs]

    def run(given: Arrays) -> Arrays:
        found = graph({name: given[name] for name in inputs})
        return {name: found[each] for each in graph.outputs for name in each.names}  # equal outputs are merged

    return run


def _refused(task: dict[str, Any], asked: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return (N,) whether an answer is refused because its confidence is below `abstain_below`."""
    if task.get("abstain_below") is None:
        return np.zeros_like(asked)
    refused: np.ndarray = asked & (confidence < task["abstain_below"])
    return refused


def _answer(task: dict[str, Any], row: list[Any], top_k: int | None) -> dict[str, Any] | list[dict[str, Any]]:
    scores, chosen, asked, answered = row
    if task["labels"] is None:
        return {"score": scores[0] if answered else None}
    options: list[dict[str, Any]] = [
        {"label": label, "score": score} for label, score in zip(task["labels"], scores, strict=True)
    ]
    if isinstance(chosen, list):
        ranked = sorted(zip(options, chosen, strict=True), key=lambda each: -each[0]["score"])
        shown = [option for option, given in ranked if given or top_k != 0]
        return shown[: top_k or None] if answered else []
    unasked = max(1 - sum(scores), 0.0) if task.get("given") else 0.0
    if top_k == 0:
        label = task["labels"][chosen] if answered else None
        return {"label": label, "score": scores[chosen] if asked else unasked}
    if not asked or unasked > _NOTHING:
        options.append({"label": None, "score": unasked})
    if task.get("decision"):  # of ordered labels: the answer may be the median
        return sorted(options, key=lambda each: -each["score"])[:top_k]
    answer = options.pop(chosen if asked else -1)  # not always the highest score: the parent task may decide
    return [answer, *sorted(options, key=lambda each: -each["score"])][:top_k]


if __name__ == "__main__":
    main()
