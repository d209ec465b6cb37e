"""The number of labelled rows that a temperature and a threshold need.

python -m benchmarks.calibration_rows [--draws 200]

Trains small heads on embeddings of MiniLM: an over-confident head (few rows, many steps), an under-confident head
(label smoothing), and a calibrated one (the logits of the first, divided by the best temperature of the evaluated
rows, so that a fit can only make them worse). Half of the rows without training is evaluated. Rows are drawn from the
other half, and a temperature or a threshold is fitted on each draw. A fit that ends at a bound of its search is not
used. The figures are changes on the evaluated rows.

Two other fits are measured as well. With a penalty, a temperature minimises the summed loss plus
`(log temperature)² / (2 · width²)`, so the penalty counts less with more rows. A shrunk threshold is moved towards 0.5
as if `shrinkage` more rows had their best threshold there.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration_heads import TEMPERATURES, Output, at_best_temperature, heads, row_losses, works
from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.calibration import fit_thresholds, reliability
from modeling_multitask.training.metrics import decide_arrays

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "calibration_rows.json"
ROWS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
RAREST = (2, 5, 10, 20, 50, 100, 200)
WIDTHS = (None, 0.25)  # of the penalty on the temperature; None is no penalty
SHRINKAGES = (0, 10, 20)
# The rule: from this number of rows on, the fits of every model keep these limits.
MOST_LOSS = 0.02  # more loss in the worst tenth of the draws
LEAST_F1, LEAST_F1_OF_TENTH = -0.01, -0.03  # mean over the draws, and in the worst tenth, averaged over the labels
LABEL = TaskConfig("label", "binary_classification", labels=["no", "yes"])


def main(argv: list[str] | None = None) -> None:
    """Measure and print the changes, and write them to the results."""
    parser = argparse.ArgumentParser(prog="benchmarks.calibration_rows")
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args(argv).draws
    started = time.perf_counter()
    temperatures, thresholds = [], []
    for work in works():
        for head, output in heads(work).items():
            given = {"task": work.task.name, "problem_type": work.task.problem_type, "head": head}
            temperatures += [given | each for each in temperature_changes(output, draws)]
            if work.task.kind.thresholds != "none" and head != "calibrated":
                for scores, own in (("own", output), ("calibrated", at_best_temperature(output))):
                    thresholds += [given | {"scores": scores} | each for each in threshold_changes(own, draws)]
            print(f"{time.perf_counter() - started:.0f} s: {given}", flush=True)
    content = {
        "draws": draws,
        "needed": {
            "temperature": {str(width): fewest_rows(temperatures, width) for width in WIDTHS},
            "thresholds": {str(shrinkage): fewest_of_each(thresholds, shrinkage) for shrinkage in SHRINKAGES},
        },
        "temperature": temperatures,
        "thresholds": thresholds,
    }
    print(json.dumps(content["needed"]))
    RESULTS.write_text(_text(content) + "\n", encoding="utf-8")


def fewest_rows(changes: list[dict[str, Any]], width: float | None) -> int | None:
    """Return the number of rows from which the loss of no model rises too much. `None` if there is none."""
    own = [each for each in changes if each["width"] == width]
    bad = {each["rows"] for each in own if each["loss"]["p90"] > MOST_LOSS}
    return min((rows for rows in ROWS if all(rows > each for each in bad)), default=None)


def fewest_of_each(changes: list[dict[str, Any]], shrinkage: int) -> int | None:
    """Return the number of rows of the rarer answer from which the F1 of no group of labels falls too much."""
    own = [each for each in changes if each["shrinkage"] == shrinkage]
    bad = {each["rarest"] for each in own if each["f1"]["mean"] < LEAST_F1 or each["f1"]["p10"] < LEAST_F1_OF_TENTH}
    return min((rows for rows in RAREST if all(rows > each for each in bad)), default=None)


def temperature_changes(output: Output, draws: int) -> list[dict[str, Any]]:
    """Return the changes of loss and calibration error on the evaluated rows, by number of rows and penalty."""
    own = row_losses(output.task, output.logits, output.labels)
    others = row_losses(output.task, output.other_logits, output.other_labels).mean(axis=0)  # (T,)
    errors = np.array([_calibration_error(output, temperature) for temperature in TEMPERATURES])
    before = int(np.abs(np.log(TEMPERATURES)).argmin())
    entries = output.logits.shape[1] if output.task.kind.several_labels else 1
    rng = np.random.default_rng(0)
    changes = []
    for rows in [each for each in ROWS if each <= len(own)]:
        sums = np.stack([own[rng.choice(len(own), rows, replace=False)].sum(axis=0) for _ in range(draws)]) * entries
        for width in WIDTHS:
            penalty = 0.0 if width is None else np.log(TEMPERATURES) ** 2 / (2 * width**2)
            found = (sums + penalty).argmin(axis=1)
            at_bound = np.isin(found, (0, len(TEMPERATURES) - 1))
            chosen = np.where(at_bound, before, found)
            changes.append(
                {
                    "rows": rows,
                    "width": width,
                    "before": {"loss": others[before], "ece": errors[before]},
                    "best": {"temperature": TEMPERATURES[others.argmin()], "loss": others.min()},
                    "loss": _summary(others[chosen] - others[before]),
                    "ece": _summary(errors[chosen] - errors[before]),
                    "at_a_bound": float(at_bound.mean()),
                }
            )
    return changes


def threshold_changes(output: Output, draws: int) -> list[dict[str, Any]]:
    """Return the changes of the F1 on the evaluated rows, averaged over the labels whose rarer answer is the same.

    Each label is also asked the other way round, so that "no" is the rarer answer.
    """
    truth = output.labels.reshape(len(output.labels), -1)
    other_truth = output.other_labels.reshape(len(output.other_labels), -1)
    rng = np.random.default_rng(0)
    found: dict[tuple[str, int, int], list[dict[str, float]]] = {}
    for label in range(truth.shape[1]):
        for sign in (1, -1):
            own = (truth[:, label] if sign == 1 else 1 - truth[:, label]), sign * output.logits[:, label]
            other = other_truth[:, label] if sign == 1 else 1 - other_truth[:, label]
            scores = 1 / (1 + np.exp(-sign * output.other_logits[:, label]))
            share = other.mean()
            group = "even" if abs(share - 0.5) < 0.05 else "yes" if share < 0.5 else "no"
            for rarest in RAREST:
                cuts = [cut for _ in range(draws) if (cut := _fitted(*own, rarest, rng)) is not None]
                for shrinkage in SHRINKAGES if cuts else ():
                    change = _f1_change(np.array(cuts), rarest, shrinkage, other, scores)
                    found.setdefault((group, rarest, shrinkage), []).append(change)
    return [
        {"rarer": group, "rarest": rarest, "shrinkage": shrinkage, "labels": len(every), "f1": _mean(every)}
        for (group, rarest, shrinkage), every in sorted(found.items())
    ]


def _fitted(truth: np.ndarray, logits: np.ndarray, rarest: int, rng: np.random.Generator) -> float | None:
    """Return a threshold fitted on a draw with this number of rows of the rarer answer, or `None` if there are less."""
    places = [np.flatnonzero(truth == each) for each in (0, 1)]
    rare = min(places, key=len)
    if len(rare) < rarest:
        return None
    counts = [max(1, round(len(each) * rarest / len(rare))) for each in places]
    drawn = np.concatenate([rng.choice(each, count, replace=False) for each, count in zip(places, counts, strict=True)])
    threshold = fit_thresholds(LABEL, logits[drawn, None], truth[drawn])[0]
    return 0.5 if threshold == 0 else threshold


def _f1_change(
    cuts: np.ndarray, rarest: int, shrinkage: int, truth: np.ndarray, scores: np.ndarray
) -> dict[str, float]:
    moved = 0.5 + (cuts - 0.5) * rarest / (rarest + shrinkage)
    before = float(_f1(truth, scores, np.array([0.5]))[0])
    return {"before": before, **_summary(_f1(truth, scores, moved) - before)}


def _f1(truth: np.ndarray, scores: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Return the F1 at each threshold. An answer is yes above the threshold."""
    order = np.argsort(scores, kind="stable")
    hits = np.append(np.cumsum(truth[order][::-1])[::-1], 0)  # by the number of rows that are not above the threshold
    below = np.searchsorted(scores[order], cuts, side="right")
    return 2 * hits[below] / np.maximum(len(scores) - below + truth.sum(), 1)


def _summary(changes: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(changes, [0.1, 0.9])
    return {"mean": float(changes.mean()), "p10": float(low), "p90": float(high)}


def _mean(every: list[dict[str, float]]) -> dict[str, float]:
    means = {name: float(np.mean([each[name] for each in every])) for name in every[0]}
    return {**means, "worst_label": min(each["mean"] for each in every)}


def _text(content: dict[str, Any]) -> str:
    """Return JSON with four digits of each number, and one line for each change."""
    rounded = json.loads(json.dumps(content), parse_float=lambda number: round(float(number), 4))
    for name in ("temperature", "thresholds"):
        rounded[name] = [json.dumps(each) for each in rounded[name]]
    return json.dumps(rounded, indent=1).replace('"{', "{").replace('}"', "}").replace('\\"', '"')


def _calibration_error(output: Output, temperature: float) -> float:
    task = replace(output.task, temperature=float(temperature))
    decision = decide_arrays({task.name: output.other_logits}, [task])[task.name]
    return reliability(task, decision, output.other_labels).error


if __name__ == "__main__":
    main()
