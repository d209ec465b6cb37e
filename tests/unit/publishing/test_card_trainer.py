"""The card of transformers' Trainer does not replace our card or text that people have written."""

from pathlib import Path

from modeling_multitask.hub.card_merge import is_signed, merge_cards
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.prepare import prepare
from tests.unit.publishing.card_evidence import a_card

RECIPE = """
backbone: {backbone}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
data: {{train: rows.csv}}
"""


def test_the_trainers_card_does_not_overwrite_one_that_was_edited(tmp_path: Path, backbone: Path) -> None:
    # P56: it is written next to the checkpoints.
    (tmp_path / "rows.csv").write_text("text,topic\nthe film,film\nthe food,food\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    card = tmp_path / "out" / "model" / "README.md"
    card.parent.mkdir(parents=True)
    card.write_text(a_card().replace("## Limitations", "Ask me first.\n\n## Limitations"))
    edited = card.read_text()

    prepare(load_recipe(tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'out'}"])).trainer.create_model_card()

    assert card.read_text() == edited
    assert "Ask me first." in merge_cards(edited, a_card())


def test_a_card_beside_the_checkpoints_stays_as_well(tmp_path: Path, backbone: Path) -> None:
    # P56
    (tmp_path / "rows.csv").write_text("text,topic\nthe film,film\nthe food,food\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    trainer = prepare(load_recipe(tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'out'}"])).trainer
    card = Path(trainer.args.output_dir) / "README.md"
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_text("by hand")

    trainer.create_model_card()

    assert card.read_text() == "by hand"


def test_the_card_of_a_recipe_has_its_settings(tmp_path: Path, backbone: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,topic\nthe film,film\nthe food,food\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone) + "card: {title: Topics, license: mit}\n")
    trainer = prepare(load_recipe(tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'out'}"])).trainer

    trainer.create_model_card()

    card = (Path(trainer.args.output_dir) / "README.md").read_text()
    assert is_signed(card)
    assert "license: mit" in card
    assert "# Topics\n" in card
    assert '"your-name/out"' in card


def test_a_generated_card_beside_the_checkpoints_is_renewed_with_its_edits(tmp_path: Path, backbone: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,topic\nthe film,film\nthe food,food\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    trainer = prepare(load_recipe(tmp_path / "recipe.yaml", [f"output_dir={tmp_path / 'out'}"])).trainer
    trainer.create_model_card()
    card = Path(trainer.args.output_dir) / "README.md"
    card.write_text(card.read_text().replace("## Limitations", "Ask me first.\n\n## Limitations"))

    trainer.create_model_card(license="mit")

    assert "Ask me first." in card.read_text()
    assert "license: mit" in card.read_text()
