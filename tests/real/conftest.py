"""Real weights for the tests of this folder; where they cannot be had the tests are skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real.dinov2 import dinov2_folder
from real.packages import NotFetchedError
from real.smollm2 import smollm2_folder


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2-135M-Instruct."""
    pytest.importorskip("gguf", reason="gguf, of the dev extra, is not installed")
    return _or_skip(smollm2_folder)


@pytest.fixture(scope="session")
def dinov2() -> Path:
    """The folder of DINOv2 ViT-S/14."""
    pytest.importorskip("onnx", reason="onnx, of the dev extra, is not installed")
    return _or_skip(dinov2_folder)


def _or_skip(fetch: Callable[[], Path]) -> Path:
    try:
        return fetch()
    except NotFetchedError as error:
        pytest.skip(str(error))
