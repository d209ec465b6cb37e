"""Answers for four tasks, compared with four `text-classification` pipelines, and the cost of each additional task.

The heads use the weights of the four models, so the answers must be equal. all-MiniLM-L6-v2 with BERT's pooler and a
classifier is equal to a head with one hidden layer on the first token.
"""

import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Pipeline, pipeline

from benchmarks.speed.measuring import MINILM, RELATIVE_TIME, Row, compared, has_bf16, in_turns, minilm, sentences
from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import predict
from modeling_multitask.modeling_multitask import resolve_model_path

LABELS = ["negative", "neutral", "positive"]
HEAD = {"hidden_sizes": [384], "normalization": "none", "activation": "tanh", "dropout": 0.0}


def measure(pairs: int) -> list[Row]:
    """Compare four tasks with four pipelines, then 4 and 16 tasks with one."""
    texts = sentences(1000)
    with tempfile.TemporaryDirectory() as folder:
        pipelines = [_classifier(Path(folder) / str(i), seed=i) for i in range(4)]
        model, tokenizer = minilm(_tasks(4), pooling="cls", normalize=False, head=HEAD)
        for i, each in enumerate(pipelines):
            _take_over(model, f"task{i}", each)

        def one_after_another() -> list[list[dict]]:
            return [each(texts, batch_size=32) for each in pipelines]

        theirs, ours = in_turns(one_after_another, lambda: predict(model, texts, tokenizer=tokenizer), pairs=pairs)
        expected, found = one_after_another(), predict(model, texts, tokenizer=tokenizer)
    equal = [
        answers[f"task{i}"]["label"] == expected[i][row]["label"] for row, answers in enumerate(found) for i in range(4)
    ]
    kind = "bfloat16" if has_bf16() else "float32"
    rows = [
        compared(
            f"answers of 4 tasks to {len(texts):,} sentences, {kind}",
            "four text-classification pipelines, batch_size 32, one after another",
            theirs,
            ours,
            same={"equal answers": sum(equal) / len(equal)},
        )
    ]
    return rows + [_added(count, texts, pairs) for count in (4, 16)]


def _added(count: int, texts: list[str], pairs: int) -> Row:
    """Compare several tasks with one, and note the cost of each added task as a share of one task."""
    (one, tokenizer), (several, _) = (minilm(_tasks(number)) for number in (1, count))
    theirs, ours = in_turns(
        lambda: predict(one, texts, tokenizer=tokenizer),
        lambda: predict(several, texts, tokenizer=tokenizer),
        pairs=pairs,
    )
    row = compared(f"{count} tasks instead of 1", "ours with 1 task", theirs, ours, RELATIVE_TIME)
    row.notes["more for each added task"] = (row.ratio - 1) / (count - 1)
    return row


def _tasks(count: int) -> list[dict]:
    return [{"name": f"task{i}", "problem_type": "single_label_classification", "labels": LABELS} for i in range(count)]


def _classifier(folder: Path, seed: int) -> Pipeline:
    """Return a model with one task, saved and loaded like a trained model."""
    torch.manual_seed(seed)
    path = resolve_model_path(MINILM)
    names = dict(enumerate(LABELS))
    model = AutoModelForSequenceClassification.from_pretrained(path, id2label=names, dtype=torch.float32)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(path).save_pretrained(folder)
    return pipeline("text-classification", model=str(folder), device="cpu")


def _take_over(model: MultiTaskModel, task: str, classify: Pipeline) -> None:
    head = getattr(model.heads, task)
    head[0].load_state_dict(classify.model.bert.pooler.dense.state_dict())
    head[2].load_state_dict(classify.model.classifier.state_dict())
