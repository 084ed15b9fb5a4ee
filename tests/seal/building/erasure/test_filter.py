from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_objects import COLORS, GRAY, ColorSeer, Square, draw_squares
from PIL import Image
from tiny_models import tokenizer, vqa_model

from seal.building.erasure.filter import (
    ANSWERED_WITHOUT,
    NOT_ANSWERED,
    ErasureConfig,
    ErasureFilter,
    plain_question,
    says,
    target_mask,
)
from seal.building.erasure.image_answers import ImageQuestion, SealAnswers
from seal.building.erasure.inpainting import FillInpainter, Inpainter, OpenCVInpainter, boxes_mask
from seal.building.vqa_mixture.crop_conversations import focused_conversation
from seal.data.record_set import Record, RecordTarget
from seal.geometry import Box
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.models.files.save import save_model

PLACE = (10, 8, 24, 22)
ELSEWHERE = (40, 10, 54, 24)


def record(folder: Path, name: str, squares: list[Square], answer: str = "red") -> Record:
    """Asks for the color of what stands at PLACE."""
    draw_squares(folder / f"{name}.png", squares)
    return Record(
        id=name,
        source="test",
        license="none",
        image=f"{name}.png",
        width=60,
        height=40,
        conversations=focused_conversation([("What color is it?", f"It is {answer}.")], 1),
        targets=(RecordTarget("square", Box(*map(float, PLACE))),),
        meta={"answer": answer},
    )


@pytest.mark.parametrize("inpainter", ["opencv", "fill"])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_only_questions_whose_object_matters_are_kept(
    tmp_path: Path, inpainter: str, batch_size: int
) -> None:
    records = [
        record(tmp_path, "matters", [("red", PLACE)]),
        record(tmp_path, "again", [("red", PLACE), ("red", ELSEWHERE)]),
        record(tmp_path, "wrong", [("blue", PLACE)]),
        record(tmp_path, "other", [("red", PLACE), ("blue", (42, 12, 48, 18))]),
        record(tmp_path, "nothing", [], "green"),
    ]
    seer = ColorSeer()
    config = ErasureConfig(inpainter=inpainter, batch_size=batch_size)
    kept = ErasureFilter(seer, build(config), config, tmp_path)(records)
    assert kept == [None, ANSWERED_WITHOUT, NOT_ANSWERED, None, NOT_ANSWERED]
    # What was not answered is not asked again.
    assert seer.asked == ["What color is it?"] * (5 + 3)


def build(config: ErasureConfig) -> Inpainter:
    return OpenCVInpainter() if config.inpainter == "opencv" else FillInpainter()


@pytest.mark.parametrize("inpainter", [OpenCVInpainter(), FillInpainter()])
def test_inpainting_takes_the_object_and_leaves_the_rest(
    tmp_path: Path, inpainter: Inpainter
) -> None:
    draw_squares(tmp_path / "a.png", [("red", PLACE), ("blue", ELSEWHERE)])
    image = Image.open(tmp_path / "a.png")
    mask = boxes_mask([Box(*map(float, PLACE))], 60, 40, 0.1)
    before, after = np.asarray(image), np.asarray(inpainter.erase(image, mask))
    hole = mask.astype(bool)
    assert (before[~hole] == after[~hole]).all()
    assert not (np.abs(after.astype(int) - COLORS["red"]).max(-1) < 60).any()
    everything = np.ones((40, 60), np.uint8)
    assert np.asarray(inpainter.erase(image, everything)).std(axis=(0, 1)).max() == 0


def test_telea_goes_on_with_what_surrounds_the_hole(tmp_path: Path) -> None:
    draw_squares(tmp_path / "a.png", [("red", PLACE)])
    mask = boxes_mask([Box(*map(float, PLACE))], 60, 40, 0.1)
    after = np.asarray(OpenCVInpainter().erase(Image.open(tmp_path / "a.png"), mask))
    assert (np.abs(after.astype(int) - GRAY).max(-1) <= 2).all()


def test_boxes_are_widened_and_cut_at_the_border() -> None:
    mask = boxes_mask([Box(10, 10, 20, 30), Box(55, 35, 60, 40)], 60, 40, 0.2)
    assert mask.sum() == 14 * 28 + 6 * 6 and mask[6:34, 8:22].all() and mask[34:, 54:].all()
    assert boxes_mask([Box(3.5, 3.5, 4.2, 4.2)], 60, 40, 0).sum() == 4


def test_an_outline_is_widened_and_smaller_than_its_box(tmp_path: Path) -> None:
    triangle = [[10.0, 8.0, 24.0, 22.0, 10.0, 22.0]]
    entry = record(tmp_path, "a", [("red", PLACE)])
    outlined = Record(**{**_fields(entry), "meta": {**entry.meta, "polygons": triangle}})
    outline = target_mask(outlined, ErasureConfig(mask="polygon", margin=0.1))
    box = target_mask(outlined, ErasureConfig(margin=0.1))
    assert 98 < outline.sum() < box.sum() and outline[10:22, 10].all() and not outline[8, 23]
    assert (target_mask(entry, ErasureConfig(mask="polygon", margin=0.1)) == box).all()


def _fields(entry: Record) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Record.__dataclass_fields__}


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("The color is dark red.", "red", True),
        ("It is Red", "red", True),
        ("It is bored.", "red", False),
        ("It is not red.", "red", False),
        ("It is not red but white.", "white", True),
        ("Red and white.", "white and red", True),
        ("Red.", "white and red", False),
        ("A pair of glasses", "the pair of glasses", True),
        ("Yes, it is.", "yes", True),
        ("No. Yes?", "yes", False),
        ("It is on the left, yes.", "yes", False),
        ("The T-shirt", "t-shirt", True),
        ("", "red", False),
        ("red", "", False),
    ],
)
def test_an_answer_is_right_if_it_says_the_short_one(text: str, answer: str, right: bool) -> None:
    assert says(text, answer) is right


@pytest.mark.parametrize("targets", [0, 2])
def test_the_question_is_asked_without_its_focus_sentence(tmp_path: Path, targets: int) -> None:
    entry = Record(
        id="a",
        source="t",
        license="n",
        image="a.png",
        width=9,
        height=9,
        conversations=focused_conversation([("What is it?", "It.")], targets),
        targets=tuple(RecordTarget("x", Box(1, 1, 3, 3)) for _ in range(targets)),
    )
    assert plain_question(entry) == "What is it?"


def test_a_network_judges_as_it_answers(tmp_path: Path) -> None:
    save_model(tmp_path / "model", vqa_model(), tokenizer().folder)
    config = ErasureConfig(answers="seal", model=str(tmp_path / "model"), max_new_tokens=8,
                           device="cpu", batch_size=2)  # fmt: skip
    entries = [record(tmp_path, f"a{i}", [("red", (10 + i, 8, 24, 22))]) for i in range(3)]
    network = NetworkAnswerModel(vqa_model(), tokenizer())
    answers = SealAnswers(lambda: network, max_new_tokens=8)

    def texts(erase: bool) -> list[str]:
        found = []
        for entry in entries:
            image = Image.open(tmp_path / str(entry.image)).convert("RGB")
            if erase:
                image = OpenCVInpainter().erase(image, target_mask(entry, config))
            found += answers.answer([ImageQuestion(image, "What color is it?", entry.targets)])
        return found

    seen, unseen = texts(False), texts(True)
    judge = config.build(tmp_path)
    assert judge is not None
    assert judge(entries) == [NOT_ANSWERED] * 3  # it is untrained
    words = [text.split()[0].strip(".,") for text in seen]
    told = [
        Record(**{**_fields(entry), "meta": {"answer": word}})
        for entry, word in zip(entries, words, strict=True)
    ]
    expected = [
        (ANSWERED_WITHOUT if says(without, word) else None) if says(text, word) else NOT_ANSWERED
        for text, without, word in zip(seen, unseen, words, strict=True)
    ]
    assert judge(told) == expected != [NOT_ANSWERED] * 3


def test_crops_are_shown_if_asked_for() -> None:
    shown = []

    class Watcher:
        def fits(self, memory: Any, options: Any = (), *, max_new_tokens: int = 200) -> bool:
            return memory.question != "too long"

        def generate(self, memories: Any, *, max_new_tokens: int = 200) -> list[Any]:
            shown.extend(memories)
            return [type("Text", (), {"text": memory.question}) for memory in memories]

    questions = [
        ImageQuestion(Image.new("RGB", (9, 9)), text, (RecordTarget("x", Box(1, 1, 3, 3)),))
        for text in ("a", "too long", "b")
    ]
    for crops in (True, False):
        model: Any = Watcher()
        assert SealAnswers(lambda m=model: m, crops=crops).answer(questions) == ["a", "", "b"]
    assert [memory.num_crops for memory in shown] == [1, 1, 0, 0]


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """An endpoint that answers with the size of the picture it is sent; fails the first time."""
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.headers["Authorization"], body))
            status = 503 if len(seen) == 1 else 401 if "refused" in str(body["model"]) else 200
            reply: dict[str, Any] = {"error": {"message": "bad key sk-secret"}}
            if status == 200:
                message = {"role": "assistant", "content": f" {body['messages'][0]['content'][1]}"}
                reply = {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                }
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}/v1", seen
    httpd.shutdown()
    httpd.server_close()


def test_an_endpoint_is_sent_the_picture(
    server: tuple[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, seen = server
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    config = ErasureConfig(answers="openai", model="eyes", base_url=address)
    judge = config.build(tmp_path)
    assert judge is not None
    answers = judge.answers.answer([ImageQuestion(Image.new("RGB", (9, 9), (255, 0, 0)), "Color?")])
    assert "Color?" in answers[0] and len(seen) == 2  # the first request met a fault
    key, body = seen[-1]
    assert key == "Bearer sk-secret" and body["temperature"] == 0
    assert body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64")
    assert "sk-secret" not in json.dumps(config.settings())
    refused = ErasureConfig(answers="openai", model="refused", base_url=address).build(tmp_path)
    assert refused is not None
    with pytest.raises(RuntimeError, match=r"does not answer: .*\[key\]") as error:
        refused.answers.answer([ImageQuestion(Image.new("RGB", (9, 9)), "Color?")])
    assert "sk-secret" not in str(error.value)


def test_an_address_with_a_secret_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"erasure\.base_url must not hold") as caught:
        ErasureConfig(answers="openai", model="eyes", base_url="http://u:hush@h/v1")
    assert "hush" not in str(caught.value)


def test_models_of_one_name_in_two_folders_are_two() -> None:
    one, two = (ErasureConfig(answers="seal", model=f"runs/{run}/model") for run in "ab")
    assert one.settings() != two.settings()


def test_nothing_is_filtered_unless_asked_for(tmp_path: Path) -> None:
    assert ErasureConfig().build(tmp_path) is None
    assert ErasureConfig().settings() == {"answers": "none"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"answers": "blip"}, "erasure.answers='blip'"),
        ({"answers": "seal"}, "needs erasure.model="),
        ({"inpainter": "lama"}, "erasure.inpainter='lama'"),
        ({"mask": "circle"}, "erasure.mask"),
        ({"margin": -0.1}, "erasure.margin"),
        ({"batch_size": 0}, "erasure.batch_size"),
    ],
)
def test_a_wrong_config_names_the_field(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ErasureConfig(**values)


def test_what_is_missing_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="environment variable OPENAI_API_KEY"):
        ErasureConfig(answers="openai", model="eyes").build(tmp_path)
    with pytest.raises(ValueError, match=r"erasure.model=.*no config.json"):
        ErasureConfig(answers="seal", model=str(tmp_path)).build(tmp_path)
