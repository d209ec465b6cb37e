"""The lines that our commands print, to find those of the libraries among them."""

import re

_NAMES = (
    r"Probe|Tokenising|Generating \w+ split|(?:Baseline|Similarity|keep_embedding): embedding the \w+ rows|"
    r"(?:Caching|Reading) the output of [^:\n]*"
)
# A bar without a name is one of the Trainer, or of an evaluation. "Generating" and "Tokenising" are drawn by datasets.
_BARS = re.compile(
    rf"(?:(?:{_NAMES}):[: ]*)?(?:\d+%\|[^|]*\| )?[\d.,k]+(?:/[\d.,k?]+)?(?: \w+)? \[\d[^\]]*\]|\x1b\[[A-Z]"
)
_LINES = (
    r"epoch [\d.]+: loss .*",
    r"\w+: labelled rows and metrics .*",
    r"[┏┡└├].*|[┃│].*[┃│]",
    r"Verdict on the \w+ rows:",
    r"\w+: macro F1 [\d.]+: .*|never answered: .*",
    r"Report \(metrics, errors, calibration\): .*",
    r"The model is in .* You can load it without this package:",
    r"from transformers import pipeline|classify = pipeline\(.*|print\(classify\(.*",
    r"\w+: \d+ rows (repeat a text|have a text that is also in) .*",
    r"task '\w+': the temperature stays 1: .*",
    r"(?:Baseline|Similarity|keep_embedding): [\d,]+ texts were embedded in \d+ s\.",
    r"only \d+ validation rows have a label, .*",
    r"Wrote predictions for \d+ rows to .*",
)
_OWN = re.compile("|".join(f"(?:{each})" for each in _LINES))
_OF_PROGRAMS = re.compile(r"Loading weights: +\d+%\|[^\r\n]*")


def foreign_lines(output: str, *, of_program: bool = False) -> list[str]:
    """Return the lines of an output that are not ours.

    Args:
        output: The output of one of our commands, or what a program of a user prints to stderr.
        of_program: Whether it is of a program, in which transformers shows a bar when it loads a model.
    """
    if of_program:
        output = _OF_PROGRAMS.sub("", output)
    lines = [line.strip() for line in re.split(r"[\r\n]", _BARS.sub("\n", output))]
    return [line for line in lines if line and not _OWN.fullmatch(line)]
