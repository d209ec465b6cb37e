"""The words of a task's teacher: the model whose answers the task learns."""

from dataclasses import dataclass

from ..words_multitask import check_bounds, word

WEIGHT = 0.5  # the default share of the teacher in rows with a label


@dataclass(frozen=True)
class Teacher:
    """A model whose answers a task learns on the training rows (knowledge distillation, Hinton et al. 2015)."""

    model: str = word(
        description="The teacher: a trained model (a folder or a Hub id), a sequence classifier of transformers, or a "
        "table of recorded answers, which has the text and a column for each label with its probability, or is the "
        "output of `multitask predict`. No code of a model's folder is run.",
        example="runs/old/model",
    )
    task: str | None = word(
        None,
        description="The teacher's task, if it has another name. For models of this package and recorded answers.",
        example="sentiment",
    )
    labels: dict[str, str] = word(
        default_factory=dict,
        description="The task's label for each label of the teacher that has another name. The probabilities of labels "
        "with the same new name are added.",
        example={"LABEL_0": "negative", "LABEL_1": "positive"},
        labels=True,
    )
    weight: float = word(
        WEIGHT,
        description="The share of the teacher in the target of a row that has a label. In other rows, its answer is "
        "the whole target.",
        example=0.9,
        gt=0,
        le=1,
    )
    text: list[str] | None = word(
        None,
        description="The text column of a table of recorded answers, or the two columns of a pair. The default is "
        "`text`, and `text_pair` for pairs.",
        example="body",
        one_or_list=True,
    )

    def __post_init__(self) -> None:
        check_bounds(self)
