"""What a multi-task model is: its backbone, its pooling and its ordered list of tasks."""

from dataclasses import asdict, field
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from .task_problems_multitask import task_given_problem, task_list_problem
from .tasks_multitask import HeadConfig, as_head, decided_together, parse_task

Pooling = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len"]
LongTexts = Literal["truncate", "windows"]

DEFAULT_MAX_LENGTH = 512  # where neither the user nor the backbone's own files name a length
# These number positions from the padding id on, so that the first ones are never a token's.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"})


@strict
class MultiTaskConfig(PreTrainedConfig):
    """Configuration of a [`MultiTaskModel`]; everything that can be wrong about it is said when it is built.

    Args:
        backbone_config: The encoder's own configuration, as an object or as a dict with its `model_type`.
        tasks: The tasks, in order; each a `TaskConfig` or a dict of its fields.
        pooling: How the token states become one sentence embedding, in sentence-transformers' words.
        normalize: Whether the embedding is divided by its Euclidean norm, before the heads.
        head: The head of every task that brings none of its own.
        max_length: Number of tokens beyond which a text is cut; `None` becomes 512 or the encoder's limit.
        long_texts: What becomes of a longer text: `truncate` leaves the rest out, `windows` reads it in pieces of that
            length and takes the mean of their embeddings.

    Example:
        >>> from transformers import BertConfig
        >>> config = MultiTaskConfig(
        ...     backbone_config=BertConfig(),
        ...     tasks=[{"name": "topic", "problem_type": "single_label_classification", "labels": ["art", "sport"]}],
        ... )
        >>> config.tasks[0].num_labels
        2
    """

    model_type = "multitask"
    has_no_defaults_at_init = True  # read by transformers before 5.20
    sub_configs: ClassVar = {"backbone_config": AutoConfig}
    # Gathering these in `evaluate()` would hold the states of every token of every row.
    keys_to_ignore_at_inference: ClassVar = [
        "embeddings",
        "last_hidden_state",
        "task_losses",
        "hidden_states",
        "attentions",
    ]

    backbone_config: Any = None
    tasks: list = field(default_factory=list)
    pooling: Pooling = "mean"
    normalize: bool = False
    head: Any = None
    max_length: int | None = None
    long_texts: LongTexts = "truncate"

    def __post_init__(self, **kwargs: Any) -> None:
        self.backbone_config = _as_backbone_config(self.backbone_config)
        self.head = as_head(self.head) or HeadConfig()
        self.tasks = [parse_task(task) for task in self.tasks]
        if self.max_length is None:
            self.max_length = default_max_length(self.backbone_config)
        super().__post_init__(**kwargs)

    def validate_tasks(self) -> None:
        """Refuses tasks that cannot stand side by side."""
        if (problem := task_list_problem([task.name for task in self.tasks])) is not None:
            raise ValueError(problem)
        settings = {task.name: asdict(task) for task in self.tasks}
        for i, task in enumerate(self.tasks):
            before = {each.name: settings[each.name] for each in self.tasks[:i]}
            if (wrong := task_given_problem(settings[task.name], before)) is not None:
                raise ValueError(f"task {task.name!r}: given.{wrong[0]}: {wrong[1]}")
            if task.given is not None and not (task.given.labels or task.given.parents):
                raise ValueError(f"task {task.name!r}: given says neither labels nor parents")
            if task.thresholds is not None and task.name in decided_together(self.tasks):
                raise ValueError(f"task {task.name!r}: thresholds do not go with labels that are chosen together")

    def validate_max_length(self) -> None:
        """Refuses a length that leaves no room for a word."""
        if self.max_length is not None and self.max_length < 2:
            raise ValueError(f"max_length is {self.max_length}; it must be at least 2 tokens, or null")

    @property
    def hidden_size(self) -> int:
        """Width of the token states and of the sentence embedding."""
        return self.backbone_config.hidden_size

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain JSON types, without the path of the machine it was made on."""
        output = super().to_dict()
        output["tasks"] = [asdict(task) for task in self.tasks]
        output["head"] = asdict(self.head)
        # The base class's single-task fields would call every multi-task model one of two classes; the Trainer
        # adds a generator's `use_cache`.
        for name in ("id2label", "label2id", "problem_type", "use_cache"):
            output.pop(name, None)
        for name in ("_name_or_path", "architectures", "id2label", "label2id"):
            output["backbone_config"].pop(name, None)
        return output

    def _get_generation_parameters(self) -> dict[str, Any]:
        # transformers before 5.20 takes `max_length` for a generator's, and refuses to save a model that has one.
        return {}


def default_max_length(backbone_config: PreTrainedConfig) -> int:
    """512 tokens, or the encoder's own limit if that is less."""
    limit = getattr(backbone_config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 1:
        return DEFAULT_MAX_LENGTH
    return min(DEFAULT_MAX_LENGTH, limit - first_position(backbone_config))


def first_position(backbone_config: PreTrainedConfig) -> int:
    """The number that an encoder gives to the position of its first token."""
    offset = backbone_config.model_type in _OFFSET_POSITIONS
    return (backbone_config.pad_token_id or 0) + 1 if offset else 0


def _as_backbone_config(given: Any) -> PreTrainedConfig:
    if isinstance(given, PreTrainedConfig):
        if given.is_encoder_decoder:
            raise ValueError(f"backbone_config: {given.model_type!r} is an encoder with a decoder; give an encoder")
        return given
    if not isinstance(given, dict) or "model_type" not in given:
        raise ValueError(f"backbone_config must be a configuration or a dict with its model_type; given: {given!r}")
    if given["model_type"] not in CONFIG_MAPPING or "auto_map" in given:
        raise ValueError(
            f"backbone_config: model_type {given['model_type']!r} is not part of transformers; "
            "a backbone that needs remote code of its own cannot be nested here"
        )
    return _as_backbone_config(CONFIG_MAPPING[given["model_type"]](**given))


MultiTaskConfig.register_for_auto_class()
