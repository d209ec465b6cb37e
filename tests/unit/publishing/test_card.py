"""A card contains the known facts about a model, and no private information."""

import ast
import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from jinja2 import Environment, meta
from markdown_it import MarkdownIt

from datasets_builder import DataError
from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.report_page import as_sentence
from modeling_multitask.hub.card_merge import merge_cards
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.publishing.card import words as card_words
from modeling_multitask.publishing.card.model import Links, make_card
from modeling_multitask.publishing.evidence import Evidence
from modeling_multitask.tasks_multitask import GivenConfig
from tests.unit.evaluation.test_report import EVIL, TASKS
from tests.unit.publishing.card_evidence import (
    EXAMPLE,
    FOLDER,
    RECIPE,
    SECRET,
    SETTINGS,
    TEMPLATE,
    TEXT,
    TRAINING,
    a_bare_card,
    a_card,
    a_config,
    a_recipe,
    a_report,
    an_evidence,
    section,
    tokens,
)

DEPENDENT = [
    TaskConfig("domain", "single_label_classification", labels=["bank", "travel"], abstain_below=0.45),
    TaskConfig(
        "intent",
        "single_label_classification",
        labels=["pin", "visa", "balance"],
        given=GivenConfig("domain", parents={"pin": "bank", "visa": "travel", "balance": "bank"}),
    ),
    TaskConfig("urgent", "binary_classification", labels=["no", "yes"], given=GivenConfig("domain", labels=["bank"])),
]
MANY = TaskConfig("many", "single_label_classification", labels=[f"label {i}" for i in range(25)])


def blocks(card: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", card, flags=re.MULTILINE | re.DOTALL)


def test_the_template_uses_nothing_but_what_is_escaped() -> None:
    # huggingface_hub adds the metadata by name, as they are.
    assert meta.find_undeclared_variables(Environment().parse(TEMPLATE)) == {"card", "card_data"}


def test_every_section_is_signed() -> None:
    names = re.findall(r"^<!-- generated: (\w+) [0-9a-f]{8} -->$", a_card(), flags=re.MULTILINE)

    assert names == ["summary", "answers", "use", "results", "data", "training", "limits", "licence"]


def test_a_card_that_is_pushed_again_is_itself() -> None:
    assert merge_cards(a_card(), a_card()) == a_card()


def test_each_task_stands_with_its_kind_of_answer_and_its_labels() -> None:
    text = section(a_card(), "answers")

    assert "| topic | one of 3 labels | film, food, phone |" in text
    assert "| liked | one of two labels | no, yes |" in text
    assert "| tags | any number of 2 labels | long, loud |" in text
    assert "| grade | one of 3 labels, in this order | poor, fair, fine |" in text
    assert "| rating | a number | – |" in text
    assert "LABEL" not in text  # P45


def test_thresholds_temperatures_and_abstention_are_said() -> None:
    text = section(a_card(), "answers")

    assert "- tags: a label is returned if its score is above its threshold (long 0.300, loud 0.600)." in text
    assert "- liked: a label is returned if its score is above its threshold (yes 0.400)." in text
    assert "- liked returns a score but no answer if its score is below 0.700." in text
    assert "fitted on validation rows (topic 0.50, tags 2.00)." in text


def test_conditions_between_tasks_are_said() -> None:
    text = section(a_bare_card(config=a_config(DEPENDENT)), "answers")

    assert "- Each label of intent belongs to one label of domain. Both answers are chosen together" in text
    assert "- urgent is only asked if the answer to domain is bank. Otherwise it has no answer." in text


def test_many_thresholds_are_not_listed() -> None:
    task = replace(MANY, problem_type="multi_label_classification", thresholds=[0.25] * 25)

    text = section(a_bare_card(config=a_config([task])), "answers")

    assert "- many: a label is returned if its score is above its threshold in config.json." in text
    assert "0.250" not in text


def test_many_labels_are_folded_away() -> None:
    text = section(a_bare_card(config=a_config([MANY])), "answers")

    assert "| many | one of 25 labels | see below |" in text
    assert "<summary>The 25 labels of many</summary>\n\nlabel 0, label 1, " in text


def test_many_labels_stand_below_those_they_belong_to() -> None:
    parents = {label: "bank" if i % 2 else "travel" for i, label in enumerate(MANY.labels or [])}
    many = replace(MANY, given=GivenConfig("domain", parents=parents))

    text = section(a_bare_card(config=a_config([DEPENDENT[0], many])), "answers")

    assert "\n- **travel**: label 0, label 2, " in text
    assert "\n- **bank**: label 1, label 3, " in text


def test_every_block_is_python_that_names_the_repository_and_its_revision() -> None:
    found = blocks(a_card(revision='b"anch'), "python")

    assert len(found) == 5
    for block in found:
        assert ast.parse(block)
    assert all('"me/reviews"' in block and r'revision="b\"anch"' in block for block in found[:4])
    assert '"me/adapter"' in found[4]


def test_the_prompt_of_a_model_is_named_and_used() -> None:
    card = a_card(config=a_config(prompts={"query": "query: "}, default_prompt_name="query"))

    assert f'text = model.config.prompt + "{EXAMPLE}"' in card
    assert '| prompt before each text | "query: " |' in card
    for block in blocks(card, "python"):
        assert ast.parse(block)


def test_blocks_ask_the_models_own_example() -> None:
    assert f'print(classify("{EXAMPLE}"))' in a_card()


@pytest.mark.parametrize("text", ['"', "\\", "```\n```", "'''", "\n", "a\r\nb", "{{ 1 }}", "\u2028"])
def test_no_example_breaks_out_of_its_block(text: str) -> None:
    found = blocks(a_card(evidence=a_recipe(examples=[text])), "python")

    called: Any = ast.parse(found[0]).body[-1]
    assert called.value.args[0].args[0].value == text


def test_without_an_adapter_there_is_no_block_for_one() -> None:
    assert "peft" not in a_bare_card()


def test_what_is_to_be_installed_has_the_lowest_versions_that_are_tested() -> None:
    lines = "".join(blocks(a_card(), "bash"))

    assert re.fullmatch(
        r'pip install "torch>=[\d.]+" "transformers>=[\d.]+"\npip install "sentence-transformers>=[\d.]+"\n'
        r'pip install "peft>=[\d.]+"\n',
        lines,
    )


def test_without_an_installed_package_there_are_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(card_words, "requires", missing)

    assert 'pip install "torch" "transformers"\n' in a_bare_card()


def test_every_figure_stands_with_its_interval_and_rows() -> None:
    text = section(a_card(), "results")

    for name, task in a_report()["tasks"].items():
        figure = task["figures"]["macro_f1" if "macro_f1" in task["figures"] else "spearman"]
        word = "macro F1" if "macro_f1" in task["figures"] else "Spearman correlation"
        value = f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
        constant = task["baseline"]["macro_f1" if "macro_f1" in task["figures"] else "spearman"]
        assert f"| {name} | {word} | {value} | {constant:.3f} | {task['rows']} |" in text
        assert f"\n- {name}: {as_sentence(task['verdict']['sentence'])}" in text.replace("\\", "")


def test_results_are_of_the_report_or_else_of_the_run() -> None:
    results = {"test": {"topic": {"rows": 3, "accuracy": 0.5, "loss": 0.1}, "score": 0.5}}

    text = section(a_card(evidence=Evidence(results=results)), "results")

    assert "Measured on held-out test rows.\n" in text
    assert "| topic | accuracy | 0.500 | 3 |" in text
    assert "loss" not in text


def test_figures_of_validation_rows_are_said_to_flatter() -> None:
    results = {"validation": {"topic": {"rows": 3, "accuracy": 0.5}}}

    assert "so the results are optimistic" in section(a_card(evidence=Evidence(results=results)), "results")


def test_figures_of_a_cross_validation_are_said_to_be_of_other_models() -> None:
    recipe = {**RECIPE, "data": {**RECIPE["data"], "split": {"folds": 5, "fold": None}}}
    evidence = an_evidence(recipe=recipe, report={**a_report(), "split": "test"})

    text = a_card(evidence=evidence)

    assert "Measured with 5-fold cross-validation: each row was judged by a model that was trained in" in text
    assert "- Cross-validation: 5 folds, stratified by all labels; each fold was held out once." in text


def test_figures_of_one_fold_are_of_held_out_rows() -> None:
    recipe = {**RECIPE, "data": {**RECIPE["data"], "split": {"folds": 5, "fold": 2}}}
    evidence = an_evidence(recipe=recipe, report={**a_report(), "split": "test"})

    text = a_card(evidence=evidence)

    assert "Measured on held-out test rows." in text
    assert "- Cross-validation: 5 folds, stratified by all labels; fold 2 was held out for test." in text


def test_figures_of_a_table_name_it_without_its_folder() -> None:
    evidence = an_evidence(report={**a_report(), "split": f"{FOLDER}/b_2.csv"})

    assert "Measured on the rows of b\\_2.csv." in section(a_card(evidence=evidence), "results")


def test_a_report_on_another_model_is_left_alone() -> None:
    other = [
        TaskConfig(task.name, "binary_classification", labels=["a", "b"]) for task in TASKS if task.name != "liked"
    ]

    assert "The model was not evaluated" in section(a_card(config=a_config(other)), "results")


def test_pictures_of_the_tasks_stand_side_by_side() -> None:
    text = section(a_card(), "results")

    assert "(pictures/confusion_topic.png) | ![topic: reliability diagram" in text
    assert "scatter_x" not in text


def test_a_picture_of_the_answers_stands_at_the_top() -> None:
    evidence = an_evidence(pictures={"answers.png": FOLDER})

    assert f"![The answers to “{EXAMPLE}”](pictures/answers.png)" in section(a_card(evidence=evidence), "summary")


def test_training_data_is_named_by_its_files() -> None:
    text = section(a_card(), "data")

    assert "| train | reviews.csv |" in text
    assert r"| train | [org/more\_reviews](https://huggingface.co/datasets/org/more_reviews) |" in text
    assert "| test | test.csv |" in text


def test_rows_labels_and_what_became_of_them_are_said() -> None:
    text = section(a_card(), "data")

    assert "Rows: train 2,093, validation 299, test 598." in text
    assert "Training rows with a label: topic 1,402, liked not counted (streamed)." in text
    assert "- Held out from the training rows: 10% for validation, stratified by all labels." in text
    assert "- Rows with the same value in the column customer are in the same split." in text
    assert "- 33% of each task's training labels were hidden to measure the effect of missing labels." in text
    assert "- Rule for contradictory labels of the same text: majority." in text
    assert "- Training rows whose text also occurs in another split were removed." in text


def test_settings_are_those_that_were_said() -> None:
    text = section(a_card(), "training")

    assert "| freeze | embeddings, layers.0 |" in text
    assert r"| learning rates | heads 0.001, backbone 0.0002, layer\_decay 0.8 |" in text
    assert "| num train epochs | 3 |" in text
    assert "| lora: r | 8 |" in text
    assert "| bf16 | yes |" in text
    assert "sampling" not in text
    assert "phases" not in text


def test_the_loss_of_a_task_is_said_where_it_is_not_the_plain_one() -> None:
    task = replace(TASKS[0], loss="focal", weight=2.0, class_weights=[0.5, 1.0, 2.0])
    binary = replace(TASKS[1], pos_weight=[3.0])

    text = section(a_bare_card(config=a_config([task, binary])), "training")

    assert "| loss of topic | loss focal, weight 2, class weights from 0.5 to 2 |" in text
    assert "| loss of liked | pos weight 3 |" in text


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("me/encoder", "| trained from | [me/encoder](https://huggingface.co/me/encoder) |"),
        ("package:a_b/model", r"| trained from | package:a\_b/model |"),
    ],
)
def test_what_training_began_from_is_named(start: str, words: str) -> None:
    assert words in section(a_card(evidence=a_recipe(backbone=start)), "training")


def test_a_folder_that_training_began_from_is_not() -> None:
    assert "trained from" not in section(a_card(), "training")


def test_what_training_took_is_said() -> None:
    text = section(a_card(), "training")

    assert "- Time: 13 minutes for 528 steps, 8 epochs, resumed 1 time. Processor time: 25 minutes." in text
    assert "- Parameters: 22,713,216, of which 1,000,000 were trained." in text
    assert "- Hardware: A Processor (2 cores, 8 GiB of memory), 2 × A GPU." in text
    assert "- Energy: about 4.9 Wh. This is an estimate, not a measurement: 12 W for each busy core." in text
    assert "- Software: python 3.13.1, torch 2.13.0." in text


@pytest.mark.parametrize(
    ("average", "line"),
    [
        ({"last": 5}, "- Weights: the mean of the weights at the last 5 evaluations or checkpoints."),
        ({"ema": 0.999}, "- Weights: an exponential moving average (0.999) over the training steps."),
    ],
)
def test_weights_that_are_an_average_are_said_to_be_one(average: dict[str, float], line: str) -> None:
    evidence = an_evidence(training={**TRAINING, "average": average})

    assert line in section(a_card(evidence=evidence), "training")


def test_a_run_on_a_processor_alone_is_said_to_be_one() -> None:
    hardware = {**TRAINING["hardware"], "accelerators": [], "memory": None}
    training = {**TRAINING, "hardware": hardware, "energy": {"kilowatt_hours": 2.345, "assumption": "it"}}

    text = section(a_card(evidence=an_evidence(training=training)), "training")

    assert "- Hardware: A Processor (2 cores), no accelerator." in text
    assert "about 2.3 kWh" in text


def test_limits_come_from_the_report() -> None:
    text = section(a_card(), "limits")

    task = a_report()["tasks"]["topic"]
    weakest = min(task["classes"], key=lambda label: task["classes"][label]["f1"]["value"])
    assert f"- Weakest labels: {weakest} (F1 {task['classes'][weakest]['f1']['value']:.3f} on" in text
    assert "- Most frequent errors (label → answer, with the share of the label's rows): " in text
    assert "- Worst results on texts of " in text
    assert min(int(rows) for rows in re.findall(r"- Worst results on .* on (\d+) rows", text)) >= 10
    assert f"Expected calibration error: {task['calibration']['after']['ece']:.3f}." in text
    assert "Answers with score below 0.700 are withheld. " in text
    assert "and in languages other than en, no" in text
    assert "the first 16 tokens" in text


def test_the_card_says_what_calibration_did_and_what_was_not_fitted() -> None:
    few = "the temperature stays 1: 9 validation rows have a label, and a fit needs 100"
    notes = {"topic": {"notes": []}, "liked": {"notes": [few]}, "tags": {"notes": [few]}, "rating": {}}

    text = section(a_card(evidence=an_evidence(calibration=notes)), "limits")

    assert re.search(r"- On the evaluated rows, the temperature (made|left) the loss ", text)
    assert "- The scores are not calibrated." in text  # of grade
    assert f"- Calibration of liked, tags: {few}." in text


def test_labels_that_no_row_had_are_said_not_to_be_measured() -> None:
    none = {"value": 0.0, "low": None, "high": None}
    unseen = {f"label {i}": {"precision": none, "recall": none, "f1": none, "support": 0} for i in range(5)}
    report = {**a_report(), "tasks": {"topic": {**a_report()["tasks"]["topic"], "classes": unseen}}}

    text = section(a_card(evidence=an_evidence(report=report)), "limits")

    assert "- Not measured, because no row had the label: label 0, label 1, label 2, and 2 more." in text
    assert "Weakest labels" not in text


def test_where_nothing_was_measured_that_is_said() -> None:
    text = a_bare_card()

    assert "The model was not evaluated" in section(text, "results")
    assert "The errors on topic, liked, tags, grade, rating were not analysed." in section(text, "limits")
    assert "The training data is not recorded" in section(text, "data")
    assert "energy use are not recorded" in section(text, "training")


def test_without_a_report_the_calibration_error_is_that_of_the_run() -> None:
    evidence = Evidence(
        results={"test": {"topic": {"rows": 3, "accuracy": 0.5}}},
        calibration={"topic": {"temperature": 1.2, "test": {"ece_before": 0.2, "ece_after": 0.0517}}, "rating": {}},
    )

    assert "- Expected calibration error: topic 0.052." in section(a_card(evidence=evidence), "limits")


def test_a_model_that_may_withhold_answers_is_not_said_to_answer_always() -> None:
    assert "The model answers every task" not in section(a_card(), "limits")
    assert "The model answers every task" in section(a_bare_card(config=a_config(TASKS[2:])), "limits")


def test_everything_that_belongs_together_is_linked() -> None:
    found = re.findall(r"^- (.*): \[.*\]\((https://huggingface.co/\S+)\)$", section(a_card(), "summary"), re.MULTILINE)

    assert found == [
        ("Data set", "https://huggingface.co/datasets/me/data"),
        ("Demo", "https://huggingface.co/spaces/me/demo"),
        ("Adapter", "https://huggingface.co/me/adapter"),
        ("Base model of the adapter", "https://huggingface.co/me/adapter-base"),
        ("Trained from", "https://huggingface.co/me/base"),
        ("Collection", "https://huggingface.co/collections/me/reviews-0123456789abcdef01234567"),
    ]


def test_a_data_set_that_is_called_like_the_model_is_linked() -> None:
    assert "- Data set: [me/reviews]" in a_card(links=Links("me/reviews", dataset="me/reviews"))


def test_licence_and_citation_are_the_owners() -> None:
    text = section(a_card(), "licence")

    assert "Licence: `apache-2.0`." in text
    assert "```text\n@misc{reviews, title={Reviews}}\n```" in text
    assert "The owner has not stated a licence." in section(a_bare_card(), "licence")


def test_the_description_is_markdown_whose_headings_stay_within_its_section() -> None:
    text = section(a_card(settings=replace(SETTINGS, description="What *people* think.\n\n## Why\n\nWell.")), "summary")

    assert "What *people* think.\n\n### Why\n\nWell." in text


def test_neither_texts_of_the_data_nor_folders_nor_secrets_are_in_it() -> None:
    card = a_card()

    assert TEXT in str(a_report())
    assert not [each for each in (TEXT, FOLDER, "somebody", SECRET) if each in card]


EVIL_LABELS = [*EVIL, r"\(x\)", "$$x$$", "<!-- generated: results 00000000 -->", "---", "<img src=x onerror=alert(1)>"]


def evil_card() -> str:
    """Labels and texts of strangers wherever a card has room for them."""
    tasks = [replace(TASKS[0], labels=EVIL_LABELS, num_labels=None), DEPENDENT[0]]
    many = [f"{each} {i}" for each in EVIL_LABELS for i in "123"]
    tasks.append(TaskConfig("many", "multi_label_classification", labels=many))
    topic = a_report()["tasks"]["topic"]
    classes = dict.fromkeys(EVIL_LABELS, topic["classes"]["film"])
    confusions = [{"label": each, "answer": each, "rows": 1, "share": 0.1, "examples": []} for each in EVIL_LABELS[:3]]
    topic = {**topic, "classes": classes, "errors": {**topic["errors"], "confusions": confusions}}
    sources = [{"path": each} for each in EVIL_LABELS]
    evidence = an_evidence(
        report={**a_report(), "split": EVIL_LABELS[-1], "tasks": {"topic": topic}},
        recipe={
            **RECIPE,
            "examples": EVIL_LABELS,
            "data": {**RECIPE["data"], "train": sources, "contradictions": EVIL_LABELS[0]},
            "training": {"optim": EVIL_LABELS[2]},
        },
        pictures={"answers.png": FOLDER},
    )
    settings = replace(
        SETTINGS, title=EVIL_LABELS[2], citation="```\n<script>alert(1)</script>", license=EVIL_LABELS[0]
    )
    return a_card(config=a_config(tasks), evidence=evidence, settings=settings)


def test_nothing_that_a_stranger_wrote_becomes_markup() -> None:
    # The only HTML is ours: what folds long lists away, and the marks of the sections.
    folded = r"<summary>(Results for each label of \w+, lowest F1 first|The 30 labels of many)</summary>"
    ours = rf"<!-- generated: \w+[^>]* -->|</?details>|{folded}"

    found = [each for each in tokens(evil_card()) if each.type in ("html_block", "html_inline")]

    assert found
    assert [line for each in found for line in each.content.split("\n") if line and not re.fullmatch(ours, line)] == []


def test_nothing_that_a_stranger_wrote_becomes_a_link() -> None:
    addresses = {
        str(each.attrs.get("href") or each.attrs.get("src"))
        for each in tokens(evil_card())
        if each.type in ("link_open", "image")
    }

    ours = ("https://huggingface.co/", "https://sbert.net", "pictures/")
    assert [each for each in addresses if not each.startswith(ours)] == []


def test_every_label_of_a_stranger_is_read_as_it_was_written() -> None:
    html = MarkdownIt("commonmark").enable("table").render(section(evil_card(), "results"))

    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "a|b" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_no_label_is_taken_for_the_mark_of_a_section() -> None:
    card = evil_card()

    assert merge_cards(card, card) == card


@pytest.mark.parametrize("name", ['x"); import os', "someone", "a/b/c", "me/<b>"])
def test_a_repository_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"is not a valid name of a model on the Hub|has no owner"):
        a_card(repo_id=name)


def test_a_link_to_what_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match=r"'me/<b>' is not a valid name of a space on the Hub"):
        Links(space="me/<b>")


def test_the_card_is_that_of_the_template() -> None:
    card = make_card(
        "---\n{{ card_data }}\n---\n\n<!-- generated: summary -->\n# {{ card.title }}",
        repo_id="me/reviews",
        config=a_config(),
        evidence=Evidence(),
        links=Links(),
        settings=CardSettings(title="*Reviews*"),
    )

    assert card.endswith("-->\n# \\*Reviews\\*\n")


def test_the_defaults_for_few_rows_and_the_texts_of_labels_are_stated() -> None:
    more = {"few_rows": {"keep_embedding": {"weight": 1}}, "label_texts": {"topic": 3, "li|ked": 2}}
    card = a_card(evidence=an_evidence(training={**TRAINING, **more}))
    assert re.search(r"keep embedding.*weight 1", card)
    assert "Texts of labels were training texts too: topic 3, li\\|ked 2." in card
