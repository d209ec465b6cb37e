"""Runs with teachers: what the model learns from them, and what the results, the report and the card tell."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertForSequenceClassification

from modeling_multitask import MultiTaskModel, MultiTaskTrainer, TaskConfig
from modeling_multitask.commands.train_output import teacher_lines
from modeling_multitask.errors import RecipeError
from modeling_multitask.publishing.card.training import data_facts
from modeling_multitask.publishing.evidence import read_evidence
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.cached_source import CachedSource
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.run import Run, run_recipe
from modeling_multitask.runs.taught import time_teachers
from modeling_multitask.runs.teacher_sources import ModelSource
from modeling_multitask.runs.teachers import open_teachers
from modeling_multitask.training.defaults import default_epochs
from modeling_multitask.training.prefix.store import PrefixStore
from modeling_multitask.training.progress import describe_epochs
from tests.conftest import save_backbone, tiny_bert_config

TOPIC: dict[str, Any] = {
    "name": "topic",
    "problem_type": "single_label_classification",
    "labels": ["film", "food", "phone"],
}
MOOD: dict[str, Any] = {"name": "mood", "problem_type": "binary_classification", "labels": ["sad", "glad"]}
WORDS = {"film": ["film", "plot"], "food": ["food", "soup"], "phone": ["phone", "screen"]}
MOODS = {"sad": ["bad", "boring", "broken"], "glad": ["good", "great", "tasty"]}


def texts_and_labels(count: int, seed: int) -> list[str]:
    """Lines of a table whose words tell the topic and the mood."""
    draw = random.Random(seed)
    rows = [(draw.choice(list(WORDS)), draw.choice(list(MOODS))) for _ in range(count)]
    return [f"the {draw.choice(WORDS[t])} was {draw.choice(MOODS[m])} {draw.choice(WORDS[t])},{t},{m}" for t, m in rows]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, and rows for training and test. Of the training rows `few.csv`, 6 have labels."""
    folder = tmp_path_factory.mktemp("teachers")
    (folder / "backbone").mkdir()
    save_backbone(folder / "backbone")
    train = texts_and_labels(96, 0)
    few = [line if i < 6 else f"{line.split(',')[0]},," for i, line in enumerate(train)]
    for name, lines in (("train", train), ("few", few), ("test", texts_and_labels(48, 1))):
        (folder / f"{name}.csv").write_text("\n".join(["text,topic,mood", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(work: Path) -> Callable[..., Run]:
    """Train a recipe with these tasks."""

    def start(name: str, *tasks: dict[str, Any], rows: str = "few.csv", **more: Any) -> Run:
        data = {"train": str(work / rows), "test": str(work / "test.csv"), **more.pop("data", {})}
        training = {
            "max_steps": 60,
            "per_device_train_batch_size": 16,
            "disable_tqdm": True,
            **more.pop("training", {}),
        }
        words = {
            "backbone": str(work / "backbone"),
            "tasks": list(tasks),
            "data": {word: each for word, each in data.items() if each},
            "training": training,
            "learning_rates": {"heads": 1e-2, "backbone": 1e-3},
            "head": {"hidden_sizes": []},
            "max_length": 16,
            "probe": False,
            "baseline": "constant",
            "output_dir": str(work / name),
            **more,
        }
        return run_recipe(load_recipe({word: each for word, each in words.items() if each is not None}), force=True)

    return start


@pytest.fixture(scope="module")
def teachers(run: Callable[..., Run]) -> dict[str, str]:
    """The folders of two models of one task each, which have learned all labels."""
    tasks = {"topic": TOPIC, "mood": MOOD}
    return {name: str(run(f"old_{name}", task, rows="train.csv").folder) for name, task in tasks.items()}


def taught(task: dict[str, Any], teachers: dict[str, str], **words: Any) -> dict[str, Any]:
    return {**task, "teacher": {"model": teachers[task["name"]], **words}}


@pytest.fixture(scope="module")
def student(run: Callable[..., Run], teachers: dict[str, str]) -> Run:
    """One model that has learned from both."""
    return run("student", taught(TOPIC, teachers), taught(MOOD, teachers))


def agreement(run: Run, task: str) -> float:
    found: float = run.results["test"][task]["teacher"]["agreement"]["same_answer"]
    return found


@pytest.mark.parametrize("task", ["topic", "mood"])
def test_a_taught_model_answers_more_like_its_teacher(
    task: str, work: Path, student: Run, run: Callable[..., Run], teachers: dict[str, str]
) -> None:
    # The same rows with their own labels, and nearly nothing of the teacher in them.
    lines = (work / "few.csv").read_text().splitlines()[:7]
    (work / "labelled.csv").write_text("\n".join(lines) + "\n")
    untaught = run("untaught", *(taught(each, teachers, weight=1e-9) for each in (TOPIC, MOOD)), rows="labelled.csv")

    assert agreement(student, task) > agreement(untaught, task) + 0.1


def test_the_results_have_the_metrics_of_the_teacher(student: Run, teachers: dict[str, str]) -> None:
    old = json.loads((Path(teachers["topic"]).parent / "results.json").read_text())["test"]["topic"]
    found = student.results["test"]["topic"]["teacher"]

    assert json.loads((student.folder.parent / "results.json").read_text()) == student.results
    assert (found["model"], found["accuracy"]) == ("old_topic/model", pytest.approx(old["accuracy"]))


def test_the_record_tells_labelled_and_taught_rows_apart(student: Run) -> None:
    record = json.loads((student.folder.parent / "training.json").read_text())

    assert (record["labelled_rows"], record["taught_rows"]) == ({"topic": 6, "mood": 6}, {"topic": 96, "mood": 96})


def test_the_record_has_the_time_of_the_teachers_and_of_the_model(student: Run) -> None:
    found = json.loads((student.folder.parent / "training.json").read_text())["teachers"]

    assert (found["models"], found["texts"]) == (2, 48)
    assert found["seconds"] > 0 < found["model_seconds"]


def test_the_report_compares_the_model_with_its_teachers(student: Run) -> None:
    folder = student.folder.parent / "report"
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()

    sentence = f"{agreement(student, 'mood'):.1%} of 48 answers are those of the teacher old_mood/model."
    assert sentence in page
    assert sentence.replace("_", r"\_") in text
    assert "2 teachers answer 48 texts in " in text
    assert json.loads((folder / "report.json").read_text())["tasks"]["mood"]["teacher"]["model"] == "old_mood/model"


def test_the_output_compares_the_model_with_its_teachers(student: Run) -> None:
    lines = teacher_lines("test", student.results["test"], student.record)

    assert lines[0] == "Teachers on the test rows:"
    assert (
        lines[1]
        == f"    topic: {agreement(student, 'topic'):.1%} of 48 answers are those of the teacher old_topic/model"
    )
    assert lines[2].startswith("        macro F1: this model ")
    assert lines[-1].startswith("    2 teachers answer 48 texts in ")


def test_the_card_names_the_teachers(student: Run) -> None:
    assert data_facts(read_evidence(student.folder))["notes"] == [
        "Learned from the answers of teachers on all training rows: topic from old\\_topic, mood from old\\_mood."
    ]


def test_a_task_learns_from_its_teacher_without_any_label(
    work: Path, run: Callable[..., Run], teachers: dict[str, str]
) -> None:
    train = {"path": str(work / "train.csv"), "labels": {"mood": "mood"}}

    found = run("no_labels", taught(TOPIC, teachers), MOOD, data={"train": train})

    assert found.labelled_rows == {"topic": 0, "mood": 96}
    assert agreement(found, "topic") > 0.8


def test_a_classifier_of_transformers_teaches(work: Path, run: Callable[..., Run]) -> None:
    torch.manual_seed(3)
    model = BertForSequenceClassification(tiny_bert_config(id2label={0: "LABEL_0", 1: "LABEL_1"}))
    model.classifier.weight.data *= 50  # random, and sure of its answers
    model.save_pretrained(work / "classifier")
    AutoTokenizer.from_pretrained(work / "backbone").save_pretrained(work / "classifier")
    teacher = {"model": str(work / "classifier"), "labels": {"LABEL_0": "glad", "LABEL_1": "sad"}}

    found = run("from_classifier", {**MOOD, "teacher": teacher})

    assert found.results["test"]["mood"]["teacher"]["model"] == "classifier"
    assert agreement(found, "mood") > 0.6


def test_recorded_answers_teach_and_have_no_time(work: Path, run: Callable[..., Run]) -> None:
    lines = [
        line.split(",") for name in ("train", "test") for line in (work / f"{name}.csv").read_text().splitlines()[1:]
    ]
    rows = [f"{text},{0.9 if mood == 'sad' else 0.1},{0.1 if mood == 'sad' else 0.9}" for text, _, mood in lines]
    (work / "recorded.csv").write_text("\n".join(["text,sad,glad", *rows]) + "\n")

    found = run("from_table", {**MOOD, "teacher": str(work / "recorded.csv")})

    assert agreement(found, "mood") > 0.9
    assert "teachers" not in found.record


def test_a_teacher_teaches_adapters_and_a_trained_model(run: Callable[..., Run], teachers: dict[str, str]) -> None:
    found = run(
        "adapters", taught(MOOD, teachers), start_from=teachers["topic"], backbone=None, head=None, lora={"r": 4}
    )

    assert agreement(found, "mood") > 0.6


def test_each_row_of_a_fold_has_its_teachers_answer(run: Callable[..., Run], teachers: dict[str, str]) -> None:
    data = {"test": None, "split": {"folds": 2}}

    found = run("folds", taught(MOOD, teachers), rows="train.csv", data=data, training={"max_steps": 20})

    assert found.results["test"]["mood"]["teacher"]["agreement"]["rows"] == 96


def test_a_resumed_run_learns_the_same(run: Callable[..., Run], teachers: dict[str, str]) -> None:
    words = {"training": {"max_steps": 8, "save_strategy": "steps", "save_steps": 4, "save_total_limit": 2}}
    whole = run("resumed", taught(MOOD, teachers), **words)
    before = {name: each.clone() for name, each in MultiTaskModel.from_pretrained(whole.folder).state_dict().items()}
    shutil.rmtree(whole.folder.parent / "checkpoints" / "checkpoint-8")

    again = run("resumed", taught(MOOD, teachers), **words, resume=True)

    after = MultiTaskModel.from_pretrained(again.folder).state_dict()
    assert again.record["resumed"] == 1
    assert all(torch.equal(each, after[name]) for name, each in before.items())


@pytest.mark.usefixtures("whole_probe")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"freeze": ["layers.0-9"]}, "layers"),
        ({"lora": {"target_modules": ["nowhere"]}}, "lora"),
        ({"training": {"optim": "best"}}, "best is not a valid"),
        ({"training": {"dataloader_prefetch_factor": 2}}, "prefetch_factor"),
        ({"probe": True, "rows": "strange.csv"}, "does not know .*% of the tokens"),
    ],
    ids=["parts", "adapters", "argument", "loading", "probe"],
)
def test_errors_are_reported_before_a_teacher_is_asked(
    words: dict[str, Any],
    problem: str,
    work: Path,
    run: Callable[..., Run],
    teachers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CachedSource, "complete", never_asked)
    (work / "strange.csv").write_text("text,mood\nкот кит,glad\nкит,sad\n")

    with pytest.raises((RecipeError, ValueError), match=problem):
        run("wrong", taught(MOOD, teachers), **words)


def never_asked(*_: Any, **__: Any) -> None:
    raise AssertionError("the teacher was asked")


def test_a_teacher_is_not_asked_after_training(
    run: Callable[..., Run], teachers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = MultiTaskTrainer.train

    def then_nothing(self: MultiTaskTrainer, **words: Any) -> Any:
        monkeypatch.setattr(PrefixStore, "add", never_asked)
        return train(self, **words)

    monkeypatch.setattr(MultiTaskTrainer, "train", then_nothing)
    (Path(teachers["mood"]).parent / "copy").mkdir()
    teacher = shutil.copytree(teachers["mood"], Path(teachers["mood"]).parent / "copy" / "model")
    MultiTaskModel.from_pretrained(teacher).half().save_pretrained(teacher)  # another teacher, without answers on disk

    found = run("asked_before", {**MOOD, "teacher": str(teacher)}, training={"max_steps": 1})

    assert found.results["test"]["mood"]["teacher"]["agreement"]["rows"] == 48


def test_the_linear_probe_learns_from_labels_only(
    run: Callable[..., Run], teachers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")

    run("probed", taught(MOOD, teachers), baseline="linear_probe", training={"max_steps": 1})

    assert "Baseline: 54 texts were embedded" in caplog.text  # 6 labelled training rows, and 48 test rows


def test_the_folds_ask_a_teacher_once_and_take_the_time_once(
    run: Callable[..., Run], work: Path, teachers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.replace("the ", "a ", 1) for line in (work / "train.csv").read_text().splitlines()]
    (work / "new.csv").write_text("\n".join(lines) + "\n")  # no other test has asked about these texts
    written: list[str] = []
    add = PrefixStore.add
    monkeypatch.setattr(PrefixStore, "add", lambda self, keys, states: (written.extend(keys), add(self, keys, states)))

    found = run(
        "asked_once",
        taught(MOOD, teachers),
        rows="new.csv",
        data={"test": None, "split": {"folds": 2}},
        training={"max_steps": 1},
    )

    assert len(written) == len(set(written)) == len({line.split(",")[0] for line in lines[1:]})
    records = [found.folder.parent / place / "training.json" for place in (".", "folds/1", "folds/2")]
    assert ["teachers" in json.loads(path.read_text()) for path in records] == [True, False, False]


def test_the_time_of_the_teachers_and_of_the_model_is_for_the_same_work(
    student: Run, teachers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu, tasks = torch.device("cpu"), student.model.config.tasks
    words = {"backbone": "a/b", "tasks": [taught(each, teachers) for each in (TOPIC, MOOD)], "data": {"train": "x.csv"}}
    opened = open_teachers(load_recipe(words), tasks, device=cpu)
    asked: list[tuple[int, list[str]]] = []
    answers = ModelSource.answers

    def noted(self: ModelSource, texts: list[str], keys: list[str]) -> Any:
        asked.append((len(texts), keys))
        return answers(self, texts, keys)

    monkeypatch.setattr(ModelSource, "answers", noted)

    time_teachers(opened, student.model, student.tokenizer, ["a film"] * 150)

    own = [(100, ["topic", "mood"]), (150, ["topic", "mood"])]
    assert asked == [(100, ["topic"]), (100, ["mood"]), (150, ["topic"]), (150, ["mood"]), *own]


def test_a_teacher_answers_on_the_device_of_the_run(teachers: dict[str, str]) -> None:
    words = {"backbone": "a/b", "tasks": [taught(MOOD, teachers)], "data": {"train": "x.csv"}}

    [teacher] = open_teachers(load_recipe(words), [TaskConfig(**MOOD)], device=torch.device("meta"))

    assert teacher.source.source._encoder.device.type == "meta"  # type: ignore[union-attr]


def test_a_plan_counts_the_taught_rows_for_the_epochs(work: Path, teachers: dict[str, str]) -> None:
    words = {"backbone": str(work / "backbone"), "tasks": [taught(MOOD, teachers)], "probe": False, "max_length": 16}
    recipe = load_recipe({**words, "data": {"train": str(work / "few.csv")}, "output_dir": str(work / "planned")})

    found = plan(recipe)

    assert (found.labelled, found.labelled_rows, found.only_taught) == ({"mood": 6}, 6, 90)
    assert found.epochs == default_epochs(found.phases, 96, found.steps_per_epoch)
    assert describe_epochs(found.epochs, found.steps, 6, found.only_taught).endswith(
        ": 6 rows have labels, and 90 others have the answer of a teacher"
    )


def test_a_run_does_not_overwrite_its_teacher(work: Path, teachers: dict[str, str]) -> None:
    recipe = load_recipe(
        {"backbone": "a/b", "tasks": [taught(MOOD, teachers)], "data": {"train": str(work / "few.csv")}}
    )

    with pytest.raises(
        RecipeError, match=r"old_mood contains the model of tasks\[0\]\.teacher; choose another output_dir"
    ):
        run_recipe(replace(recipe, output_dir=str(work / "old_mood")), force=True)
