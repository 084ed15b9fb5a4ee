"""The official client finds the tools, calls them, and is told in a line what went wrong."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import Client, StdioServerParameters

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.mcp import server as served
from seal.mcp.images import CalledImages
from seal.mcp.relay import relay_stdio
from seal.mcp.schemas import tools as listed
from seal.mcp.server import LoadedModels, build_server, serve_http
from seal.mcp.tools import Tools
from seal.miniature.world import make_scene
from seal.pipeline import Seal

MUG = Box(40, 60, 60, 76)
QUESTION = "What color is the mug?"


def fake_seal(**more):
    answers = FakeAnswerModel({QUESTION: ["mug"]}, {QUESTION: "red"})
    finder = FakeSearchModel({"mug": [MUG]})
    return Seal(answers, build_locator("guided", finder), **more)


@contextmanager
def fake_server(folder=None, load=fake_seal, timeout=60.0):
    images = CalledImages([] if folder is None else [folder])
    models = LoadedModels(load)
    try:
        told = listed(folders=folder is not None, answers=True, searches=True)
        yield build_server(Tools(images, models, timeout=timeout), told)
    finally:
        models.close()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (640, 480), (90, 120, 60)).save(path)
    return path


def calls(server, *wanted):
    """The results of some calls, all of them at once."""

    async def run():
        async with Client(server) as client:
            return await asyncio.gather(*(client.call_tool(*each) for each in wanted))

    return asyncio.run(run())


def picture_of(content):
    return Image.open(io.BytesIO(base64.b64decode(content.data)))


def test_the_tools_say_what_they_take_and_give():
    async def run(server):
        async with Client(server) as client:
            return (await client.list_tools()).tools

    with fake_server() as server:
        tools = {tool.name: tool for tool in asyncio.run(run(server))}
    assert list(tools) == ["locate", "zoom", "ask"]
    assert tools["locate"].input_schema["required"] == ["image", "target"]
    assert all(tool.output_schema and tool.annotations.read_only_hint for tool in tools.values())
    assert "path" not in tools["zoom"].input_schema["properties"]["image"]["description"]
    alone = listed(folders=True, answers=False, searches=True)
    assert [tool.name for tool in alone] == ["locate", "zoom"]


def test_a_thing_is_located_and_shown(photo):
    with fake_server(photo.parent) as server:
        (found,) = calls(server, ("locate", {"image": "photo.png", "target": "mug"}))
    told = found.structured_content
    assert told["found"] and told["image_size"] == [640, 480]
    (place,) = told["boxes"]
    assert Box(*place["box_xyxy"]).iou(MUG) > 0.9
    assert place["box_normalized"][0] == pytest.approx(place["box_xyxy"][0] / 640, abs=1e-3)
    words, shown = found.content
    assert words.text.startswith("mug: [40, 60, 60, 76]")
    assert list(picture_of(shown).size) == told["crops"][0]["shown_size"]


def test_a_thing_that_is_not_there_is_said_not_to_be(photo):
    with fake_server(photo.parent) as server:
        (lost,) = calls(server, ("locate", {"image": "photo.png", "target": "boat"}))
    assert not lost.is_error and not lost.structured_content["found"]
    assert len(lost.content) == 1 and "not found" in lost.content[0].text


def test_a_region_is_shown_with_its_place_and_scale(photo):
    with fake_server(photo.parent) as server:
        (zoomed,) = calls(server, ("zoom", {"image": str(photo), "box": [600, 100, 700, 160]}))
    told = zoomed.structured_content
    assert told["box_xyxy"] == [600, 100, 640, 160]
    assert list(picture_of(zoomed.content[1]).size) == told["shown_size"]


def test_a_question_is_answered_with_what_was_searched_for(photo):
    given = {"image": str(photo), "question": QUESTION, "options": ["blue", "red"]}
    with fake_server(photo.parent) as server:
        (answer,) = calls(server, ("ask", given))
    told = answer.structured_content
    assert (told["answer"], told["option"], told["missing"]) == ("red", 1, ["mug"])
    assert sum(told["probabilities"]) == pytest.approx(1)
    assert told["searches"][0]["found"] and len(answer.content) == 2


def test_many_calls_at_once_get_each_its_own_answer(photo):
    wanted = [("locate", {"image": str(photo), "target": t}) for t in ("mug", "boat") * 10]
    with fake_server(photo.parent) as server:
        results = calls(server, *wanted)
    assert [each.structured_content["found"] for each in results] == [True, False] * 10


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("nothing", {}),
        ("locate", {}),
        ("locate", {"image": "photo.png"}),
        ("locate", {"image": "photo.png", "target": ""}),
        ("locate", {"image": "photo.png", "target": 5}),
        ("locate", {"image": "photo.png", "target": "<image>"}),
        ("locate", {"image": "photo.png", "target": "mug", "more": 1}),
        ("locate", {"image": "/etc/passwd", "target": "mug"}),
        ("locate", {"image": "http://127.0.0.1/x.png", "target": "mug"}),
        ("zoom", {"image": "photo.png", "box": [1, 2, 3]}),
        ("zoom", {"image": "photo.png", "box": "all"}),
        ("zoom", {"image": "photo.png", "box": [5, 5, 5, 5]}),
        ("zoom", {"image": "photo.png", "box": [1, 2, 3, True]}),
        ("zoom", {"image": "photo.png", "box": [1e9, 2, 2e9, 3]}),
        ("ask", {"image": "photo.png", "question": ""}),
        ("ask", {"image": "photo.png", "question": 5}),
        ("ask", {"image": "photo.png", "question": "x", "options": "red"}),
    ],
)
def test_a_wrong_call_is_an_error_of_one_line_and_the_server_goes_on(photo, name, given):
    with fake_server(photo.parent) as server:
        wrong, right = calls(
            server, (name, given), ("locate", {"image": "photo.png", "target": "mug"})
        )
    assert wrong.is_error and not right.is_error
    (words,) = wrong.content
    assert words.text.startswith(f"{name}: ") and "\n" not in words.text


def test_models_that_cannot_be_loaded_are_told_in_every_call(photo, capfd):
    def load():
        raise ValueError("no such model folder")

    with fake_server(photo.parent, load) as server:
        failed, zoomed = calls(
            server,
            ("locate", {"image": str(photo), "target": "mug"}),
            ("zoom", {"image": str(photo), "box": [0, 0, 50, 50]}),
        )
    assert failed.is_error and failed.content[0].text == "locate: no such model folder"
    assert not zoomed.is_error
    assert "seal: no such model folder" in capfd.readouterr().err


def test_a_call_that_takes_too_long_is_given_up(photo):
    class Slow(FakeSearchModel):
        def detect(self, queries):
            time.sleep(0.6)
            return super().detect(queries)

    def load():
        return Seal(None, build_locator("guided", Slow({"mug": [MUG]})))

    with fake_server(photo.parent, load, timeout=0.1) as server:
        (late,) = calls(server, ("locate", {"image": str(photo), "target": "mug"}))
    assert late.is_error and "given up" in late.content[0].text


def test_what_the_miniature_does_not_know_is_noted(photo):
    with fake_server(photo.parent, lambda: fake_seal(drawn_only=True)) as server:
        (found,) = calls(server, ("locate", {"image": str(photo), "target": "mug"}))
    assert "drawn world" in found.structured_content["notes"][0]


def test_over_http_on_loopback_as_over_stdio(photo, monkeypatch):
    told = []
    stops = []
    import uvicorn

    real = uvicorn.Server

    class Stoppable(real):
        def __init__(self, config):
            super().__init__(config)
            stops.append(self)

        def install_signal_handlers(self):  # of the main thread alone
            pass

    monkeypatch.setattr(uvicorn, "Server", Stoppable)
    with fake_server(photo.parent) as server:
        ready = threading.Event()
        thread = threading.Thread(
            target=lambda: serve_http(
                server, 0, most_bytes=1 << 20, tell=lambda line: (told.append(line), ready.set())
            )
        )
        thread.start()
        try:
            assert ready.wait(20)
            address = told[0].split()[-1]
            assert address.startswith(f"http://{served.HOST}:")
            (found,) = calls(address, ("locate", {"image": "photo.png", "target": "mug"}))
            assert found.structured_content["found"]
        finally:
            stops[0].should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def test_a_relay_to_nowhere_says_so():
    with pytest.raises(ValueError, match=r"nothing answers at http://127\.0\.0\.1:9/mcp"):
        relay_stdio("http://127.0.0.1:9/mcp")
    with pytest.raises(ValueError, match="give http://HOST:PORT/mcp"):
        relay_stdio("nonsense")


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def scene(tmp_path):
    drawn = make_scene(77, 3)
    drawn.render().save(tmp_path / "scene.png")
    return tmp_path / "scene.png", drawn.objects


def test_an_agent_searches_with_the_shipped_miniature_over_stdio(scene):
    """A process of its own, as agents start it; nothing but the protocol is on its stdout."""
    path, objects = scene
    arguments = ["-m", "seal", "mcp", "--miniature", "--images", str(path.parent)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment())
    wanted = [("locate", {"image": path.name, "target": f"the {thing.kind}"}) for thing in objects]
    results = calls(server, *wanted, ("zoom", {"image": path.name, "box": [0, 0, 100, 100]}))
    found = [
        any(
            Box(*place["box_xyxy"]).iou(thing.box) > 0.5
            for place in result.structured_content["boxes"]
        )
        for thing, result in zip(objects, results, strict=False)
    ]
    assert sum(found) >= len(objects) * 0.6
    assert not results[-1].is_error


@pytest.mark.slow
def test_a_relay_hands_calls_to_a_server_that_has_its_models_loaded(scene):
    """As a harness calls it that starts a process for each call."""
    path, _ = scene
    arguments = ["-m", "seal", "mcp", "--miniature", "--images", str(path.parent), "--port", "0"]
    running = subprocess.Popen(
        [sys.executable, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip
    try:
        line = next(line for line in running.stderr if "serving MCP at" in line)
        relay = ["-m", "seal", "mcp", "--connect", line.split()[-1]]
        server = StdioServerParameters(command=sys.executable, args=relay, env=environment())
        (found,) = calls(server, ("locate", {"image": path.name, "target": "the car"}))
        assert "regions_looked_at" in found.structured_content
    finally:
        running.terminate()
        said, _ = running.communicate(timeout=60)
    assert running.returncode in (0, -15) and said == ""
