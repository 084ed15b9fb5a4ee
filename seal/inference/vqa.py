"""The VQA LLM behind the answer protocol: from a visual working memory to options or words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from seal.batch import Batch, Row, Sample, Visual
from seal.data.collate import collate
from seal.images import clip_pixels, context_crop, pad_to_square
from seal.inference.protocol import Generation
from seal.memory import VisualWorkingMemory
from seal.models.vqa import VQAModel
from seal.text.conversation import VQA as TEMPLATE
from seal.text.conversation import continuation_ids, prompt_row
from seal.text.prompts import focused_question, missing_phrase, object_phrase
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes, choose_tokens

UNPADDED = ("padded", "as_released")


class NetworkAnswerModel:
    """An `AnswerModel` on a trained VQA LLM."""

    def __init__(
        self,
        model: VQAModel,
        tokenizer: Tokenizer,
        *,
        token_policy: str | None = None,
        no_search_image: str = "padded",
        max_batch: int = 16,
    ) -> None:
        """`token_policy`: the model's own if None; `no_search_image`: oddity 22."""
        if no_search_image not in UNPADDED:
            raise ValueError(f"no_search_image={no_search_image!r}; known: {', '.join(UNPADDED)}")
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.token_policy = token_policy or model.config.token_policy
        self.no_search_image = no_search_image
        self.max_batch = max_batch
        self.sizes = VisualSizes(
            long=model.config.clip.num_tokens, short=model.config.resampler.num_latents
        )

    @torch.inference_mode()
    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        losses: list[list[float]] = []
        for start in range(0, len(requests), self.max_batch):
            losses += self._score(requests[start : start + self.max_batch])
        return losses

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        answers = []
        for start in range(0, len(requests), self.max_batch):
            part = requests[start : start + self.max_batch]
            for ids in self.model.generate(self.batch(part), max_new_tokens):
                finished = len(ids) < max_new_tokens
                text = self.tokenizer.decode(ids).strip()
                answers.append(Generation(text, len(ids) + finished, finished))
        return answers

    def batch(self, memories: Sequence[VisualWorkingMemory], *, scoring: bool = False) -> Batch:
        """Left-padded prompts. `scoring` tells oddity 22 where it applies."""
        samples = [self._sample(str(i), m, scoring) for i, m in enumerate(memories)]
        return collate(samples, pad_id=self.tokenizer.pad_id, side="left").to(self.model.device)

    def _sample(self, name: str, memory: VisualWorkingMemory, scoring: bool) -> Sample:
        row = self.row(memory)
        if memory.image is None:
            return Sample(name, (row,))
        size = self.model.config.clip.image_size
        if scoring and not memory.targets and self.no_search_image == "as_released":
            whole = clip_pixels(memory.image, size, "center_crop")
        else:
            whole = clip_pixels(pad_to_square(memory.image, "center")[0], size)
        pictures = [torch.from_numpy(whole)]
        for target in memory.targets:
            for box in target.boxes:
                crop = clip_pixels(context_crop(memory.image, box), size)
                pictures.append(torch.from_numpy(crop))
        return Sample(name, (row,), tuple(pictures))

    def row(self, memory: VisualWorkingMemory) -> Row:
        """The prompt: the image, what the search brought back, the question."""
        phrases = []
        for target in memory.targets:
            if not target.boxes:
                phrases.append(missing_phrase(target.name))
            assert memory.image is not None or not target.boxes
            for box in target.boxes:
                assert memory.image is not None
                phrases.append(object_phrase(target.name, box, *memory.image.size))
        question = focused_question(phrases, memory.question)
        image_long, objects_long = choose_tokens(self.token_policy, memory.num_crops)
        if memory.image is None:
            return prompt_row(self.tokenizer, TEMPLATE, question, sizes=self.sizes)
        return prompt_row(
            self.tokenizer,
            TEMPLATE,
            f"{IMAGE_PLACEHOLDER}\n{question}",
            image=Visual(0, image_long),
            objects=[Visual(1 + i, objects_long) for i in range(memory.num_crops)],
            sizes=self.sizes,
        )

    def _score(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Every prompt is read once; its options share the key-value cache."""
        batch = self.batch([memory for memory, _ in requests], scoring=True)
        llm = self.model.llm
        cache = DynamicCache()
        prompt = llm.model(
            inputs_embeds=self.model.embed(batch),
            attention_mask=batch.attention_mask.long(),
            position_ids=batch.position_ids,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        owners = [i for i, (_, options) in enumerate(requests) for _ in options]
        ids = [
            continuation_ids(self.tokenizer, TEMPLATE, option)
            for _, options in requests
            for option in options
        ]
        if not ids:
            return [[] for _ in requests]
        device = self.model.device
        owner = torch.tensor(owners, device=device)
        length = max(map(len, ids))
        tokens = torch.zeros(len(ids), length, dtype=torch.long, device=device)
        real = torch.zeros(len(ids), length, dtype=torch.bool, device=device)
        for i, option in enumerate(ids):
            tokens[i, : len(option)] = torch.tensor(option, device=device)
            real[i, : len(option)] = True
        cache.batch_select_indices(owner)
        hidden = llm.model(
            input_ids=tokens,
            attention_mask=torch.cat([batch.attention_mask[owner], real], dim=1).long(),
            position_ids=batch.position_ids[owner, -1:] + 1 + torch.arange(length, device=device),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        states = torch.cat([prompt[owner][:, None], hidden[:, :-1]], dim=1)  # predict `tokens`
        means = _mean_cross_entropy(llm.lm_head(states[real]), tokens[real], real).tolist()
        losses: list[list[float]] = [[] for _ in requests]
        for i, mean in zip(owners, means, strict=True):
            losses[i].append(mean)
        return losses


def _mean_cross_entropy(logits: Tensor, labels: Tensor, real: Tensor) -> Tensor:
    """logits: (K, vocabulary) and labels: (K,) of the True positions of real (B, L) -> (B,)."""
    each = F.cross_entropy(logits.float(), labels, reduction="none")
    rows = real.nonzero()[:, 0]
    sums = torch.zeros(real.shape[0], device=logits.device).index_add_(0, rows, each)
    return sums / real.sum(1)
