"""Teach the search model's language model to see regions: the miniature's stand-in for LLaVA.

After this it can say which regions a picture shows, and, from text alone, where things usually are.
That the second follows from the first is left to the training of the search model.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seal.batch import Sample, Visual
from seal.data.collate import collate
from seal.images import clip_pixels, pad_to_square
from seal.miniature.corpus import DESCRIBE, VSM_SHARES, Turn, named_answer, write
from seal.miniature.pretraining import pretrain
from seal.miniature.views import LEVELS, View, random_view
from seal.miniature.world import KINDS, REGIONS, SIZES, make_scene
from seal.miniature.world_questions import presence_question, scene_caption
from seal.models.vsm import VSM
from seal.text.conversation import VSM as TEMPLATE
from seal.text.conversation import conversation_row
from seal.text.prompts import locate_question
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes

TEXT_SHARE = 0.35  # of rows without a picture, so that what was known stays known
CLEAR_SHARE = 0.03  # of a view's area: a region that counts as shown
HIDDEN_SHARE = 0.004  # up to here one does not; views with something in between are left out


def clearly_shown(view: View) -> frozenset[str] | None:
    """The regions of a view; None: one of them can hardly be seen."""
    area = view.box.area
    shares = {name: box.area / area for name, box in view.regions().items()}
    if any(HIDDEN_SHARE < share < CLEAR_SHARE for share in shares.values()):
        return None
    return frozenset(name for name, share in shares.items() if share >= CLEAR_SHARE)


def region_views(seed: int, count: int, image_size: int) -> list[tuple[Tensor, frozenset[str]]]:
    """(pixels, regions) of views of every depth of the search tree."""
    rng = np.random.default_rng((seed, count))
    found: list[tuple[Tensor, frozenset[str]]] = []
    index = 0
    while len(found) < count:
        scene = make_scene(seed, index, SIZES[int(rng.integers(len(SIZES)))])
        index += 1
        picture = scene.render()
        for level in (0, *rng.integers(0, LEVELS, 3).tolist()):
            view = random_view(rng, scene, level)
            shown = clearly_shown(view)
            if shown is None:
                continue
            square, _ = pad_to_square(picture.crop(view.box.as_ints()), "top_left")
            found.append((torch.from_numpy(clip_pixels(square, image_size)), shown))
    return found[:count]


def pretrain_llava(
    model: VSM,
    tokenizer: Tokenizer,
    *,
    seed: int,
    num_steps: int,
    num_views: int = 4000,
    batch_size: int = 32,
    rate: float = 2e-3,
) -> None:
    """Train the projector and the language model of `model`, in place."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    views = region_views(seed + 2, num_views, model.config.vision.image_size)
    features = torch.cat([
        model.encode_images(torch.stack([pixels for pixels, _ in views[start : start + 100]]))
        for start in range(0, num_views, 100)
    ])  # fmt: skip
    sizes = VisualSizes(long=model.config.vision.num_tokens)

    def losses(step: int) -> dict[str, Tensor]:
        samples = []
        for index in range(step * batch_size, (step + 1) * batch_size):
            if rng.random() < TEXT_SHARE:
                turn = write(VSM_SHARES, seed + 3, index)
                row = conversation_row(tokenizer, TEMPLATE, [turn])
                samples.append(Sample(str(index), (row,)))
                continue
            chosen = int(rng.integers(num_views))
            question, answer = _turn(rng, views[chosen][1])
            row = conversation_row(
                tokenizer,
                TEMPLATE,
                [(f"{IMAGE_PLACEHOLDER}\n{question}", answer)],
                image=Visual(0, long=True),
                sizes=sizes,
            )
            # Features stand in for pixels: the tower is frozen.
            samples.append(Sample(str(index), (row,), (features[chosen],)))
        batch = collate(samples, pad_id=tokenizer.pad_id)
        hidden = model.hidden_states(batch, batch.pixel_values)
        logits = model.supervised_logits(batch, hidden)
        return {"ce": F.cross_entropy(logits, batch.label_ids)}

    trained = nn.ModuleList([model.image_projector, model.llm])
    pretrain("llava", trained.named_parameters(), losses, num_steps=num_steps, rate=rate)


def _turn(rng: np.random.Generator, shown: frozenset[str]) -> Turn:
    draw = rng.random()
    if draw < 0.4:
        return DESCRIBE, scene_caption(shown)
    if draw < 0.75:
        region = str(rng.choice(REGIONS))
        asked = presence_question(region, region in shown)
        return asked.text, asked.answer
    name = str(rng.choice([*KINDS, *REGIONS]))
    return locate_question(name), named_answer(name)
