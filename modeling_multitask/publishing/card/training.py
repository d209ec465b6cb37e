"""The training data, settings and cost of a model, for its card.

The card shows only the recipe words that are listed here. Other words contain folders of a machine and may contain
tokens.
"""

import json
from typing import Any

from markupsafe import Markup

from datasets_builder import Source
from datasets_builder.addresses import shown_path
from datasets_builder.source import is_on_hub

from ...configuration_multitask import MultiTaskConfig
from ...evaluation.embedding_change import describe_change
from ...evaluation.report_page import count
from ...tasks_multitask import TaskConfig
from ..evidence import Evidence
from .words import duration, file_name, hub_model, link, plain, setting_in_words

# Recipe words about training, with their defaults.
WORDS: dict[str, Any] = {
    "freeze": ["none"],
    "phases": None,
    "learning_rates": None,
    "tokens_per_batch": None,
    "sampling": {"strategy": "concatenated", "temperature": 2.0, "task": None},
    "balancing": "sum",
    "keep_embedding": None,
    "calibrate": [],
    "seed": None,
}
# Fields of `lora` and `training`.
LORA = ("r", "lora_alpha", "lora_dropout", "target_modules", "use_dora", "use_rslora", "init_lora_weights", "bias")
ARGUMENTS = (
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "optim",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "lr_scheduler_type",
    "warmup_steps",
    "max_grad_norm",
    "neftune_noise_alpha",
    "early_stopping_patience",
    "bf16",
    "fp16",
)
_SPLITS = ("train", "validation", "test")
_GIB = 2**30
_BEYOND = {"truncate": "", "windows": ", longer texts are split into windows"}


def hub_datasets(recipe: dict[str, Any]) -> list[str]:
    """Return the ids of the Hub data sets that a recipe names."""
    paths = [path for _, source in _sources(recipe) for path in _paths(source)]
    return list(dict.fromkeys(path for path in paths if is_on_hub(Source(path))))


def data_facts(evidence: Evidence) -> dict[str, Any]:
    """Return the facts about the training data that the template shows."""
    data, rows = evidence.recipe.get("data", {}), evidence.training.get("rows", {})
    labelled = evidence.training.get("labelled_rows", {})
    return {
        "sources": [{"split": split, "name": _source(source)} for split, source in _sources(evidence.recipe)],
        "rows": [{"split": split, "rows": _count(each)} for split, each in rows.items()],
        "labelled": [{"task": name, "rows": _count(each)} for name, each in labelled.items()],
        "notes": [*_data_notes(data), *_label_texts(evidence.training), *_teachers(evidence.recipe)],
    }


def training_facts(config: MultiTaskConfig, evidence: Evidence) -> dict[str, Any]:
    """Return the facts about the training that the template shows."""
    pairs = [
        *_architecture(config, evidence.recipe),
        *_procedure(evidence.recipe | evidence.training.get("few_rows", {})),
    ]
    pairs += [(f"loss of {task.name}", setting_in_words(said)) for task in config.tasks if (said := _loss(task))]
    return {
        "settings": [{"name": name, "value": value} for name, value in pairs],
        "took": [] if not evidence.training else _took(evidence.training),
        "versions": setting_in_words(evidence.training.get("versions", {})),
    }


def _sources(recipe: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    data = recipe.get("data", {})
    return [(split, source) for split in _SPLITS for source in data.get(split) or []]


def _paths(source: dict[str, Any]) -> list[str]:
    """Return the path of a source, and that of the table that is joined to it, if there is one."""
    return [source["path"], *([join["path"]] if (join := source.get("join")) else [])]


def _source(source: dict[str, Any]) -> Markup:
    return Markup(", joined with ").join(map(_path, _paths(source)))


def _path(path: str) -> Markup:
    return link(path, "datasets/") if is_on_hub(Source(path)) else plain(file_name(shown_path(path)))


def _count(rows: int | None) -> Markup:
    return Markup("not counted (streamed)") if rows is None else count(rows)


def _data_notes(data: dict[str, Any]) -> list[str]:
    split, hidden = data.get("split") or {}, data.get("hide_labels")
    shares = [f"{split[name]:.0%} for {name}" for name in ("validation", "test") if split.get(name)]
    notes = []
    if shares:
        held_out = " and ".join(shares)
        notes.append(f"Held out from the training rows: {held_out}, stratified by all labels.")
    if split.get("folds"):
        fold = f"fold {split['fold']} was held out for test" if split.get("fold") else "each fold was held out once"
        notes.append(f"Cross-validation: {split['folds']} folds, stratified by all labels; {fold}.")
    if split.get("group"):
        notes.append(f"Rows with the same value in the column {split['group']} are in the same split.")
    if hidden:
        share = f"{hidden['fraction']:.0%}"
        notes.append(f"{share} of each task's training labels were hidden to measure the effect of missing labels.")
    if data.get("contradictions", "error") != "error":
        notes.append(f"Rule for contradictory labels of the same text: {data['contradictions']}.")
    if data.get("leaks") == "remove":
        notes.append("Training rows whose text also occurs in another split were removed.")
    return notes


def _label_texts(training: dict[str, Any]) -> list[Markup]:
    counts = training.get("label_texts", {})
    named = ", ".join(f"{plain(name)} {count(rows)}" for name, rows in counts.items())
    return [Markup(f"Texts of labels were training texts too: {named}.")] if named else []


def _teachers(recipe: dict[str, Any]) -> list[Markup]:
    """Return a line with the teacher of each task, if there are any. A local one is named without its folders."""
    taught = {task["name"]: task["teacher"]["model"] for task in recipe.get("tasks", ()) if task.get("teacher")}
    named = [f"{plain(name)} from {_model(model)}" for name, model in taught.items()]
    return [Markup(f"Learned from the answers of teachers on all training rows: {', '.join(named)}.")] if named else []


def _model(name: str) -> Markup:
    return link(name) if hub_model(name) is not None else plain(file_name(name.removesuffix("/model")))


def _architecture(config: MultiTaskConfig, recipe: dict[str, Any]) -> list[tuple[str, Any]]:
    layers = getattr(config.encoder_config, "num_hidden_layers", "?")
    kind = f"{config.backbone_config.model_type}, {layers} layers, width {config.hidden_size}"
    return [
        *_began_from(recipe),
        ("encoder", kind),
        ("sentence embedding", _embedding(config)),
        *([("prompt before each text", json.dumps(config.prompt, ensure_ascii=False))] if config.prompt else []),
        ("maximum length", f"{config.max_length} tokens{_BEYOND[config.long_texts]}"),
        ("heads", _head(config.head)),
    ]


def _embedding(config: MultiTaskConfig) -> str:
    widths = ", ".join(str(layer.out_features) for layer in config.dense)
    dense = f", dense layers of width {widths}" if widths else ""
    return f"{config.pooling} pooling{dense}{', normalised' if config.normalize else ''}"


def _began_from(recipe: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the model that training started from, unless it is a local folder."""
    name = recipe.get("start_from") or recipe.get("backbone")
    if (model := hub_model(name)) is not None:
        return [("trained from", link(model))]
    return [("trained from", name)] if str(name).startswith("package:") else []


def _head(head: Any) -> str:
    if not head.hidden_sizes:
        return "one linear layer per task"
    layers = f"hidden layers of {setting_in_words(head.hidden_sizes)}, {head.activation}, dropout {head.dropout:g}"
    return layers if head.normalization == "none" else f"{layers}, {head.normalization} normalisation"


def _procedure(recipe: dict[str, Any]) -> list[tuple[str, str]]:
    said = {name: recipe.get(name) for name, default in WORDS.items() if recipe.get(name) not in (default, None)}
    for word, fields in (("lora", LORA), ("training", ARGUMENTS)):
        given = recipe.get(word) or {}
        known = {name: given[name] for name in fields if given.get(name) is not None}
        said |= {f"lora: {name}": value for name, value in known.items()} if word == "lora" else known
    return [(name.replace("_", " "), setting_in_words(value)) for name, value in said.items()]


def _loss(task: TaskConfig) -> dict[str, Any]:
    """Return the settings that differ from the default loss of the problem type."""
    plain_loss = TaskConfig(task.name, task.problem_type, labels=task.labels)
    names = ("loss", "weight", "label_smoothing", "class_weights", "pos_weight", "focal_gamma", "huber_delta")
    said = {name: getattr(task, name) for name in names if getattr(task, name) != getattr(plain_loss, name)}
    return {name.replace("_", " "): _weights(value) for name, value in said.items()}


def _weights(value: Any) -> Any:
    if not isinstance(value, list) or len(value) == 1:
        return value[0] if isinstance(value, list) else value
    return f"from {min(value):.3g} to {max(value):.3g}"


def _took(training: dict[str, Any]) -> list[str]:
    hardware, energy = training["hardware"], training["energy"]
    resumed = training["resumed"]
    again = f", resumed {resumed} time{'s' if resumed > 1 else ''}" if resumed else ""
    return [
        f"Time: {duration(training['seconds'])} for {training['steps']:,} steps, {training['epochs']:g} epochs{again}. "
        f"Processor time: {duration(training['cpu_seconds'])}.",
        f"Parameters: {training['parameters']:,}, of which {training['trained_parameters']:,} were trained.",
        *_average(training.get("average") or {}),
        *([f"{describe_change(change)}."] if (change := training.get("embedding")) else []),
        f"Hardware: {_hardware(hardware)}.",
        f"Energy: about {_energy(energy['kilowatt_hours'])}. This is an estimate, not a measurement: "
        f"{energy['assumption']}. The emissions are unknown, because they depend on the source of the electricity.",
    ]


def _average(average: dict[str, Any]) -> list[str]:
    """Return what the weights are the average of, if they are one."""
    lines = {
        "last": "Weights: the mean of the weights at the last {} evaluations or checkpoints.",
        "ema": "Weights: an exponential moving average ({:g}) over the training steps.",
    }
    return [lines[name].format(value) for name, value in average.items()]


def _hardware(hardware: dict[str, Any]) -> str:
    memory = f", {hardware['memory'] / _GIB:.0f} GiB of memory" if hardware["memory"] else ""
    names = hardware["accelerators"]
    accelerators = "no accelerator" if not names else ", ".join(f"{names.count(n)} × {n}" for n in dict.fromkeys(names))
    return f"{hardware['processor']} ({hardware['cores']} cores{memory}), {accelerators}"


def _energy(kilowatt_hours: float) -> str:
    return f"{1000 * kilowatt_hours:.2g} Wh" if kilowatt_hours < 1 else f"{kilowatt_hours:.2g} kWh"
