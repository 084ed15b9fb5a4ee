"""The shipped miniature behind the server: many clients get the answers it gives alone."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from served import application, on_loopback

from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM
from seal.miniature.benchmark import build_benchmark
from seal.pipeline import Seal
from seal.search.budget import BudgetConfig

openai = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def miniature():
    budget = BudgetConfig(nodes=8)  # what is compared is the same with any
    return Seal.from_pretrained(
        MINIATURE_VQA, MINIATURE_VSM, device="cpu", budget=budget, tell=lambda line: None
    )


def _questions(folder, counts):
    build_benchmark(folder, counts=counts, seed=7)
    for path in sorted(folder.glob("*/*.json")):
        told = json.loads(path.read_text())
        yield path.with_suffix(".jpg"), told["question"], told["options"]


def _request(path, text, **more):
    """As lmms-eval's `async_openai` writes one: pictures first, as PNG or JPEG; then the text."""
    url = f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": text},
    ]
    messages = [{"role": "user", "content": content}]
    return {"model": "seal", "messages": messages, **more}


def _compare(miniature, asked, most):
    """Asks the library, then the server, and compares answers, visits, boxes and options."""
    alone = []
    for path, text, options in asked:
        alone += [miniature.ask(path, text), miniature.ask(path, text, options)]

    async def go(address):
        async with openai.AsyncOpenAI(
            base_url=address, api_key="none", max_retries=0, timeout=600
        ) as client:
            places = asyncio.Semaphore(most)

            async def one(**request):
                async with places:
                    return await client.chat.completions.create(**request)

            sent = []
            for path, text, options in asked:
                sent.append(one(**_request(path, text)))
                sent.append(one(**_request(path, text), extra_body={"seal": {"options": options}}))
            return await asyncio.gather(*sent)

    with application(miniature) as app, on_loopback(app) as address:
        together = asyncio.run(go(address))
    for one, other in zip(together, alone, strict=True):
        assert one.choices[0].message.content == other.text
        assert one.seal.get("option") == other.option
        assert one.seal["missing"] == other.missing
        found = [(s["target"], s["found"], s["visits"]) for s in one.seal["searches"]]
        assert found == [(r.target, r.found, len(r.path)) for r in other.searches]
        for search, result in zip(one.seal["searches"], other.searches, strict=True):
            boxes = [[box.x0, box.y0, box.x1, box.y1] for box in result.boxes]
            assert search["boxes"] == [pytest.approx(box, abs=0.02) for box in boxes]


def test_clients_side_by_side_get_the_answers_of_asking_alone(miniature, tmp_path):
    counts = {"direct_attributes": 1, "relative_position": 1}
    _compare(miniature, list(_questions(tmp_path, counts)), most=6)


def test_a_harness_that_writes_options_into_the_text_gets_an_answer_in_its_form(
    miniature, tmp_path
):
    ((path, question, options),) = _questions(tmp_path, {"direct_attributes": 1})
    letters = "\n".join(f"({letter}) {text}" for letter, text in zip("ABCD", options, strict=False))
    text = (
        f"{question}\n{letters}\nAnswer with the option's letter from the given choices directly."
    )
    # The fields that lmms-eval 0.7 sends: for V*Bench, and where a task says nothing.
    requests = [_request(path, text, max_tokens=most, temperature=0) for most in (16, 1024)]
    alone = miniature.ask(path, question)
    with (
        application(miniature) as app,
        on_loopback(app) as address,
        openai.OpenAI(base_url=address, api_key="none", max_retries=0) as client,
    ):
        for request in requests:
            told = client.chat.completions.create(**request)
            assert told.seal["missing"] == alone.missing  # which does not depend on the options
            assert told.choices[0].message.content and told.seal["not_used"] == ["temperature"]


@pytest.mark.slow
def test_200_requests_at_the_same_time_are_all_answered_as_alone(miniature, tmp_path):
    counts = {"direct_attributes": 60, "relative_position": 40}
    _compare(miniature, list(_questions(tmp_path, counts)), most=200)
