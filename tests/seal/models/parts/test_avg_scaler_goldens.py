"""Pooled tokens equal AVG-LLaVA's; a level that gives another number there is refused."""

from __future__ import annotations

import pytest
import torch
from golden_files import each_golden, golden_tensors

from seal.models.parts.scaler import scale_tokens


@pytest.mark.goldens("avg_scaler")
def test_tokens_of_every_level_equal_the_originals():
    pooled = golden_tensors("avg/scaler")
    for case in each_golden("avg/scaler", "cases"):
        tokens = pooled[f"{case['id']}_in"].float()
        assert tokens.shape == (case["tiles"], case["tokens"], case["width"])
        level = case["level"]
        if case["out_tokens"] != level:
            with pytest.raises(ValueError, match=f"^{level} is no level"):
                scale_tokens(tokens, level)
        else:
            expected = pooled[f"{case['id']}_{level}"]
            torch.testing.assert_close(scale_tokens(tokens, level), expected, rtol=0, atol=1e-6)
