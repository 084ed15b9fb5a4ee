"""Importing the package is instant and pulls in no network library."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "deepspeed", "hydra", "wandb", "datasets")


@pytest.mark.parametrize("module", ["seal", "seal.cli", "seal.search.guided", "seal.geometry"])
def test_import_loads_no_heavy_package(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_main_class_is_resolved_on_first_use():
    import seal
    from seal.pipeline import Seal

    assert seal.Seal is Seal


def test_an_unknown_attribute_is_an_attribute_error():
    import seal

    with pytest.raises(AttributeError, match="no attribute 'Seel'"):
        _ = seal.Seel
