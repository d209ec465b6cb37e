"""Recipes: the allowed words, and all errors reported together with their location."""

import re
from pathlib import Path

import pytest

from datasets_builder.join import Join
from datasets_builder.source import JoinedText, LabelColumn
from modeling_multitask import TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.recipes.record import recipe_words, recorded_words
from modeling_multitask.recipes.training_words import SAID_ELSEWHERE
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "configuration" / "recipes").rglob("*.yaml"))
TASK = "{name: topic, problem_type: single_label_classification, labels: [film, food]}"
RECIPE = f"""
backbone: some/encoder
tasks:
  - {TASK}
data:
  train: {{path: tables/reviews.csv, labels: {{topic: column}}}}
"""


def load(folder: Path, content: str, *overrides: str) -> Recipe:
    path = folder / "tiny.yaml"
    path.write_text(content, encoding="utf-8")
    return load_recipe(path, list(overrides))


def problems(folder: Path, content: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(folder, content, *overrides)
    return caught.value.problems


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_package_is_read(path: Path) -> None:
    assert load_recipe(path).tasks


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_table_of_the_packages_recipes_is_there(path: Path) -> None:
    data = load_recipe(path).data

    assert [
        source.path for source in [*data.train, *data.validation, *data.test] if not Path(source.path).is_file()
    ] == []


def test_numbers_are_words_wherever_labels_are(tmp_path: Path) -> None:
    content = """
backbone: some/encoder
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [0, 1.0], aliases: {x: 1}}
  - name: part
    problem_type: single_label_classification
    labels: [007, 8]
    given: {task: topic, parents: {007: 0, 8: 1}}
data:
  train: {path: reviews.csv, labels: {topic: {column: topic, aliases: {-1: 0}}, part: part}}
"""

    recipe = load(tmp_path, content)

    topic, part = recipe.tasks
    assert (topic.labels, topic.aliases, part.labels) == (["0", "1"], {"x": "1"}, ["007", "8"])
    assert part.given is not None
    assert part.given.parents == {"007": "0", "8": "1"}
    assert recipe.data.train[0].label_columns["topic"].aliases == {"-1": "0"}


def test_a_recipe_needs_little(tmp_path: Path) -> None:
    recipe = load(tmp_path, RECIPE)

    assert (recipe.pooling, recipe.freeze, recipe.seed, recipe.head) == (None, ["none"], 0, None)


def test_the_output_folder_is_named_after_the_recipe(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE).output_dir == "runs/tiny"


def test_an_output_folder_that_is_given_is_relative_to_the_current_folder(tmp_path: Path) -> None:
    assert load(tmp_path, f"output_dir: somewhere\n{RECIPE}").output_dir == "somewhere"


def test_paths_of_tables_are_relative_to_the_recipe(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE).data.train[0].path == str(tmp_path / "tables" / "reviews.csv")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_paths_of_the_other_splits_are_relative_to_the_recipe_too(tmp_path: Path, split: str) -> None:
    recipe = load(tmp_path, RECIPE, f"data.{split}={{path: other.csv, labels: {{topic: column}}}}")

    assert getattr(recipe.data, split)[0].path == str(tmp_path / "other.csv")


def test_an_absolute_path_of_a_table_stays(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE, "data.train.path=/tables/reviews.csv").data.train[0].path == "/tables/reviews.csv"


def test_a_backbone_is_a_folder_if_one_lies_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "some" / "encoder").mkdir(parents=True)

    assert load(tmp_path, RECIPE).backbone == str(tmp_path / "some" / "encoder")


def test_a_backbone_that_is_no_folder_stays_as_it_is_written(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE).backbone == "some/encoder"


def test_one_source_may_be_written_without_a_list(tmp_path: Path) -> None:
    source = load(tmp_path, RECIPE).data.train[0]

    assert (source.labels, source.text) == ({"topic": "column"}, "text")


@pytest.mark.parametrize("name", ["reviews.csv", "folder"])
def test_a_source_may_be_its_path_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()

    source = load(tmp_path, RECIPE, f"data.train={name}").data.train[0]

    assert (source.path, source.labels) == (str(tmp_path / name), None)


def test_what_can_only_be_on_the_hub_stays_as_it_is_written(tmp_path: Path) -> None:
    assert load(tmp_path, RECIPE, "data.train=owner/reviews").data.train[0].path == "owner/reviews"


def test_labels_may_be_in_several_columns(tmp_path: Path) -> None:
    task = "{name: tags, problem_type: multi_label_classification}"

    source = load(tmp_path, RECIPE, f"tasks=[{task}]", "data.train.labels={tags: [long, loud]}").data.train[0]

    assert source.labels == {"tags": ["long", "loud"]}


def test_a_column_may_say_how_its_labels_are_written(tmp_path: Path) -> None:
    column = "{column: tags, separator: ;, aliases: {1: film}, missing: [-1, n/a]}"

    given = load(tmp_path, RECIPE, f"data.train.labels.topic={column}").data.train[0].labels["topic"]

    assert (given.column, given.separator, given.aliases, given.missing) == ("tags", ";", {"1": "film"}, ["-1", "n/a"])


def test_a_recipe_has_all_words_for_the_places_of_values_and_its_record_too(tmp_path: Path) -> None:
    words = [
        "data.train.text={columns: [title, body], separator: ' '}",
        "data.train.where={lang: en, part: [1, 007]}",
        "data.train.labels.topic={from: file_name}",
        "data.train.join={path: ids/labels.csv, on: id, delimiter: ;}",
    ]

    recipe = load(tmp_path, RECIPE, *words)

    (source,) = recipe.data.train
    assert source.text == JoinedText(["title", "body"], " ")
    assert source.where == {"lang": "en", "part": [1, "007"]}
    assert source.labels == {"topic": LabelColumn(from_="file_name")}
    assert source.join == Join(path=str(tmp_path / "ids" / "labels.csv"), on="id", delimiter=";")
    assert recorded_words(recipe_words(recipe)) == recipe_words(recipe)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("{}", "column: is missing; give a column, or one of columns, constant, from, soft and votes"),
        ("{column: a, constant: b}", "constant cannot be combined with column; leave one out"),
        ("{column: a, level: 0}", "level: is 0; it must be at least 1"),
        ("{from: path}", "from: is 'path'; it must be one of file_name, folder_name"),
        ("{votes: {column: label}}", "votes.by: is missing"),
        ("{votes: {column: label, on: id, by: id}}", "votes.on: no such word; words here: column, by"),
        ("{votes: {column: a, by: a}}", "votes.by is 'a', the column of the votes; name the column of the id"),
        ("{votes: {column: a, by: 1}}", "votes.by: is 1; it must be text; write '1', in quotes"),
    ],
)
def test_words_for_labels_that_do_not_fit_together_are_a_problem(tmp_path: Path, words: str, problem: str) -> None:
    found = problems(tmp_path, RECIPE, f"data.train.labels.topic={words}")

    assert found == [f"data.train[0].labels.topic.{problem}"]


def test_a_joined_table_may_be_a_data_set_on_the_hub(tmp_path: Path) -> None:
    (source,) = load(tmp_path, RECIPE, "data.train.join={path: owner/labels, on: id}").data.train

    assert source.join == Join(path="owner/labels", on="id")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("{path: labels.csv}", "join.on: is missing"),
        ("{on: id}", "join.path: is missing"),
        ("{path: labels.csv, on: 1}", "join.on: is 1; it must be text or a list"),
        ("{path: labels.csv, on: []}", "join.on is []; it must be a column that both tables have, or a list of such"),
        ("{path: labels.csv, on: id, delimeter: ;}", "join.delimeter: no such word; did you mean 'delimiter'?"),
        ("{path: labels.csv, on: id, skip_rows: -1}", "join.skip_rows: is -1; it must be at least 0"),
        ("labels.csv", "join: is 'labels.csv'; it must be a table of words"),
    ],
)
def test_words_of_a_join_that_are_wrong_are_a_problem(tmp_path: Path, words: str, problem: str) -> None:
    (found,) = problems(tmp_path, RECIPE, f"data.train.join={words}")

    assert found.startswith(f"data.train[0].{problem}")


def test_the_names_of_labels_are_read_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("film\nfood\n", encoding="utf-8")
    task = "{name: topic, problem_type: single_label_classification, names: names.txt, aliases: {f: food}}"

    (loaded,) = load(tmp_path, RECIPE, f"tasks=[{task}]").tasks

    assert loaded.labels == ["film", "food"]
    assert loaded.aliases == {"0": "film", "1": "food", "f": "food"}


def test_a_file_of_names_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, RECIPE, "tasks.0.labels=null", "tasks.0.names=names.txt")

    assert found == [f"tasks[0].names: {tmp_path / 'names.txt'} cannot be read (No such file or directory)"]


def test_a_misspelt_setting_of_a_column_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, RECIPE, "data.train.labels.topic={column: tags, seperator: ;}")

    assert "seperator" in " ".join(found)


def test_a_rate_in_scientific_notation_is_a_number(tmp_path: Path) -> None:
    recipe = load(tmp_path, f"learning_rates: {{heads: 1e-3, backbone: 2e-5}}\n{RECIPE}")

    assert (recipe.learning_rates.heads, recipe.learning_rates.backbone) == (1e-3, 2e-5)


def test_yes_no_on_and_off_are_labels(tmp_path: Path) -> None:
    recipe = load(tmp_path, RECIPE, "tasks.0.labels=[yes, no, on, off]")

    assert recipe.tasks[0].labels == ["yes", "no", "on", "off"]


def test_an_override_takes_the_place_of_what_is_written(tmp_path: Path) -> None:
    recipe = load(tmp_path, f"seed: 1\n{RECIPE}", "seed=2", "training.num_train_epochs=1", "tasks.0.weight=0.5")

    assert (recipe.seed, recipe.training["num_train_epochs"], recipe.tasks[0].weight) == (2, 1, 0.5)


@pytest.mark.parametrize(("label", "quoted"), [("true", "'true'"), ("False", "'false'")])
def test_a_bare_truth_value_as_a_label_is_an_error_that_shows_the_quotes(
    tmp_path: Path, label: str, quoted: str
) -> None:
    assert problems(tmp_path, RECIPE, f"tasks.0.labels=[film, {label}]") == [
        f"tasks[0].labels[1]: is {label.capitalize()}; it must be text; write {quoted}, in quotes"
    ]


def test_a_number_as_a_label_is_a_word_that_keeps_its_spelling(tmp_path: Path) -> None:
    recipe = load(
        tmp_path, RECIPE, "tasks.0.labels=[1, 2.0, 1.5, 007, 1e3, '3.0']", "tasks.0.aliases={08: 1, eight: 007}"
    )

    assert recipe.tasks[0].labels == ["1", "2", "1.5", "007", "1e3", "3.0"]
    assert recipe.tasks[0].aliases == {"08": "1", "eight": "007"}


@pytest.mark.parametrize("name", ["weight", "split", "text_pair", "table", "line"])
def test_a_new_task_has_no_name_of_another_column(tmp_path: Path, name: str) -> None:
    # A saved model may have such a task.
    assert TaskConfig(name, "regression").name == name

    assert problems(tmp_path, RECIPE.replace("topic", name)) == [
        f"tasks[0].name: '{name}' cannot name a task (it is the name of another column); try '{name}_'"
    ]


@pytest.mark.parametrize(
    ("name", "free"), [("type", "type_"), ("two words", "two_words"), ("text", "text_"), ("1st", "task_1st")]
)
def test_an_unusable_task_name_is_an_error_with_a_free_one(tmp_path: Path, name: str, free: str) -> None:
    # P17
    (problem,) = problems(tmp_path, RECIPE.replace("topic", name))

    assert re.fullmatch(rf"tasks\[0\]\.name: '{name}' cannot name a task \(.*\); try '{free}'", problem)


def test_tasks_of_one_name_are_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path, RECIPE, f"tasks=[{TASK}, {TASK}]") == [
        "tasks: task names must differ; given more than once: 'topic'"
    ]


def test_a_task_with_one_class_is_an_error(tmp_path: Path) -> None:
    # P68
    assert problems(tmp_path, RECIPE, "tasks.0.labels=[film]") == [
        "tasks[0].labels: single_label_classification needs at least 2 labels; given: ['film']"
    ]


def test_an_unknown_pooling_is_an_error_with_the_known_ones_and_the_nearest(tmp_path: Path) -> None:
    assert problems(tmp_path, RECIPE, "pooling=meen") == [
        "pooling: is 'meen'; it must be one of cls, mean, max, lasttoken, weightedmean, mean_sqrt_len; "
        "did you mean 'mean'?"
    ]


def test_an_unknown_problem_type_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, RECIPE, "tasks.0.problem_type=single_label_clasification")

    assert problem.startswith("tasks[0].problem_type: is 'single_label_clasification'; it must be one of ")
    assert problem.endswith("; did you mean 'single_label_classification'?")


@pytest.mark.compat
@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("poolin=mean", "poolin: no such word; did you mean 'pooling'?"),
        ("tasks.0.wieght=1", "tasks[0].wieght: no such word; did you mean 'weight'?"),
        ("tasks.0.head={hidden: []}", "tasks[0].head.hidden: no such word; did you mean 'hidden_sizes'?"),
        ("head.hidden_size=[]", "head.hidden_size: no such word; did you mean 'hidden_sizes'?"),
        ("data.splt={test: 0.1}", "data.splt: no such word; did you mean 'split'?"),
        ("data.train.txt=review", "data.train[0].txt: no such word; did you mean 'text'?"),
        ("data.split.tset=0.1", "data.split.tset: no such word; did you mean 'test'?"),
        ("data.hide_labels={fraction: 0.1, sed: 1}", "data.hide_labels.sed: no such word; did you mean 'seed'?"),
        (
            "learning_rates={heads: 0.1, backbone: 0.1, decay: 1}",
            "learning_rates.decay: no such word; did you mean 'layer_decay'?",
        ),
        ("training.num_train_epoch=3", "training.num_train_epoch: no such word; did you mean 'num_train_epochs'?"),
        ("xyz=1", "xyz: no such word"),
    ],
)
def test_an_unknown_word_is_an_error_with_the_nearest(tmp_path: Path, override: str, problem: str) -> None:
    (found,) = problems(tmp_path, RECIPE, override)

    assert found.split("; words here: ")[0] == problem


def test_an_unknown_word_is_an_error_with_the_words_of_that_level(tmp_path: Path) -> None:
    assert problems(tmp_path, RECIPE, "data.hide_labels={fraction: 0.1, sed: 1}") == [
        "data.hide_labels.sed: no such word; did you mean 'seed'?; words here: fraction, seed"
    ]
    assert problems(tmp_path, RECIPE, "training.xyz=1") == [
        "training.xyz: no such word; words here: 116 (multitask schema --markdown lists them)"
    ]


@pytest.mark.parametrize(("setting", "word"), SAID_ELSEWHERE.items())
def test_what_a_recipe_has_a_word_for_is_not_said_in_training(tmp_path: Path, setting: str, word: str) -> None:
    # P9 is the last of them: the Trainer's own label smoothing knows one task only.
    assert problems(tmp_path, RECIPE, f"training.{setting}=1") == [
        f"training.{setting}: not allowed in training; set the recipe's {word} instead"
    ]


@pytest.mark.parametrize("part", ["backbone", "tasks", "data"])
def test_a_part_that_is_missing_is_an_error(tmp_path: Path, part: str) -> None:
    content = re.sub(rf"(?m)^{part}:.*\n(  .*\n)*", "", RECIPE)

    assert problems(tmp_path, content)[0].split(";")[0] == f"{part}: is missing"


@pytest.mark.compat
@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=first", "seed: is 'first'; it must be a whole number"),
        ("seed=1.5", "seed: is 1.5; it must be a whole number"),
        ("seed=", "seed: is empty; it must be a whole number"),
        ("normalize=yes", "normalize: is 'yes'; it must be true or false"),
        ("max_length=1", "max_length: is 1; it must be at least 2"),
        ("head.dropout=1", "head.dropout: is 1; it must be below 1"),
        ("head.hidden_sizes=[0]", "head.hidden_sizes[0]: is 0; it must be at least 1"),
        ("tasks.0.weight=-1", "tasks[0].weight: is -1; it must be at least 0"),
        ("data.split.test=0", "data.split.test: is 0; it must be above 0"),
        ("data.hide_labels={fraction: 1}", "data.hide_labels.fraction: is 1; it must be below 1"),
        ("training.num_train_epochs=many", "training.num_train_epochs: is 'many'; it must be a number"),
        (
            "freeze=backbon",
            "freeze: 'backbon' is not a part of a model; it must be one of everything, backbone, embeddings, layers.K, "
            "layers.A-B, last_layers.N, heads, heads.TASK; did you mean 'backbone'?",
        ),
    ],
)
def test_a_wrong_value_is_an_error_with_what_was_given(tmp_path: Path, override: str, problem: str) -> None:
    assert problems(tmp_path, RECIPE, override) == [problem]


def test_a_fraction_above_1_is_an_error(tmp_path: Path) -> None:
    assert "data.split.test: is 1.5; it must be below 1" in problems(tmp_path, RECIPE, "data.split.test=1.5")


def test_fractions_that_leave_no_training_rows_are_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path, RECIPE, "data.split={validation: 0.5, test: 0.5}") == [
        "data.split: 0.5 + 0.5 leaves no training rows"
    ]


def test_several_problems_are_reported_at_once(tmp_path: Path) -> None:
    message = """tiny.yaml has 4 problems:
  pooling: is 'big'; it must be one of cls, mean, max, lasttoken, weightedmean, mean_sqrt_len
  tasks[0].labels[0]: is True; it must be text; write 'true', in quotes
  data.split.tset: no such word; did you mean 'test'?; words here: validation, test, folds, fold, seed, group
  data.split: 0.5 + 0.5 leaves no training rows"""

    with pytest.raises(RecipeError, match=f"{re.escape(message)}$"):
        load(
            tmp_path,
            RECIPE,
            "pooling=big",
            "tasks.0.labels=[true, film]",
            "data.split={validation: 0.5, test: 0.5, tset: 0.1}",
        )


def test_what_is_misspelt_and_what_does_not_fit_are_reported_together(tmp_path: Path) -> None:
    found = problems(tmp_path, RECIPE, "poolin=mean", "data.train.labels={topics: column}")

    assert [problem.split("; words here")[0] for problem in found] == [
        "poolin: no such word; did you mean 'pooling'?",
        "data.train[0].labels.topics: no such task; did you mean 'topic'?",
        "data.train: no source has labels for the task 'topic'",
    ]


def test_a_single_problem_is_called_a_problem(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tiny\.yaml has a problem:\n  poolin: no such word"):
        load(tmp_path, RECIPE, "poolin=mean")


def test_a_task_whose_name_is_no_word_is_an_error(tmp_path: Path) -> None:
    assert "tasks[0].name: is ['topic']; it must be text" in problems(tmp_path, RECIPE, "tasks.0.name=[topic]")


def test_a_card_says_what_only_the_owner_knows(tmp_path: Path) -> None:
    card = load(tmp_path, RECIPE, "card={title: Reviews, license: mit, language: en, citation: me}").card

    assert (card.title, card.license, card.language, card.citation) == ("Reviews", "mit", ["en"], "me")
    assert load(tmp_path, RECIPE).card.license is None


def test_a_word_that_no_card_has_is_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path, RECIPE, "card={licence: mit}") == [
        "card.licence: no such word; did you mean 'license'?; "
        "words here: title, description, license, citation, language"
    ]
