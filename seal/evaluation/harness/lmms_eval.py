"""SEAL as a model of lmms-eval.

    pip install seal lmms-eval
    python -m lmms_eval --model seal --tasks vstar_bench --batch_size 8 --log_samples \\
        --model_args vqa=craigwu/seal_vqa_7b,vsm=craigwu/seal_vsm_7b --output_path runs/lmms_eval
    accelerate launch --num_processes 8 -m lmms_eval --model seal ...

lmms-eval 0.7 or later finds this class through the entry point `lmms_eval.models`; nothing else of
this project imports lmms-eval, and it is no dependency. `HarnessArguments` says what `--model_args`
takes: with any image-text model as `vqa` and `guide="detect=owlv2,..."` it is not only SEAL that is
driven. One process per GPU, each with both models; tensor parallelism there is none.

Tasks that generate go through `SealChat`. With --force_simple, `SealSimple` also serves tasks of
output type multiple_choice, which score each option's likelihood: SEAL's own way to choose.

lmms-eval logs tokens and seconds. `log=FILE` adds what it has no place for, a line for every
answer: what was searched for, where, in how many steps, model calls and pixels.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from tqdm import tqdm

from seal.evaluation.harness.arguments import HarnessArguments
from seal.evaluation.harness.requests import HarnessRequest, read_request
from seal.evaluation.shards import Shard
from seal.pipeline import Answer, Question
from seal.pipeline.pictures import picture


class SealChat(lmms):
    """Answers requests to generate: ctx, doc_to_messages, generation_kwargs, doc_id, task, split.

    The same request in a batch, as lmms-eval repeats to even out its processes, is answered once.
    """

    is_simple = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = HarnessArguments.read(arguments)
        environment = {name: int(os.environ.get(name) or 0) for name in ("RANK", "LOCAL_RANK")}
        self._rank = environment["RANK"]
        self._world_size = int(os.environ.get("WORLD_SIZE") or 1)
        shard = Shard(self._rank, self._world_size, environment["LOCAL_RANK"])
        self.device = shard.device(self.arguments.device)  # lmms-eval gathers on it
        self.batch_size = self.arguments.batch_size
        self._log = self._own_log(self.arguments.log)
        self.seal = self.arguments.load(shard)

    def generate_until(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """An answer for each request, in order.

        Raises:
            ValueError: a request that SEAL cannot serve; it is named.
        """
        made: list[GenerationResult] = []
        for part in self._batches(requests):
            read = [self._request(instance) for instance in part]
            answers = self._ask(part, read, [request.question() for request in read])
            for instance, request, answer in zip(part, read, answers, strict=True):
                text = request.cut(answer.text)
                spent = answer.cost["answer_model"]
                counts = TokenCounts(
                    input_tokens=round(spent["tokens_read"]),
                    output_tokens=round(spent["tokens_written"]),
                )
                made.append(GenerationResult(text=text, token_counts=counts))
                self.cache_hook.add_partial("generate_until", instance.args[:1], text)
        return made

    def loglikelihood(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """lmms-eval puts no such requests to a chat model."""
        raise ValueError("options are scored by likelihood with --force_simple")

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Not there: SEAL answers one question at a time, it holds no conversation."""
        raise ValueError(
            "SEAL answers one question at a time: tasks of several rounds are not for it"
        )

    def _request(self, instance: Instance) -> HarnessRequest:
        _, doc_to_messages, generation, doc_id, task, split = instance.args
        messages = doc_to_messages(self.task_dict[task][split][doc_id])
        return read_request(_where(instance), messages, generation or {})

    def _batches(self, requests: Sequence[Instance]) -> Iterator[Sequence[Instance]]:
        bar = tqdm(total=len(requests), desc="seal", unit="request", disable=self._rank > 0)
        for start in range(0, len(requests), self.batch_size):
            part = requests[start : start + self.batch_size]
            yield part
            bar.update(len(part))
        bar.close()

    def _ask(
        self,
        part: Sequence[Instance],
        read: Sequence[HarnessRequest],
        questions: Sequence[Question],
    ) -> list[Answer]:
        """The answers; of equal requests, one for all."""
        keys = [
            (request.where, request.text, request.max_new_tokens, tuple(question.options))
            for request, question in zip(read, questions, strict=True)
        ]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        asked = sorted(first.values())
        put = [replace(questions[i], image=_opened(read[i])) for i in asked]
        answers = {
            i: answer.require() for i, answer in zip(asked, self.seal.ask_many(put), strict=True)
        }
        if self._log is not None:
            lines = [_told(part[i], answer) for i, answer in answers.items()]
            with self._log.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        return [answers[first[key]] for key in keys]

    def _own_log(self, name: str | None) -> Path | None:
        """An empty file for this process; with several, each has a number in its name."""
        if name is None:
            return None
        path = Path(name)
        if self._world_size > 1:
            path = path.with_name(f"{path.stem}.rank{self._rank}{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        return path


class SealSimple(SealChat):
    """Takes requests as simple models do: ctx, generation_kwargs, doc_to_visual, doc_id, task,
    split; and of options ctx, continuation, doc_to_visual, doc_id, task, split.
    """

    is_simple = True

    def loglikelihood(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """The loss of each option, mean over its tokens (lowest is likeliest: lmms-eval takes the
        lowest), and False: whether it is what would be generated is not known.

        The options of one question are one question here, so one search serves them all. They are
        answers to the question alone: a list of them in its text, and how to answer, are left out.

        Raises:
            ValueError: a request with nothing to compare it with, as for perplexity; a loss that is
                not finite, which lmms-eval would take for the lowest, or for the first of equals.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, instance in enumerate(requests):
            if len(instance.args) != 6 or not isinstance(instance.args[1], str):
                raise ValueError(
                    f"{_where(instance)}: SEAL tells which of several options is likelier, not how "
                    "likely a text is"
                )
            context, _, _, doc_id, task, split = instance.args
            groups.setdefault((context, doc_id, task, split), []).append(i)
        found: dict[int, float] = {}
        firsts = {indices[0]: indices for indices in groups.values()}
        for part in self._batches([requests[i] for i in firsts]):
            begins = list(firsts)[: len(part)]
            members = [firsts.pop(i) for i in begins]
            options = [
                tuple(dict.fromkeys(requests[i].args[1].strip() for i in indices))
                for indices in members
            ]
            read = [self._request(instance) for instance in part]
            for request, choices in zip(read, options, strict=True):
                if len(choices) < 2:
                    raise ValueError(f"{request.where}: there are no two options to choose from")
            questions = [
                replace(request.question(), options=choices, final_texts=())
                for request, choices in zip(read, options, strict=True)
            ]
            answers = self._ask(part, read, questions)
            for request, indices, choices, answer in zip(
                read, members, options, answers, strict=True
            ):
                if not all(map(math.isfinite, answer.losses)):
                    raise ValueError(
                        f"{request.where}: losses {answer.losses} are not all finite: they choose "
                        "no option, and lmms-eval would read a choice from them"
                    )
                losses = dict(zip(choices, answer.losses, strict=True))
                found |= {i: losses[requests[i].args[1].strip()] for i in indices}
        # Of a bare pair lmms-eval 0.7 makes a text, and its multiple_choice then fails.
        return [GenerationResult(text=(found[i], False)) for i in range(len(requests))]

    def _request(self, instance: Instance) -> HarnessRequest:
        context, second, doc_to_visual, doc_id, task, split = instance.args
        visuals = doc_to_visual(self.task_dict[task][split][doc_id]) if doc_to_visual else []
        content = [{"type": "image", "url": visual} for visual in visuals or []]
        message = {"role": "user", "content": [*content, {"type": "text", "text": context}]}
        generation = second if isinstance(second, dict) else {}
        return read_request(_where(instance), [message], generation)


def _where(instance: Instance) -> str:
    return f"task {instance.task_name}, document {instance.doc_id}"


def _opened(request: HarnessRequest) -> Any:
    if request.image is None:
        return None
    try:
        return picture(request.image)
    except ValueError as error:
        raise ValueError(f"{request.where}: {error}") from error


def _told(instance: Instance, answer: Answer) -> dict[str, Any]:
    return {"task": instance.task_name, "doc_id": instance.doc_id, "answer": answer.to_dict()}
