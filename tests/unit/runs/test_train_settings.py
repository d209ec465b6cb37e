"""Complete runs on a tiny encoder: adapters, growing models, balanced weights, sources, resuming, plans."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import pipeline

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.train_output import show_plan
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.bundled import bundled_recipes
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.plan import plan
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import Run, run_recipe
from modeling_multitask.training.defaults import MOST_EPOCHS, RATES, TRAINING

RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: [8]}}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
data:
  train:
    - {{path: one.csv, labels: {{topic: topic}}}}
    - {{path: two.csv, labels: {{liked: liked}}}}
  split: {{validation: 0.25}}
training: {{num_train_epochs: 2, per_device_train_batch_size: 4, disable_tqdm: true}}
report: false
output_dir: {output}
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Any:
    words = ["film", "food", "film", "film"]
    one = [f"the {words[i % 4]} was {'good' if i % 2 else 'bad'},{words[i % 4]}" for i in range(16)]
    two = [f"a very {'good' if i % 3 else 'boring'} plot,{'yes' if i % 3 else 'no'}" for i in range(16)]
    (tmp_path / "one.csv").write_text("\n".join(["text,topic", *one]) + "\n")
    (tmp_path / "two.csv").write_text("\n".join(["text,liked", *two]) + "\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(backbone=backbone, output=tmp_path / "out"))
    return lambda *overrides: load_recipe(path, list(overrides))


def weights(run: Run) -> dict[str, torch.Tensor]:
    return MultiTaskModel.from_pretrained(run.folder).state_dict()


def test_a_recipe_with_adapters_leaves_a_merged_model(recipe: Any) -> None:
    run = run_recipe(recipe("lora={r: 2, use_dora: true}", "learning_rates={heads: 1e-2, backbone: 1e-2}"))

    assert not any("lora" in name or "original" in name for name in weights(run))
    assert not (run.folder.parent / "adapter").exists()


def test_an_adapter_is_kept_if_wanted(recipe: Any) -> None:
    run = run_recipe(recipe("lora={r: 2, keep_adapter: true}"))

    loaded = MultiTaskModel.from_pretrained(run.folder.parent / "adapter").eval()
    batch = run.tokenizer(["the film was good"], return_tensors="pt")
    torch.testing.assert_close(loaded(**batch).logits["topic"], run.model.eval()(**batch).logits["topic"])


def test_a_task_is_added_to_a_trained_model_and_the_old_head_keeps_its_weights(recipe: Any, tmp_path: Path) -> None:
    first = run_recipe(recipe())
    frozen = "phases=[{train: [heads.fresh]}]"
    third = "{name: fresh, problem_type: binary_classification, labels: ['no', 'yes']}"
    words = (f"tasks=[{{name: topic, problem_type: single_label_classification}}, {third}]", frozen)
    data = "data={train: [{path: one.csv, labels: {topic: topic}}, {path: two.csv, labels: {fresh: liked}}]}"

    second = run_recipe(recipe(f"start_from={first.folder}", f"output_dir={tmp_path}/grown", data, *words))

    old, new = weights(first), weights(second)
    assert all(torch.equal(new[name], old[name]) for name in new if "fresh" not in name)
    assert any("heads.fresh" in name for name in new)


def test_labels_are_renamed_and_their_order_is_kept(recipe: Any, tmp_path: Path) -> None:
    first = run_recipe(recipe())
    rows = (tmp_path / "one.csv").read_text().replace(",film", ",cinema")
    (tmp_path / "one.csv").write_text(rows)

    second = run_recipe(
        recipe(f"start_from={first.folder}", "rename_labels={film: cinema}", f"output_dir={tmp_path}/b")
    )

    assert second.model.config.tasks[0].labels == ["cinema", "food"]


def test_a_label_to_rename_that_no_task_has_is_refused(recipe: Any, tmp_path: Path) -> None:
    first = run_recipe(recipe())

    with pytest.raises(RecipeError, match=r"rename_labels: no kept task has the label 'flim'; did you mean 'film'"):
        prepare(recipe(f"start_from={first.folder}", "rename_labels={flim: cinema}", f"output_dir={tmp_path}/b"))


def test_a_trained_task_of_another_type_is_refused(recipe: Any, tmp_path: Path) -> None:
    first = run_recipe(recipe())
    other = "tasks.1={name: liked, problem_type: single_label_classification, labels: ['no', 'yes', 'maybe']}"

    with pytest.raises(
        RecipeError,
        match=r"start_from: .*'liked': its problem_type is single_label_.*with binary_",
    ):
        prepare(recipe(f"start_from={first.folder}", other, f"output_dir={tmp_path}/b"))


def test_a_start_with_another_pooling_is_refused(recipe: Any, tmp_path: Path) -> None:
    first = run_recipe(recipe())

    with pytest.raises(RecipeError, match=r"pooling: .* was trained with 'mean'; leave pooling out"):
        prepare(recipe(f"start_from={first.folder}", "pooling=max", f"output_dir={tmp_path}/b"))


def test_a_start_that_is_not_there_is_refused(recipe: Any) -> None:
    with pytest.raises(RecipeError, match="start_from: no/where: not a local folder, and not found on the Hub"):
        prepare(recipe("start_from=no/where"))


def test_balanced_weights_come_from_the_training_rows(recipe: Any) -> None:
    tasks = prepare(recipe("tasks.0.class_weights=balanced", "tasks.1.pos_weight=balanced", "data.split={}")).tasks

    assert tasks[0].class_weights == pytest.approx([16 / (2 * 12), 16 / (2 * 4)])  # 12 films, 4 foods
    assert tasks[1].pos_weight == pytest.approx([6 / 10])  # 6 without, 10 with


def test_weights_by_label_are_1_for_the_others(recipe: Any) -> None:
    tasks = prepare(recipe("tasks.0.class_weights={food: 2.0}", "tasks.1.pos_weight=3")).tasks

    assert (tasks[0].class_weights, tasks[1].pos_weight) == ([1.0, 2.0], [3.0])


def test_weights_are_taken_as_listed(recipe: Any) -> None:
    tasks = prepare(recipe("tasks.0.class_weights=[0.5, 2.0]", "tasks.1.pos_weight=3")).tasks

    assert (tasks[0].class_weights, tasks[1].pos_weight) == ([0.5, 2.0], [3.0])


@pytest.mark.parametrize("strategy", ["proportional", "temperature", "round_robin", "annealed"])
def test_rows_say_their_source_where_it_is_sampled_by(recipe: Any, strategy: str) -> None:
    rows = prepare(recipe(f"sampling={{strategy: {strategy}}}", "data.split={}")).rows["train"]

    assert list(rows["source"]) == [0] * 16 + [1] * 16


@pytest.mark.parametrize(
    "words",
    ["balancing=uncertainty", "sampling={strategy: balanced, task: topic}", "conflict=log", "freeze=[embeddings]"],
)
def test_a_word_of_a_recipe_trains(recipe: Any, words: str) -> None:
    assert run_recipe(recipe(words)).folder.is_dir()


def test_token_budgets_take_the_place_of_batch_sizes(recipe: Any) -> None:
    words = "training={num_train_epochs: 1, disable_tqdm: true}"

    assert run_recipe(recipe("tokens_per_batch=32", words)).folder.is_dir()


def test_a_finished_run_is_resumed_to_the_same_results(recipe: Any) -> None:
    first = run_recipe(recipe())
    before = weights(first)
    shutil.rmtree(first.folder)

    second = run_recipe(recipe("resume=true"))

    assert second.results == first.results
    assert all(torch.equal(before[name], each) for name, each in weights(second).items())


def test_a_run_is_not_resumed_by_another_recipe(recipe: Any) -> None:
    run_recipe(recipe())

    with pytest.raises(RecipeError, match="seed: is 1; the run was started with 0"):
        run_recipe(recipe("resume=true", "seed=1"))


def test_a_run_that_has_no_checkpoint_starts(recipe: Any) -> None:
    assert run_recipe(recipe("resume=true")).folder.is_dir()


def test_a_forced_run_leaves_nothing_of_the_one_before(recipe: Any, tmp_path: Path) -> None:
    run_recipe(recipe())
    leftover = tmp_path / "out" / "checkpoints" / "checkpoint-999"
    leftover.mkdir()

    run_recipe(recipe(), force=True)

    assert not leftover.exists()


def test_a_plan_counts_groups_phases_steps_and_rows(recipe: Any, tmp_path: Path) -> None:
    phases = "phases=[{train: [heads], until: epoch 1, learning_rates: {heads: 1e-3}}, {train: [heads, layers.1]}]"

    made = plan(recipe(phases, "learning_rates={heads: 1e-4, backbone: 1e-5, layer_decay: 0.5}"))

    rates = {group.name: group.rates for group in made.groups}
    assert rates == {
        "heads": [1e-3, 1e-4],
        "layers.1": [None, 1e-5],
        "layers.0": [None, None],
        "embeddings": [None, None],
    }
    assert (made.steps_per_epoch, made.steps, made.rows["train"]) == (6, 12, 24)
    assert made.trained[0] < made.trained[1] < made.parameters
    assert not (tmp_path / "out").exists()


def test_the_recipe_of_a_run_is_noted_beside_it(recipe: Any, tmp_path: Path) -> None:
    run_recipe(recipe("seed=3"))

    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["seed"] == 3


def test_the_model_that_a_run_starts_from_is_not_overwritten(recipe: Any) -> None:
    first = run_recipe(recipe())

    with pytest.raises(RecipeError, match=r"output_dir: .* contains the model of start_from; choose another"):
        run_recipe(recipe(f"start_from={first.folder}"), force=True)


def test_a_picture_of_nothing_does_not_cost_the_model(recipe: Any) -> None:
    one = "tasks=[{name: topic, problem_type: single_label_classification}]"
    data = "data={train: {path: one.csv, labels: {topic: topic}}}"

    run = run_recipe(recipe("conflict=log", one, data))

    assert (run.folder / "model.safetensors").is_file()
    assert not (run.folder.parent / "conflict.png").exists()


PAIRS = "data={train: {path: pairs.csv, text: [premise, hypothesis]}, split: {validation: 0.25}}"


@pytest.fixture
def paired(recipe: Any, tmp_path: Path) -> Any:
    """The recipe on rows of two texts."""
    rows = [f"the {'film' if i % 2 else 'soup'},was good,{'film' if i % 2 else 'food'},yes" for i in range(16)]
    (tmp_path / "pairs.csv").write_text("\n".join(["premise,hypothesis,topic,liked", *rows]) + "\n")
    return lambda *words: recipe(PAIRS, *words)


def test_rows_of_pairs_are_tokenised_as_pairs(paired: Any) -> None:
    prepared = prepare(paired())

    row = prepared.rows["train"][0]
    assert row["input_ids"] == prepared.tokenizer(row["text"], row["text_pair"])["input_ids"]
    assert row["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]


def test_a_recipe_of_pairs_trains_and_its_model_answers_pairs(paired: Any) -> None:
    run = run_recipe(paired())

    classify = pipeline("multitask-classification", model=str(run.folder), trust_remote_code=True)
    assert run.results["validation"]["topic"]["rows"] == 4
    assert list(classify({"text": "the film", "text_pair": "was good"})) == ["topic", "liked"]


@pytest.mark.parametrize("words", ["tokens_per_batch=32", "training.train_sampling_strategy=group_by_length"])
def test_pairs_are_batched_by_the_length_of_both(paired: Any, words: str) -> None:
    batch_size = ["training={num_train_epochs: 1, disable_tqdm: true}"]

    assert run_recipe(paired(*batch_size, words)).folder.is_dir()


@pytest.fixture
def streamed(recipe: Any, tmp_path: Path) -> Any:
    """The recipe with both sources streamed, and a file of validation rows."""
    rows = [f"the {'film' if i % 2 else 'food'} was bad,{'film' if i % 2 else 'food'},no" for i in range(8)]
    (tmp_path / "validation.csv").write_text("\n".join(["text,topic,liked", *rows]) + "\n")
    words = ["data.streaming=true", "data.split={}", "data.validation=validation.csv", "training.max_steps=4"]
    return lambda *more: recipe(*words, "tasks.0.labels=[film, food]", *more)


def test_a_run_of_streamed_rows_trains_evaluates_and_saves(streamed: Any, tmp_path: Path) -> None:
    run = run_recipe(streamed("training.save_total_limit=4"))

    assert run.results["validation"]["topic"]["rows"] == 8
    assert run.labelled_rows == {"topic": None, "liked": None}
    assert (run.folder / "model.safetensors").is_file()
    states = [json.loads(path.read_text()) for path in tmp_path.glob("out/checkpoints/*/trainer_state.json")]
    history = max(states, key=lambda state: state["global_step"])["log_history"]
    assert [entry["step"] for entry in history if "eval_loss" in entry] == [1, 2, 3, 4]


def test_streamed_rows_go_on_from_the_start_when_they_end(streamed: Any) -> None:
    # 32 rows in batches of 4: the twelfth step is in the second epoch.
    assert run_recipe(streamed("training.max_steps=12")).folder.is_dir()


def test_streamed_rows_change_the_weights(streamed: Any) -> None:
    run = run_recipe(streamed("learning_rates={heads: 1e-2, backbone: 1e-2}", "training.load_best_model_at_end=false"))

    fresh, trained = prepare(streamed()).trainer.model.state_dict(), weights(run)
    assert not all(torch.equal(trained[name], fresh[name]) for name in trained)


def test_a_plan_of_streamed_rows_knows_their_steps_but_not_their_number(streamed: Any) -> None:
    made = plan(streamed())

    assert (made.steps_per_epoch, made.steps, made.rows) == (0, 4, {"validation": 8})
    assert made.labelled == {"topic": None, "liked": None}


def test_a_dry_run_says_that_rows_are_streamed(
    streamed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(plan(streamed()))

    printed = capsys.readouterr().out
    assert "steps: 4, training rows are streamed\nrows: validation 8\nlabelled training rows: unknown\n" in printed
    assert not (tmp_path / "out").exists()


def test_an_empty_list_freezes_nothing(recipe: Any) -> None:
    assert prepare(recipe("freeze=[]")).trainer.args.freeze == "none"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("tasks.0.class_weights=[1, 2, 3]", r"tasks: task 'topic': class_weights is .*; it must be 2 non-negative"),
        ("freeze=[heads, backbone]", "phases: no parameter is left to train in 'everything without heads, backbone'"),
        ("freeze=[layers.0-9]", "freeze: 'layers.0-9': there are no such layers; this encoder has the layers 0 to 1"),
        ("learning_rates={patterns: {nowhere: 0.1}}", "learning_rates: the pattern 'nowhere' matches no parameter"),
        ("lora={target_modules: [qeury]}", "lora.target_modules: no layer is named 'qeury'; layers here: dense, key,"),
    ],
)
def test_what_does_not_fit_the_model_is_an_error_with_its_place(recipe: Any, words: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        prepare(recipe(words))


def test_a_report_lies_beside_the_model_and_its_figures_are_those_of_the_results(recipe: Any) -> None:
    run = run_recipe(recipe("report=true", "data.split.test=0.25"))

    report = json.loads((run.folder.parent / "report" / "report.json").read_text())
    assert (report["split"], report["rows"]) == ("test", run.results["test"]["topic"]["rows"] * 2)
    for name, task in report["tasks"].items():
        found = {figure: task["figures"][figure]["value"] for figure in ("accuracy", "macro_f1")}
        assert found == pytest.approx({figure: run.results["test"][name][figure] for figure in found})
    assert (run.folder.parent / "report" / "report.html").is_file()


def test_the_rows_of_a_report_are_those_of_their_labels(recipe: Any) -> None:
    words = recipe("report=true", "training.per_device_eval_batch_size=2")
    folder = run_recipe(words).folder.parent
    rows = build_dataset(words)[0]["validation"]

    worst = json.loads((folder / "report" / "report.json").read_text())["tasks"]["topic"]["errors"]["worst"]

    assert worst
    for each in worst:
        row = rows[each["row"]]
        assert each["text"] == row["text"]
        assert each["label"] == rows.features["topic"].int2str(row["topic"])
        table = words.data.train[0].path
        assert each["table"] == Path(table).name
        assert each["text"] in Path(table).read_text().splitlines()[each["line"] - 1]


def test_without_test_rows_the_report_is_on_those_of_validation_and_says_so(recipe: Any) -> None:
    run = run_recipe(recipe("report=true"))

    report = json.loads((run.folder.parent / "report" / "report.json").read_text())
    assert report["split"] == "validation"
    assert "the metrics are optimistic" in report["notes"][0]


def test_a_report_that_fails_loses_nothing_of_the_run(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("modeling_multitask.runs.outputs.write_report", fail)

    assert (run_recipe(recipe("report=true")).folder / "config.json").is_file()


def test_an_overwritten_run_leaves_no_calibration_behind(recipe: Any) -> None:
    folder = run_recipe(recipe()).folder.parent
    assert (folder / "calibration.json").is_file()

    run_recipe(recipe("calibrate=[]"), force=True)

    assert not (folder / "calibration.json").exists()


def test_a_grown_model_reads_the_scores_of_a_kept_task_as_before(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_multitask.evaluation.calibration.FEWEST_ROWS", 1)
    first = run_recipe(recipe())

    second = run_recipe(
        recipe(f"start_from={first.folder}", f"output_dir={tmp_path}/grown", "freeze=everything", "calibrate=[]")
    )

    assert [task.temperature for task in second.model.config.tasks] == [
        task.temperature for task in first.model.config.tasks
    ]
    assert first.model.config.tasks[0].temperature != 1


def test_a_run_with_nothing_held_out_has_no_report_and_the_last_one_is_gone(recipe: Any) -> None:
    folder = run_recipe(recipe("report=true")).folder.parent

    run_recipe(recipe("report=true", "data.split={}", "calibrate=[]"), force=True)

    assert not (folder / "report").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.dataloader_persistent_workers=true", "persistent_workers option needs num_workers"),
        ("training.log_level=loud", "a value is refused by transformers .KeyError: 'loud'"),
        ("training.parallelism_config=3", "a value is refused by accelerate"),
        ("training.label_names=3", "training: label_names is 3; leave it out"),
        ("lora.rank=2", "lora.rank: no such word; words here: .*lora_alpha"),
    ],
)
def test_a_value_that_a_library_refuses_is_an_error_before_training(recipe: Any, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        plan(recipe(override))


@pytest.mark.parametrize("word", ["seed", "data.split.seed", "data.hide_labels.seed"])
def test_a_seed_is_one_that_numpy_takes(recipe: Any, word: str) -> None:
    hidden = ["data.hide_labels.fraction=0.1"] if "hide" in word else []

    for seed in (-1, 2**32):
        with pytest.raises(RecipeError, match=f"{word}: is {seed}; it must be at (least 0|most 4294967295)"):
            recipe(*hidden, f"{word}={seed}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.per_device_train_batch_size=0", "is 0; it must be at least 1"),
        ("training.gradient_accumulation_steps=0", "is 0; it must be at least 1"),
        ("training.dataloader_num_workers=-1", "is -1; it must be at least 0"),
        ("training.num_train_epochs=1e308", r"is 1e\+308; it must be at most 1000000"),
        (f"head.hidden_sizes=[{10**400}]", "has 401 digits; it must fit in 64 bits"),
    ],
)
def test_a_number_that_would_fail_later_is_an_error_of_its_word(recipe: Any, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(override)


def test_a_recipe_without_training_words_gets_the_defaults(recipe: Any) -> None:
    arguments = prepare(recipe("training={disable_tqdm: true}")).trainer.args

    assert {name: getattr(arguments, name) for name in TRAINING} == TRAINING
    assert arguments.num_train_epochs == MOST_EPOCHS
    assert arguments.rates() == RATES


def test_words_of_training_win_over_the_defaults(recipe: Any) -> None:
    words = ("num_train_epochs=5", "per_device_train_batch_size=2", "warmup_steps=0", "lr_scheduler_type=cosine")

    prepared = prepare(recipe(*(f"training.{word}" for word in words)))

    arguments = prepared.trainer.args
    assert (arguments.num_train_epochs, arguments.train_batch_size, arguments.warmup_steps) == (5, 2, 0)
    assert arguments.lr_scheduler_type == "cosine"
    assert prepared.labelled is None


def test_steps_of_a_recipe_win_over_the_default_epochs(recipe: Any) -> None:
    planned = plan(recipe("training={max_steps: 3}"))

    assert (planned.steps, planned.labelled_rows) == (3, None)


def test_rows_without_a_label_do_not_count_for_the_epochs(recipe: Any, tmp_path: Path) -> None:
    with (tmp_path / "one.csv").open("a") as file:
        file.writelines(f"sentence number {i},\n" for i in range(40))

    assert prepare(recipe("training={}", "data.split={}")).labelled == 32


def test_the_chosen_number_of_epochs_is_printed_before_training(recipe: Any, capsys: Any) -> None:
    line = f"training for {MOST_EPOCHS} epochs ({2 * MOST_EPOCHS} steps): 24 rows have labels"

    run = run_recipe(recipe("training={}"))

    out, err = capsys.readouterr()
    assert line in out + err
    assert run.record["epochs"] == MOST_EPOCHS
    show_plan(plan(recipe("training={}")))
    assert line in capsys.readouterr().out


def test_a_given_number_of_epochs_is_not_printed(recipe: Any, capsys: Any) -> None:
    show_plan(plan(recipe()))

    assert "rows have labels" not in capsys.readouterr().out


def test_bundled_recipes_name_the_settings_whose_defaults_may_change() -> None:
    for name in bundled_recipes():
        recipe = load_recipe(name)
        rates = [recipe.learning_rates, *(phase.learning_rates for phase in recipe.phases or [])]
        assert any(rates), name
        constant = recipe.training.get("lr_scheduler_type") == "constant"
        assert {"num_train_epochs", "per_device_train_batch_size"} <= set(recipe.training), name
        assert constant or "warmup_steps" in recipe.training, name
