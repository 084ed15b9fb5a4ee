"""The memory of this process is told as the system sees it."""

from __future__ import annotations

import numpy as np
import pytest

from seal import resident
from seal.resident import peak_resident, status_bytes


def test_the_peak_grows_with_what_is_written_and_stays():
    before = peak_resident()
    held = np.ones(64 * 2**20, np.uint8)
    grown = peak_resident()
    assert grown >= before and grown >= len(held)
    del held
    assert peak_resident() > grown - 2**20  # Linux adds up in portions of some pages


@pytest.mark.skipif(not resident.STATUS.exists(), reason="the system has no /proc")
def test_a_size_is_in_bytes_and_an_unknown_one_is_none():
    assert (status_bytes("VmRSS") or 0) > 2**20
    assert status_bytes("VmNothing") is None


def test_without_a_status_the_peak_is_that_of_the_usage(monkeypatch, tmp_path):
    told = peak_resident()
    monkeypatch.setattr(resident, "STATUS", tmp_path / "none")
    assert status_bytes("VmRSS") is None
    assert 0.5 < peak_resident() / told < 20
