"""One process group for all tests of this folder: DeepSpeed does not survive a second one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from seal.training.distributed import World, distributed


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    torch.set_num_threads(1)
    with distributed(seed=0) as world:
        yield world
