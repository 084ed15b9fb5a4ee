"""A local language model of `transformers`: greedy, in batches, answers cached."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from seal.building.language.answer_key import answer_key
from seal.building.language.messages import Messages, chat_messages
from seal.building.language.unwritten_records import Check, Prompt
from seal.endpoint.cache import AnswerCache
from seal.endpoint.usage import Usage
from seal.files.digest import file_digest


class LocalWriter:
    """Loads its model with the first prompt, so that workers are forked without it."""

    def __init__(
        self,
        model: str,
        cache: AnswerCache,
        *,
        device: str,
        dtype: str,
        batch_size: int,
        max_tokens: int,
        attempts: int,
    ) -> None:
        """`model`: a folder or hub id."""
        self.model = model
        self.cache = cache
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.attempts = attempts
        self.usage = Usage()
        self._files = _files_digest(Path(model))
        self._loaded: tuple[Any, Any] | None = None

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "local",
            "model": self.model,
            "files": self._files,
            "dtype": self.dtype,
            "max_tokens": self.max_tokens,
        }

    def report(self) -> dict[str, Any]:
        return self.usage.report()

    def write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        """See `LanguageModel`. What was refused is asked again with the reason beside it."""
        answers: list[str | None] = [None] * len(prompts)
        refused: dict[int, tuple[str, str]] = {}
        waiting = list(range(len(prompts)))
        with self.cache:
            for attempt in range(self.attempts):
                if not waiting:
                    break
                said = self._attempt(prompts, waiting, refused, attempt)
                left = []
                for place in waiting:
                    try:
                        if not said[place]:
                            raise ValueError(
                                f"it was empty or longer than {self.max_tokens} tokens"
                            )
                        check(place, said[place])
                    except ValueError as error:
                        refused[place] = (said[place], str(error))
                        left.append(place)
                        continue
                    answers[place] = said[place]
                waiting = left
        self.usage.no_answer += len(waiting)
        return answers

    def _attempt(
        self,
        prompts: Sequence[Prompt],
        waiting: Sequence[int],
        refused: dict[int, tuple[str, str]],
        attempt: int,
    ) -> dict[int, str]:
        """What the cache knows, and the rest generated."""
        said: dict[int, str] = {}
        keys = {place: answer_key(prompts[place], self.settings()) for place in waiting}
        new: dict[str, int] = {}  # a prompt that occurs twice is put once
        for place, key in keys.items():
            answer = self.cache.get(key, attempt)
            if answer is None:
                new.setdefault(key, place)
            else:
                said[place] = answer
                self.usage.from_cache += 1
        # Prompts of one length share a batch with the least padding.
        order = sorted(new.values(), key=lambda place: len(prompts[place].user))
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            chats = [chat_messages(prompts[i], refused.get(i)) for i in places]
            for place, answer in zip(places, self._generate(chats), strict=True):
                self.cache.put(keys[place], attempt, self.model, answer)
            self.usage.requests += len(places)
            self.usage.repeated += len(places) if attempt else 0
        for place in waiting:
            if place not in said:
                answer = self.cache.get(keys[place], attempt)
                assert answer is not None
                said[place] = answer
        return said

    def _generate(self, chats: Sequence[Messages]) -> list[str]:
        model, tokenizer = self._load()
        rows = [_input_ids(tokenizer, chat) for chat in chats]
        width = max(map(len, rows))
        # Padded on the left: every row goes on at its right end.
        ids = torch.full((len(rows), width), tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.tensor(row)
            mask[i, width - len(row) :] = 1
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=self.max_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )[:, width:]
        self.usage.prompt_tokens += sum(map(len, rows))
        ends = _ends(model, tokenizer)
        answers = []
        for row in out.tolist():
            length = next((i for i, token in enumerate(row) if token in ends), None)
            self.usage.completion_tokens += len(row) if length is None else length + 1
            # Half a sentence may look like a whole one.
            said = (
                "" if length is None else tokenizer.decode(row[:length], skip_special_tokens=True)
            )
            answers.append(said.strip())
        return answers

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            try:
                tokenizer = AutoTokenizer.from_pretrained(self.model)
                model: Any = AutoModelForCausalLM.from_pretrained(
                    self.model, dtype=getattr(torch, self.dtype)
                )
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"language.model={self.model} cannot be loaded: {error}"
                ) from error
            if tokenizer.pad_token_id is None:
                tokenizer.pad_token = tokenizer.eos_token
            # Sampling parameters of the folder would be warned about in a greedy run.
            for name in ("temperature", "top_p", "top_k"):
                setattr(model.generation_config, name, None)
            self._loaded = model.to(self.device).eval(), tokenizer
        return self._loaded


def _files_digest(folder: Path) -> str | None:
    """Another one for other files: a folder `model` is not the same everywhere. None: a hub id."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name}\0{file_digest(path)}\0".encode())
    return digest.hexdigest()


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}


def _input_ids(tokenizer: Any, chat: Messages) -> list[int]:
    """By the model's own chat template; the texts one after another where it has none."""
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    text = "\n\n".join(message["content"] for message in chat) + "\n"
    return list(tokenizer(text)["input_ids"])
