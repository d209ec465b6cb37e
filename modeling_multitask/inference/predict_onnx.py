"""Every task's answer to a text, and its embedding, by an exported model; lies in every export and runs alone.

Needs numpy, tokenizers and onnxruntime, or openvino for an export to OpenVINO.

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

FILES = ("model.onnx", "openvino_model.xml")  # the first that is there is taken
BATCH_SIZE = 32
_NOTHING = 1e-6  # of a probability that is left over by rounding

Arrays = dict[str, np.ndarray]
TextOrPair = str | tuple[str, str]


class MultiTaskOnnx:
    """An exported model; its answers are those of the pipeline of the model that was exported.

    Args:
        folder: Holds the graph, config.json and tokenizer.json; that of this file if left out.
        file: The graph, such as `model_int8.onnx`.

    Raises:
        FileNotFoundError: If the folder has no such graph.
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

    def predict(
        self, texts: Sequence[TextOrPair], *, top_k: int | None = 0, batch_size: int = BATCH_SIZE
    ) -> list[dict[str, Any]]:
        """Every task's answer to each text.

        Args:
            texts: N texts, or pairs of texts, each a tuple.
            top_k: How many labels to give for each task, the answer first and then by score; `None` for all of them,
                0 for the answer alone, or for a multi-label task the labels above their threshold.
            batch_size: Texts in one pass.

        Returns:
            For each text `{task: {"label": ..., "score": ...}}`, a list of these for a multi-label task and with
            `top_k`, `{"score": ...}` for a regression. A label, or number, is `None` where there is no answer.
        """
        outputs = self.run(texts, batch_size=batch_size)
        answers: list[dict[str, Any]] = [{} for _ in texts]
        refused: dict[str, np.ndarray] = {}
        for task in self.tasks:
            name, given = task["name"], task.get("given")
            scores, chosen, asked = (outputs[f"{name}.{part}"] for part in ("scores", "chosen", "asked"))
            refused[name] = _refused(task, asked, outputs[f"{name}.confidence"])
            if given:  # what depends on an answer that is refused has none either
                refused[name] |= refused[given["task"]]
            columns = (scores, chosen, asked, asked & ~refused[name])
            for answer, *row in zip(answers, *(each.tolist() for each in columns), strict=True):
                answer[name] = _answer(task, row, top_k)
        return answers

    def encode(self, texts: Sequence[TextOrPair], *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The sentence embedding of each text, (N, D) float32."""
        return self.run(texts, batch_size=batch_size)["sentence_embedding"]

    def run(self, texts: Sequence[TextOrPair], *, batch_size: int = BATCH_SIZE) -> Arrays:
        """All that the graph says of N texts, in their order.

        Args:
            texts: In any order of length; those of similar length share a batch.
            batch_size: Texts in one pass.

        Returns:
            `sentence_embedding` (N, D), and for each task `TASK.logits`; `TASK.scores` (N, C), of a regression its
            number (N, 1); `TASK.chosen` (N,), the id of the label, -1 where the question is not asked, of a multi-label
            task zeros and ones (N, C), of a regression its number; `TASK.asked` (N,); and `TASK.confidence` (N,), by
            which an answer is refused.

        Raises:
            TypeError: If the texts are a single one.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts is a single text, {texts!r}; give a list of texts")
        encoded = self._tokenizer.encode_batch(list(texts) or [""])  # of no texts the shapes are still those of one
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


def open_graph(path: Path) -> Callable[[Arrays], Arrays]:
    """A graph as a function from its inputs (B, T), and others that it leaves alone, to all of its outputs by name."""
    return _open_openvino(path) if path.suffix == ".xml" else _open_onnx(path)


def main(argv: list[str] | None = None) -> None:
    """Prints a line of JSON for each text."""
    parser = argparse.ArgumentParser(description="Every task's answer to each text, a line of JSON each.")
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
    wanted = file or " or ".join(FILES)
    raise FileNotFoundError(f"{folder} has no {wanted}; its graphs are: {', '.join(graphs) or 'none'}")


def _open_onnx(path: Path) -> Callable[[Arrays], Arrays]:
    session = importlib.import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, outputs = ([each.name for each in ends] for ends in (session.get_inputs(), session.get_outputs()))
    return lambda given: dict(zip(outputs, session.run(outputs, {name: given[name] for name in inputs}), strict=True))


def _open_openvino(path: Path) -> Callable[[Arrays], Arrays]:
    core = importlib.import_module("openvino").Core()
    graph = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})  # some processors take bfloat16
    inputs = [each.any_name for each in graph.inputs]

    def run(given: Arrays) -> Arrays:
        found = graph({name: given[name] for name in inputs})
        return {name: found[each] for each in graph.outputs for name in each.names}  # equal outputs are one

    return run


def _refused(task: dict[str, Any], asked: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """(N,) where an answer is not to be trusted enough to be given."""
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
        wanted = [option for option, given in ranked if given or top_k != 0]
        return wanted[: top_k or None] if answered else []
    unasked = max(1 - sum(scores), 0.0) if task.get("given") else 0.0
    if top_k == 0:
        label = task["labels"][chosen] if answered else None
        return {"label": label, "score": scores[chosen] if asked else unasked}
    if not asked or unasked > _NOTHING:
        options.append({"label": None, "score": unasked})
    answer = options.pop(chosen if asked else -1)  # the task that it depends on may have had a say in it
    return [answer, *sorted(options, key=lambda each: -each["score"])][:top_k]


if __name__ == "__main__":
    main()
