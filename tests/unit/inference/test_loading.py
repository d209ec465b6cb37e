"""The dtype in which a device is fast."""

import pytest
import torch

from modeling_multitask.inference import loading


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({"avx2": True}, torch.float32),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_a_processor_is_fast_in_bfloat16_where_it_has_units_for_it(
    units: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)

    assert loading.fast_dtype(torch.device("cpu")) == expected


def test_of_other_devices_nothing_is_assumed() -> None:
    assert loading.fast_dtype(torch.device("mps")) == torch.float32
