from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from seal.training.source_losses import SourceLosses

NAMES = ("gqa", "vaw", "spatial")


def micro_batch(seed: int, sources: list[str]) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Real cross-entropies of a few labels a conversation."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(sources), (11,), generator=generator).sort().values
    logits = torch.randn(11, 7, generator=generator)
    labels = torch.randint(7, (11,), generator=generator)
    return F.cross_entropy(logits, labels, reduction="none"), rows, sources


def test_each_source_has_the_mean_over_its_own_labels(world):
    batches = [micro_batch(1, ["gqa", "vaw", "gqa"]), micro_batch(2, ["vaw", "gqa"])]
    losses = SourceLosses(NAMES)
    for batch in batches:
        losses.add(*batch)
    found = losses.summary(world)
    assert list(found) == ["loss/ce/gqa", "loss/ce/vaw"]  # nothing was read of spatial
    for name in ("gqa", "vaw"):
        own = [
            float(loss)
            for each, rows, sources in batches
            for loss, row in zip(each, rows, strict=True)
            if sources[row] == name
        ]
        assert found[f"loss/ce/{name}"] == pytest.approx(sum(own) / len(own), rel=1e-6)


def test_labels_of_no_source_are_left_out_and_every_line_begins_anew(world):
    losses = SourceLosses(NAMES)
    losses.add(*micro_batch(1, ["", "spatial"]))
    assert list(losses.summary(world)) == ["loss/ce/spatial"]
    assert losses.summary(world) == {}
    losses.add(*micro_batch(3, ["gqa"]))
    alone = losses.summary(world)
    assert alone == {"loss/ce/gqa": pytest.approx(float(micro_batch(3, ["gqa"])[0].mean()))}


def test_nothing_asks_the_device_before_the_log_line(world):
    """A tensor without values, as a device's is for the host, takes every call but the last."""
    losses = SourceLosses(NAMES)
    each, rows, sources = micro_batch(1, ["gqa", "vaw"])
    losses.add(each.to("meta"), rows, sources)
    losses.add(each.to("meta"), rows, sources)
    with pytest.raises(RuntimeError, match="meta"):
        losses.summary(world)


def test_no_sources_no_numbers(world):
    losses = SourceLosses(())
    losses.add(*micro_batch(1, ["gqa"]))
    assert losses.summary(world) == {}
