"""The router of AVG-LLaVA: from a picture at every level and the words asked, a score a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seal.models.parts.picture_draws import PictureDraws
from seal.models.parts.scaler import scale_tokens

ATTENDS = ("tokens", "tiles")


@dataclass(kw_only=True, slots=True)
class RouterConfig:
    """Sizes of the router; its width is the language model's."""

    text_tokens: int = 32  # words it reads: those most similar to the picture
    num_heads: int = 8
    dropout: float = 0.1
    # tokens: each tile's tokens and the words attend to one another. tiles: as released, each
    # position attends to the same position of the picture's other tiles, and to nothing else.
    attends: str = "tokens"

    def __post_init__(self) -> None:
        if self.attends not in ATTENDS:
            raise ValueError(f"attends={self.attends!r} is none of {', '.join(ATTENDS)}")
        if self.text_tokens < 1 or self.num_heads < 1:
            raise ValueError(
                f"text_tokens={self.text_tokens} and num_heads={self.num_heads} must be at least 1"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} must be in [0, 1)")


class RouterOutput(NamedTuple):  # a tuple: in others ZeRO-3 hangs no hooks for the way back
    """Of P pictures."""

    scores: Tensor  # (P, levels), coarse to fine: the largest is chosen
    before_norm: Tensor  # (P, levels)
    picked: Tensor  # (P, text_tokens) int64: the words it read, most similar first; -1: a zero row


class Router(nn.Module):
    """One transformer layer, a score of each level by each token, and a weight for each token
    (AVG-LLaVA, section 3.2)."""

    def __init__(self, config: RouterConfig, levels: Sequence[int], width: int) -> None:
        """`levels` coarse to fine."""
        super().__init__()
        if width % config.num_heads:
            raise ValueError(
                f"router.num_heads={config.num_heads} does not divide the language model's "
                f"hidden_size={width}"
            )
        self.config, self.levels = config, tuple(levels)
        self.layer = EncoderLayer(width, config)
        inner, outer = nn.Linear(width, width), nn.Linear(width, len(self.levels))
        for part in (inner, outer):
            nn.init.kaiming_normal_(part.weight)
        self.token_scores = nn.Sequential(inner, nn.GELU(), outer)
        self.voter = nn.Parameter(torch.randn(sum(self.levels) + config.text_tokens, 1))
        self.norm = nn.LayerNorm(len(self.levels))

    def forward(
        self,
        tokens: Tensor,
        counts: Sequence[int],
        text: Tensor,
        text_mask: Tensor,
        keys: Sequence[int] | None = None,
    ) -> RouterOutput:
        """Score the levels of P pictures.

        Args:
            tokens: (T, N, D) of the finest level of all pictures' tiles.
            counts: tiles of each picture, that of the whole picture first.
            text: (P, K, D) word embeddings; text_mask: (P, K) bool, which of them may be read.
            keys: a number a picture that its dropout is drawn from, so that a picture alone is
                treated as in any batch; None: from torch's generator.
        """
        starts = [sum(counts[:number]) for number in range(len(counts))]
        whole = tokens.index_select(0, _indices(starts, tokens.device))  # (P, N, D)
        picked = similar_words(whole, text, text_mask, self.config.text_tokens)
        rows = F.pad(text, (0, 0, 0, 1))  # (P, K + 1, D): the last stands in for what lacks
        places = picked.where(picked >= 0, text.shape[1])
        words = rows.gather(1, places[..., None].expand(-1, -1, text.shape[-1]))
        owners = [picture for picture, count in enumerate(counts) for _ in range(count)]
        of_tile = _indices(owners, tokens.device)  # (T,)
        read = torch.cat(
            [
                *(scale_tokens(tokens, level) for level in self.levels),
                words.index_select(0, of_tile),
            ],
            dim=1,
        )  # (T, positions, D)
        read = self.layer(read, PictureDraws(counts, keys if self.training else None))
        votes = (self.token_scores(read) * self.voter).sum(1)  # (T, levels)
        means = torch.stack([own.mean(0) for own in votes.split(list(counts))])  # (P, levels)
        return RouterOutput(self.norm(means), means, picked)


class EncoderLayer(nn.Module):
    """A post-norm transformer layer: attention, then a feed-forward of the layer's own width.

    torch's own reads weights of its parts without calling them, which ZeRO-3 has taken apart. For
    its sake each part is called once, however many pictures there are: a call gathers its weights,
    and processes whose pictures are more would wait for the others.
    """

    def __init__(self, width: int, config: RouterConfig) -> None:
        super().__init__()
        self.config = config
        self.in_proj = nn.Linear(width, 3 * width)
        nn.init.xavier_uniform_(self.in_proj.weight)
        self.out_proj = nn.Linear(width, width)
        for part in (self.in_proj, self.out_proj):
            nn.init.zeros_(part.bias)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, width)
        self.linear2 = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, draws: PictureDraws) -> Tensor:
        """(T, L, D) of all pictures' tiles; who attends to whom, `RouterConfig.attends` says."""
        heads = (
            t.unflatten(-1, (self.config.num_heads, -1)) for t in self.in_proj(x).chunk(3, dim=-1)
        )
        query, key, value = (t.transpose(1, 2) for t in heads)  # (T, heads, L, head size)
        if self.config.attends == "tiles" or self._draws:
            attended = draws.each(self._attention, query, key, value)
        else:
            attended = self._attention(query, key, value)
        attended = attended.transpose(1, 2).flatten(2)  # (T, L, D)
        x = self.norm1(x + self._drop(self.out_proj(attended), draws))
        inner = self._drop(F.relu(self.linear1(x)), draws)
        return self.norm2(x + self._drop(self.linear2(inner), draws))

    @property
    def _draws(self) -> bool:
        return self.training and self.config.dropout > 0

    def _attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Of one picture, or of many where each tile is its own: (tiles, heads, L, size)."""
        dropout = self.config.dropout if self._draws else 0.0
        if self.config.attends == "tokens":
            return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        query, key, value = (
            t.transpose(0, 2) for t in (query, key, value)
        )  # (L, heads, tiles, ..)
        attended = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return attended.transpose(0, 2)

    def _drop(self, x: Tensor, draws: PictureDraws) -> Tensor:
        if not self._draws:
            return x
        return draws.each(lambda own: F.dropout(own, self.config.dropout), x)


def _indices(numbers: Sequence[int], device: torch.device) -> Tensor:
    """(n,) int64, without waiting for the device."""
    return torch.tensor(numbers, dtype=torch.int64).to(device, non_blocking=True)


def similar_words(picture: Tensor, text: Tensor, mask: Tensor, count: int) -> Tensor:
    """(P, count) int64: the words most like a picture, the most similar first; -1: no more words.

    By the mean cosine with all of its tokens; of equal ones the earlier comes first.

    Args:
        picture: (P, N, D), text: (P, K, D), mask: (P, K) bool.
    """
    cosines = F.normalize(text.float(), dim=-1) @ F.normalize(picture.float(), dim=-1).mT
    similarity = cosines.mean(-1).masked_fill(~mask, -torch.inf)  # (P, K)
    order = similarity.argsort(dim=-1, descending=True, stable=True)[:, :count]
    picked = order.masked_fill(~mask.gather(1, order), -1)
    return F.pad(picked, (0, count - picked.shape[1]), value=-1)
