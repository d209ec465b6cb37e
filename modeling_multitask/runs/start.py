"""The start of a run: the model, from a backbone or a trained model, and its tokenizer."""

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedTokenizerBase, set_seed

from .. import MultiTaskModel, TaskConfig
from ..errors import RecipeError
from ..files import is_folder
from ..hub_access import hub_access
from ..inference.loading import load
from ..paths_multitask import resolve_model_path
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..sentence_transformers_multitask import read_embedding_settings
from ..texts_multitask import check_tokenizer
from ..training.growing import grow
from ..training.lora import add_lora
from ..wording import first_line
from ..words_multitask import nearest_hint


def load_start(recipe: Recipe) -> tuple[MultiTaskModel | None, PreTrainedTokenizerBase]:
    """Return the model of `start_from`, if the recipe has one, and the tokenizer.

    Raises:
        RecipeError: If the model or backbone does not exist.
    """
    if recipe.start_from is not None:
        with as_recipe_error(recipe, "start_from"):
            trained, tokenizer = load(recipe.start_from)
        for name in ("pooling", "normalize"):
            given, there = getattr(recipe, name), getattr(trained.config, name)
            if given not in (None, there):
                raise RecipeError(
                    recipe.path,
                    [f"{name}: is {given!r}; {recipe.start_from} was trained with {there!r}; leave {name} out"],
                )
        return trained.float(), tokenizer
    return None, load_tokenizer(recipe)


def load_tokenizer(recipe: Recipe) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the recipe's backbone.

    Raises:
        RecipeError: If the backbone does not exist or has no tokenizer.
    """
    backbone = str(recipe.backbone)
    with as_recipe_error(recipe, "backbone"):
        path = resolve_model_path(backbone)
    with hub_access(path) as unreachable:
        try:
            tokenizer = AutoTokenizer.from_pretrained(path, subfolder=read_embedding_settings(path).subfolder)
        except (OSError, ValueError) as error:
            reason = first_line(error)
            what = "not a local folder, and not found on the Hub"
            if unreachable is not None:
                raise RecipeError(
                    recipe.path, [f"backbone: {backbone!r}: not a local folder, and {unreachable}"]
                ) from error
            if is_folder(path):
                what = "the tokenizer of this folder does not load"
            raise RecipeError(recipe.path, [f"backbone: {what}: {backbone!r} ({reason})"]) from error
    _set_padding(recipe, tokenizer)
    return tokenizer


def _set_padding(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set the padding token of a tokenizer that has none: as in sentence-transformers, that of the end of a text."""
    token = recipe.pad_token or tokenizer.pad_token or tokenizer.eos_token
    if token is None:
        problem = f"the tokenizer of {recipe.backbone!r} has no padding token; set pad_token to one of its tokens"
        raise RecipeError(recipe.path, [f"pad_token: {problem}"])
    if token not in tokenizer.get_vocab():
        problem = f"pad_token: {token!r} is not a token of {recipe.backbone!r}"
        raise RecipeError(recipe.path, [problem + nearest_hint(token, list(tokenizer.get_vocab()))])
    tokenizer.pad_token = token


def build_model(
    recipe: Recipe,
    tasks: list[TaskConfig],
    tokenizer: PreTrainedTokenizerBase,
    trained: MultiTaskModel | None = None,
) -> MultiTaskModel | PeftModel:
    """Return the model of a recipe: the backbone or the model of `start_from`, with a head per task and the adapters.

    Raises:
        RecipeError: If the model cannot be loaded, or contradicts the tokenizer or other words of the recipe.
    """
    # New heads and adapters are initialised here, before the Trainer sets the seed.
    set_seed(recipe.seed)
    if trained is not None:
        with as_recipe_error(recipe, "start_from"):
            model = grow(
                trained,
                tasks,
                rename_labels=recipe.rename_labels,
                head=recipe.head,
                max_length=recipe.max_length,
                long_texts=recipe.long_texts,
            )
    else:
        with as_recipe_error(recipe, "backbone"):
            model = _from_backbone(recipe, tasks)
    with as_recipe_error(recipe, "prompt" if recipe.prompt_name is None else "prompt_name"):
        model.config = model.config.with_prompt(tokenizer, recipe.prompt_name, recipe.prompt)
    with as_recipe_error(recipe, "start_from" if trained is not None else "backbone"):
        if recipe.resize_token_embeddings and len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(len(tokenizer))
        try:
            check_tokenizer(tokenizer, model)
        except ValueError as error:
            raise ValueError(f"{recipe.start_from or recipe.backbone}: {error}") from None
    with as_recipe_error(recipe, "lora"):
        return with_adapters(recipe, model)


def with_adapters(recipe: Recipe, model: MultiTaskModel) -> MultiTaskModel | PeftModel:
    """Return the model with the adapters of the recipe, if it has any.

    Raises:
        ValueError: If a setting of the adapters is invalid.
    """
    if recipe.lora is None:
        return model
    return add_lora(model, {name: value for name, value in recipe.lora.items() if name != "keep_adapter"})


def _from_backbone(recipe: Recipe, tasks: list[TaskConfig]) -> MultiTaskModel:
    with hub_access(resolve_model_path(str(recipe.backbone))):
        return MultiTaskModel.from_backbone(
            str(recipe.backbone),
            tasks,
            pooling=recipe.pooling,
            normalize=recipe.normalize,
            head=recipe.head,
            max_length=recipe.max_length,
            long_texts=recipe.long_texts or "truncate",
        )
