"""The configuration of a multi-task model: its backbone, its pooling and its ordered list of tasks."""

import copy
from dataclasses import asdict, field
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedTokenizerBase

from .dense_multitask import as_dense
from .problem_types_multitask import PROBLEM_TYPES
from .prompts_multitask import chosen_prompt, prompt_tokens
from .task_problems_multitask import task_given_problem, task_list_problem
from .tasks_multitask import HeadConfig, TargetStatistics, as_head, decided_together, parse_task
from .words_multitask import LongTexts, Pooling

HUB_TASK = "text-classification"  # the task on a model's card, which the Hub's code snippet names
DEFAULT_MAX_LENGTH = 512  # if neither the user nor the backbone's own files set a length
_TEXT_PARTS = ("text_encoder", "encoder", "text_config")  # transformers' names of the part for texts


class CustomPipelines(dict):
    """The entry `custom_pipelines` of `config.json`: one pipeline, with `HUB_TASK` as its second name.

    It is not a second entry, because `pipeline()` without a task works only if there is one.
    """

    def __contains__(self, task: object) -> bool:
        return super().__contains__(task) or task == HUB_TASK

    def __missing__(self, task: str) -> Any:
        if task == HUB_TASK:
            return next(iter(self.values()))
        raise KeyError(task)


@strict
class MultiTaskConfig(PreTrainedConfig):
    """The configuration of a [`MultiTaskModel`]. All settings are checked when it is created.

    Args:
        backbone_config: The encoder's own configuration, as an object or as a dict with its `model_type`.
        tasks: The tasks, in order. Each is a `TaskConfig` or a dict of its fields.
        pooling: How the token states become one sentence embedding: cls, mean, max, lasttoken, weightedmean or
            mean_sqrt_len, as in sentence-transformers.
        normalize: Whether the embedding is divided by its Euclidean norm before the heads.
        head: The head of every task that does not define its own.
        max_length: Maximum number of tokens of a text. A model replaces `None` by the smaller of 512 and the encoder's
            limit.
        long_texts: How longer texts are handled. `truncate` cuts them. `windows` splits them into windows of that
            length and averages the windows' embeddings.
        embedding_size: The width of the embedding, D. By default that of the last dense layer, or else the encoder's
            `hidden_size`. `from_backbone` measures it.
        dense: The dense layers between pooling and normalisation, in order. Each is a `DenseConfig` or a dict of its
            fields.
        prompts: Texts that can be put before each text, by name.
        default_prompt_name: The name of the prompt that is put before each text. `None` for no prompt.
        include_prompt: Whether pooling includes the tokens of the prompt.
        prompt_length: The number of tokens at the start of each text that pooling leaves out. `with_prompt` sets it if
            `include_prompt` is false.

    Raises:
        ValueError: If a setting is invalid, or the tasks do not fit together.

    Example:
        >>> from modeling_multitask import MultiTaskConfig
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
    # If `evaluate()` gathered these, it would keep the states of every token of every row in memory.
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
    embedding_size: int | None = None
    dense: list = field(default_factory=list)
    prompts: dict = field(default_factory=dict)
    default_prompt_name: str | None = None
    include_prompt: bool = True
    prompt_length: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        self.backbone_config = _as_backbone_config(self.backbone_config)
        self.head = as_head(self.head) or HeadConfig()
        self.tasks = [parse_task(task) for task in self.tasks]
        self.dense = as_dense(self.dense)
        if self.dense:
            self.embedding_size = self.dense[-1].out_features
        elif self.embedding_size is None:
            self.embedding_size = getattr(self.encoder_config, "hidden_size", None)
        if isinstance(kwargs.get("custom_pipelines"), dict):
            kwargs["custom_pipelines"] = CustomPipelines(kwargs["custom_pipelines"])
        super().__post_init__(**kwargs)

    def validate_tasks(self) -> None:
        """Raise a `ValueError` if the tasks do not fit together."""
        if (problem := task_list_problem([task.name for task in self.tasks])) is not None:
            raise ValueError(problem)
        settings = {task.name: asdict(task) for task in self.tasks}
        for i, task in enumerate(self.tasks):
            before = {each.name: settings[each.name] for each in self.tasks[:i]}
            if (wrong := task_given_problem(settings[task.name], before)) is not None:
                raise ValueError(f"task {task.name!r}: given.{wrong[0]}: {wrong[1]}")
            if task.given is not None and not (task.given.labels or task.given.parents):
                raise ValueError(f"task {task.name!r}: given has neither labels nor parents; set one of them")
            if task.thresholds is not None and task.name in decided_together(self.tasks):
                raise ValueError(
                    f"task {task.name!r}: thresholds do not apply to a task whose answer is chosen together with "
                    "that of another task; remove thresholds"
                )

    def validate_max_length(self) -> None:
        """Raise a `ValueError` if the length leaves no room for a word."""
        if self.max_length is not None and self.max_length < 2:
            raise ValueError(f"max_length is {self.max_length}; it must be at least 2 tokens, or null")

    def validate_prompts(self) -> None:
        """Raise a `ValueError` if the default prompt does not exist, or windows cannot leave its tokens out."""
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"default_prompt_name is {self.default_prompt_name!r}, but the prompts are {list(self.prompts)}"
            )
        if self.prompt_length and self.long_texts == "windows":
            raise ValueError(
                "long_texts is 'windows', but pooling leaves out the tokens of the prompt, which only the first window "
                "has; set long_texts to 'truncate', or prompt to ''"
            )

    @property
    def prompt(self) -> str:
        """The text that is put before each text. It is often empty."""
        return "" if self.default_prompt_name is None else self.prompts[self.default_prompt_name]

    def with_prompt(
        self, tokenizer: PreTrainedTokenizerBase, prompt_name: str | None = None, prompt: str | None = None
    ) -> Any:
        """Return a copy of this configuration with another default prompt.

        Args:
            tokenizer: The tokenizer, which counts the tokens that pooling leaves out.
            prompt_name: The name of one of the prompts. By default, the prompt stays the same.
            prompt: A text, instead of a name. An empty text is no prompt.

        Raises:
            ValueError: If both are given, there is no prompt of this name, or the prompt leaves no room for a text.
        """
        config = copy.copy(self)
        if prompt_name is not None or prompt is not None:
            config.prompts, config.default_prompt_name = chosen_prompt(self.prompts, prompt_name, prompt)
        tokens = prompt_tokens(tokenizer, config.prompt)
        if config.prompt and self.max_length is not None and tokens + 2 > self.max_length:
            raise ValueError(
                f"the prompt has {tokens} tokens, which leaves no room for a text, because max_length is "
                f"{self.max_length}; shorten the prompt, or set max_length higher"
            )
        config.prompt_length = 0 if self.include_prompt else tokens
        config.validate_prompts()
        return config

    @property
    def embedding_words(self) -> tuple[Any, ...]:
        """The settings that make an embedding from token states, as a part of the key of a cache."""
        return self.pooling, self.normalize, self.dense, self.prompt_length

    @property
    def hidden_size(self) -> int:
        """The width of the encoder's layers."""
        return self.encoder_config.hidden_size

    @property
    def num_hidden_layers(self) -> int:
        """The number of the encoder's layers."""
        return self.encoder_config.num_hidden_layers

    @property
    def vocab_size(self) -> int:
        """The number of the encoder's token embeddings. `resize_token_embeddings` sets it."""
        return self.encoder_config.vocab_size

    @vocab_size.setter
    def vocab_size(self, size: int) -> None:
        self.encoder_config.vocab_size = size

    @property
    def encoder_config(self) -> PreTrainedConfig:
        """The encoder's configuration, or its part for texts."""
        # `get_text_config` searches only some of these names, and takes an encoder's `text_config` for a decoder's.
        parts = (getattr(self.backbone_config, name, None) for name in _TEXT_PARTS)
        return next((part for part in parts if isinstance(part, PreTrainedConfig)), self.backbone_config)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Return a saved configuration. Models of version 0.1 keep the answers that they gave.

        The result for a plain encoder is its own configuration, because peft reads the vocabulary of a backbone in this
        way when it saves an adapter.
        """
        kind = config_dict.get("model_type", cls.model_type)
        if kind != cls.model_type and kind in CONFIG_MAPPING:
            return CONFIG_MAPPING[kind].from_dict(config_dict, **kwargs)
        tasks = [
            {**_of_version_0_1(task), **task} if isinstance(task, dict) else task
            for task in config_dict.get("tasks") or []
        ]
        return super().from_dict({**config_dict, "tasks": tasks}, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types, without local paths."""
        output = super().to_dict()
        output["tasks"] = [asdict(task) for task in self.tasks]
        output["head"] = asdict(self.head)
        output["dense"] = [asdict(layer) for layer in self.dense]
        # The base class's single-task fields would describe every multi-task model as having two classes. The Trainer
        # adds `use_cache`, which is for generators.
        for name in ("id2label", "label2id", "problem_type", "use_cache"):
            output.pop(name, None)
        for name in ("_name_or_path", "architectures", "id2label", "label2id"):
            output["backbone_config"].pop(name, None)
        return output

    def _get_generation_parameters(self) -> dict[str, Any]:
        # transformers before 5.20 treats `max_length` as a generation setting and refuses to save a model with it.
        return {}


def _of_version_0_1(task: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that version 0.1 did not save, as it behaved: no standardisation, and the mode."""
    facts = PROBLEM_TYPES.get(task.get("problem_type", ""))
    if facts is None:
        return {}
    return {"targets": TargetStatistics()} if facts.is_number else {"decision": "mode"} if facts.ordered else {}


def _as_backbone_config(given: Any) -> PreTrainedConfig:
    if isinstance(given, PreTrainedConfig):
        return _of_the_encoder(given)
    if not isinstance(given, dict) or "model_type" not in given:
        raise ValueError(f"backbone_config is {given!r}; it must be a configuration or a dict with its model_type")
    if given["model_type"] not in CONFIG_MAPPING or "auto_map" in given:
        raise ValueError(
            f"backbone_config: model_type {given['model_type']!r} is not part of transformers; "
            "a backbone that needs remote code of its own is not supported"
        )
    return _as_backbone_config(CONFIG_MAPPING[given["model_type"]](**given))


def _of_the_encoder(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return the configuration for the encoder alone. The model knows whether there is one."""
    if not config.is_encoder_decoder:
        return config
    config = copy.deepcopy(config)
    config.is_encoder_decoder = False
    return config


MultiTaskConfig.register_for_auto_class()
