"""Every text encoder of transformers works without this package, or is refused with one sentence."""

from pathlib import Path

import pytest

from tests.encoders.outcomes import OUTCOMES
from tests.encoders.sweep import answers, answers_without_us, in_a_forked_process, leaves, tried

# One of each: rotary positions, positions behind the padding id, linear attention, the encoder of an encoder-decoder,
# the texts of a model of images, padding that is read, a short text that fails, segments of another form.
SAMPLE = ["modernbert", "xmod", "qwen3_next", "t5gemma", "gemma3", "fnet", "canine", "tapas"]
TOLERANCE = 1e-4  # of a number; those of two processes differ by far less


@pytest.fixture
def forked_probe(whole_probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole probe, whose other process is forked from one that has imported transformers."""
    monkeypatch.setattr("modeling_multitask.publishing.fresh_load._in_a_fresh_process", in_a_forked_process)


@pytest.mark.slow
@pytest.mark.usefixtures("forked_probe")
def test_eight_families_have_their_outcomes(tmp_path: Path) -> None:
    # P123, P124
    check_families(SAMPLE, tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("forked_probe")
@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_a_family_has_its_outcome(kind: str, tmp_path: Path) -> None:
    check_families([kind], tmp_path)


def check_families(kinds: list[str], place: Path) -> None:
    found = {kind: tried(kind, place / kind) for kind in kinds}
    runs = [each.run for each in found.values() if each.run is not None]

    assert {kind: each.outcome for kind, each in found.items()} == {kind: OUTCOMES[kind] for kind in kinds}
    for run, theirs in zip(runs, answers_without_us(runs, place), strict=True):
        for one, other in zip(leaves(answers(run)), leaves(theirs), strict=True):
            assert one == (pytest.approx(other, rel=TOLERANCE, abs=TOLERANCE) if isinstance(other, float) else other)
