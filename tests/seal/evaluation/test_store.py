from __future__ import annotations

import json
from pathlib import Path

import pytest

from seal.evaluation.environment import environment
from seal.evaluation.store import (
    PredictionStore,
    content_digest,
    read_predictions,
    require_own_folder,
    settle,
    write_text,
)


def key(line):
    return (line["id"],)


def test_a_torn_last_line_is_dropped_before_more_is_appended(tmp_path):
    (tmp_path / "predictions.jsonl").write_text('{"id": "a"}\n{"id": "b')
    store = PredictionStore(tmp_path, key)
    assert store.has(("a",), None) and not store.has(("b",), None)
    store.add([{"id": "c"}])
    assert [line["id"] for line in read_predictions(tmp_path)] == ["a", "c"]


def test_a_spoiled_line_in_the_middle_is_named(tmp_path):
    (tmp_path / "predictions.jsonl").write_text('{"id": "a"}\n{"id\n{"id": "c"}\n')
    with pytest.raises(ValueError, match=r"predictions\.jsonl:2 is not JSON"):
        PredictionStore(tmp_path, key)


def test_shards_are_read_by_all_and_merged_in_order(tmp_path):
    for rank in (1, 0):
        PredictionStore(tmp_path, key, rank=rank, world_size=2).add([{"id": str(rank)}])
    store = PredictionStore(tmp_path, key)  # another number of processes goes on with them
    assert store.has(("0",), None) and store.has(("1",), None)
    order = {("0",): 0, ("1",): 1}
    assert [line["id"] for line in store.merge(order)] == ["0", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]


@pytest.mark.parametrize("world_size", [1, 2])
def test_what_a_killed_shard_left_behind_is_no_later_than_what_comes_after(tmp_path, world_size):
    killed = PredictionStore(tmp_path, key, rank=3, world_size=4)
    killed.add([{"id": "a", "asked": "before the question changed"}, {"id": "b", "asked": "b"}])
    store = PredictionStore(tmp_path, key, rank=0, world_size=world_size)
    store.gather()
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]
    store.add([{"id": "a", "asked": "since"}])
    order = {("a",): 0, ("b",): 1}
    assert [line["asked"] for line in store.merge(order)] == ["since", "b"]


def test_lines_of_questions_not_asked_this_time_are_kept_but_not_judged(tmp_path):
    store = PredictionStore(tmp_path, key)
    store.add([{"id": "old"}, {"id": "new"}])
    assert store.merge({("new",): 0}) == [{"id": "new"}]
    assert [line["id"] for line in read_predictions(tmp_path)] == ["new", "old"]


def test_a_question_that_failed_is_asked_again_and_the_later_line_wins(tmp_path):
    PredictionStore(tmp_path, key).add([{"id": "a", "error": "damaged"}, {"id": "b"}])
    store = PredictionStore(tmp_path, key)
    assert store.has(("b",), None) and not store.has(("a",), None)
    store.add([{"id": "a", "error": None}])
    assert store.merge({("a",): 0, ("b",): 1}) == [{"id": "a", "error": None}, {"id": "b"}]
    assert read_predictions(tmp_path) == [{"id": "a", "error": None}, {"id": "b"}]


def test_an_error_that_a_killed_shard_left_does_not_replace_an_answer(tmp_path):
    PredictionStore(tmp_path, key, rank=1, world_size=2).add([{"id": "a", "error": "damaged"}])
    store = PredictionStore(tmp_path, key)
    store.add([{"id": "a"}])
    assert store.merge({("a",): 0}) == [{"id": "a"}]


def test_settings_may_change_as_long_as_nothing_was_predicted(tmp_path):
    settle(tmp_path, {"seed": 0}, free=())
    settle(tmp_path, {"seed": 1}, free=())
    PredictionStore(tmp_path, key).add([{"id": "a"}])
    with pytest.raises(ValueError, match="made with seed=1, not 2"):
        settle(tmp_path, {"seed": 2}, free=())


def test_of_settings_in_settings_the_one_that_differs_is_named(tmp_path):
    def run(**budget):
        settle(tmp_path, {"search": {"min_size": None, "budget": budget}}, free=())

    run(nodes=20, calls=None)
    PredictionStore(tmp_path, key).add([{"id": "a"}])
    with pytest.raises(
        ValueError, match=r"made with search[.]budget[.]nodes=20, not 10: choose anoth"
    ):
        run(nodes=10, calls=None)
    with pytest.raises(ValueError, match=r"made with search[.]budget[.]calls=None, not 5"):
        run(nodes=20, calls=5)


def test_only_weights_that_both_runs_used_are_compared_and_all_are_remembered(tmp_path):
    def run(**weights):
        settle(tmp_path, {"seed": 0, "weights": weights}, (), partial=["weights"])

    run(vqa="a")
    PredictionStore(tmp_path, key).add([{"id": "a"}])
    run(vqa="a", vsm="b")
    run(vqa="a")
    with pytest.raises(ValueError, match=r"made with weights[.]vsm='b', not 'c'"):
        run(vqa="a", vsm="c")
    with pytest.raises(ValueError, match=r"made with weights[.]vqa='a', not 'c'"):
        run(vqa="c")


def test_a_file_is_whole_or_not_there(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "x")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_the_environment_is_json_without_the_machine_s_name(tmp_path):
    import platform

    text = json.dumps(environment("cpu"))
    assert platform.node() not in text
    assert {"torch", "transformers"} <= set(json.loads(text)["packages"])


def test_an_answer_to_other_content_is_none(tmp_path):
    PredictionStore(tmp_path, key).add([{"id": "a", "asked": "1"}])
    store = PredictionStore(tmp_path, key)
    assert store.has(("a",), "1") and not store.has(("a",), "2")
    assert store.changed(("a",), "2") and not store.changed(("a",), "1")
    assert not store.changed(("b",), "1")


def test_a_failure_of_changed_content_replaces_the_old_answer(tmp_path):
    store = PredictionStore(tmp_path, key)
    failed = {"id": "a", "asked": "2", "error": "damaged"}
    store.add([{"id": "a", "asked": "1"}, failed])
    assert store.merge({("a",): 0}) == [failed]


def test_content_is_the_question_and_its_picture():
    first = content_digest({"text": "What?"}, "one")
    assert content_digest({"text": "What?"}, "one") == first
    assert content_digest({"text": "Who??"}, "one") != first
    assert content_digest({"text": "What?"}, "two") != first


@pytest.mark.parametrize("name", ["config.yaml", "metrics.json", "predictions.jsonl", "mine.html"])
def test_results_are_not_written_over_files_of_others(tmp_path, name):
    (tmp_path / name).write_text("learning_rate: 3\n")
    with pytest.raises(ValueError, match=rf"{name} is not of an evaluation that was begun here"):
        require_own_folder(tmp_path, "mine.html")
    require_own_folder(tmp_path / "new")


def test_a_folder_of_ours_is_gone_on_with_and_no_folder_is_refused(tmp_path):
    settle(tmp_path, {"seed": 0, "task_version": "1"}, free=())
    write_text(tmp_path / "metrics.json", "{}")
    require_own_folder(tmp_path)
    with pytest.raises(ValueError, match="out= names no folder of its own"):
        require_own_folder(Path(""))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[1]", r"jsonl:2: expected an object \{...\}, got \[1\]"),
        (b"\xe2teau", r"jsonl:2 is not UTF-8 text"),
        (b"[" * 100_000, r"jsonl:2 is not JSON"),
    ],
)
def test_a_line_that_is_no_object_of_text_is_named(tmp_path, line, says):
    (tmp_path / "predictions.jsonl").write_bytes(b'{"id": "a"}\n' + line + b"\n")
    with pytest.raises(ValueError, match=says):
        read_predictions(tmp_path)
