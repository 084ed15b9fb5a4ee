"""Paths, keys and errors of the server, in this process."""

from __future__ import annotations

import pytest
from asgi import ask, get
from served import COLOR, SIDE, application, chat

KEY = {"authorization": "Bearer swordfish"}


@pytest.fixture(scope="module")
def app():
    with application() as made:
        yield made


def test_an_answer_comes_with_what_was_searched_for_and_found(app):
    got = ask(app, chat(SIDE))
    assert got.status == 200 and got.headers["content-type"] == "application/json"
    told = got.json()
    (choice,) = told["choices"]
    assert choice["message"] == {"role": "assistant", "content": "yes", "refusal": None}
    assert choice["finish_reason"] == "stop" and told["object"] == "chat.completion"
    seal = told["seal"]
    assert seal["missing"] == ["mug", "boat"] and seal["image_size"] == [640, 480]
    assert [search["found"] for search in seal["searches"]] == [True, True]
    assert seal["searches"][0]["boxes"] == [[40.0, 60.0, 60.0, 76.0]]
    assert seal["memory"][1] == {"name": "boat", "boxes": [[300.0, 210.0, 324.0, 230.0]]}
    assert seal["searches"][0]["visits"] > 1 and "trace" not in seal["searches"][0]
    usage = told["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_options_targets_no_search_a_budget_and_a_trace_are_fields_of_seal(app):
    chosen = ask(app, chat(seal={"options": ["blue", "red"]})).json()
    assert chosen["choices"][0]["message"]["content"] == "red"
    assert (chosen["seal"]["option"], chosen["seal"]["chosen_by"]) == (1, "likelihood")
    assert sum(chosen["seal"]["probabilities"]) == pytest.approx(1)
    named = ask(app, chat(COLOR, seal={"targets": ["boat"], "trace": True})).json()["seal"]
    assert [search["target"] for search in named["searches"]] == ["boat"]
    assert len(named["searches"][0]["trace"]["path"]) == named["searches"][0]["visits"]
    without = ask(app, chat(COLOR, seal={"search": False})).json()["seal"]
    assert without["searches"] == [] and without["missing"] == []
    short = ask(app, chat(COLOR, seal={"budget": {"nodes": 1}})).json()["seal"]
    assert short["searches"][0]["stopped_early"] == "1 node"
    assert short["searches"][0]["visits"] == 1


def test_models_are_told_with_their_name(app):
    (entry,) = get(app, "/v1/models").json()["data"]
    assert (entry["id"], entry["object"]) == ("seal", "model")
    assert get(app, "/v1/models/seal").json() == entry
    missing = get(app, "/v1/models/other")
    assert (missing.status, missing.error["code"]) == (404, "model_not_found")


def test_what_is_not_there_is_told_with_what_is(app):
    missing = get(app, "/v1/embeddings")
    assert missing.status == 404 and "/v1/chat/completions" in missing.error["message"]
    wrong = get(app, "/v1/chat/completions")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert get(app, "/healthz", method="POST").status == 405
    head = get(app, "/healthz", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    kind = ask(app, chat(), {"content-type": "application/x-www-form-urlencoded"})
    assert kind.status == 415 and "application/json" in kind.error["message"]
    assert ask(app, chat(), {"content-encoding": "gzip"}).status == 415
    other = ask(app, chat() | {"model": "gpt-4o"})
    assert (other.status, other.error["param"]) == (404, "model")


def test_a_key_is_wanted_where_one_is_set_but_not_for_health():
    with application(api_key="swordfish") as app:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "swordfish"}):
            refused = ask(app, chat(), headers)
            assert refused.status == 401 and refused.error["type"] == "authentication_error"
            assert get(app, "/v1/models", headers).status == 401
        assert ask(app, chat(), KEY).status == 200
        assert get(app, "/v1/models", KEY).status == 200
        assert get(app, "/healthz").status == get(app, "/metrics").status == 200


def test_health_tells_whether_questions_are_taken():
    with application() as app:
        assert get(app, "/healthz").json() == {"status": "ok"}
        app.chat.stopping = True
        assert get(app, "/healthz").status == 503
        refused = ask(app, chat())
        assert refused.status == 503 and refused.headers["connection"] == "close"


def test_metrics_count_requests_visits_batches_and_tokens():
    with application() as app:
        told = ask(app, chat(SIDE)).json()
        ask(app, b"{")
        lines = dict(
            line.rsplit(" ", 1)
            for line in get(app, "/metrics").body.decode().splitlines()
            if not line.startswith("#")
        )
    path = 'path="/v1/chat/completions"'
    assert float(lines[f'seal_requests_total{{{path},status="200"}}']) == 1
    assert float(lines[f'seal_requests_total{{{path},status="400"}}']) == 1
    visits = sum(search["visits"] for search in told["seal"]["searches"])
    assert float(lines["seal_search_visits_total"]) == visits
    assert float(lines['seal_tokens_total{kind="read"}']) == told["usage"]["prompt_tokens"]
    assert float(lines['seal_batch_size_count{kind="detect"}']) >= 1
    assert float(lines["seal_question_seconds_count"]) == 1
    assert float(lines["seal_held_bytes"]) == 0 and float(lines["seal_questions_running"]) == 0
