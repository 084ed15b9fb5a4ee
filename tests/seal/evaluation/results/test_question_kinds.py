"""Questions are sorted by what tells something of them, and by the size of what they are about."""

from __future__ import annotations

from granularity_lines import asked

from seal.evaluation.judged import own_and_overall
from seal.evaluation.results.question_kinds import object_size, question_kinds, size_bins
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.geometry import Box


def kinds(questions):
    return question_kinds(questions, own_and_overall)


def test_splits_labels_and_sizes_sort_and_ids_do_not():
    questions = [
        asked(
            i, split="color" if i < 4 else "place", side=(8, 20)[i % 2],
            sort=("a", "b")[i // 2 % 2], number=f"n{i}", twin=("color" if i < 4 else "place"),
            types=["x", "y"][: i % 2 + 1], told=i % 2 == 0, shuffled=True, deep={"not": "a label"},
        )
        for i in range(8)
    ]  # fmt: skip
    found = kinds(questions)
    assert list(found) == ["split", "sort", "types", "told", "object size"]
    assert found["split"] == {
        "color": ["q0", "q1", "q2", "q3"],
        "place": ["q4", "q5", "q6", "q7"],
    }
    assert found["sort"]["b"] == ["q2", "q3", "q6", "q7"]
    assert found["types"] == {"x": [f"q{i}" for i in range(8)], "y": ["q1", "q3", "q5", "q7"]}
    assert found["object size"] == {
        "8 px": ["q0", "q2", "q4", "q6"],
        "20 px": ["q1", "q3", "q5", "q7"],
    }


def test_a_files_own_split_does_not_take_the_place_of_the_benchmarks():
    def questions(split):
        return [
            TaskQuestion(str(i), "?", split="ab"[i % 2], meta={"split": split(i)}) for i in range(4)
        ]

    by_category = {"a": ["0", "2"], "b": ["1", "3"]}
    assert kinds(questions(lambda i: "test")) == {"split": by_category}
    found = kinds(questions(lambda i: "xy"[i // 2]))
    assert found == {"split": by_category, "own split": {"x": ["0", "1"], "y": ["2", "3"]}}


def test_groups_of_targets_sort_too():
    questions = [
        TaskQuestion(str(i), "?", targets=(AnnotatedTarget("mug", (), group),))
        for i, group in enumerate(("away", "home") * 2)
    ]
    assert kinds(questions) == {"target group": {"away": ["0", "2"], "home": ["1", "3"]}}


def test_the_size_is_that_of_the_smallest_box_and_else_what_the_question_says():
    boxes = Box(0.0, 0.0, 40.0, 10.0), Box(0.0, 0.0, 30.0, 30.0)
    two = TaskQuestion("a", "?", targets=(AnnotatedTarget("mug", boxes),), meta={"size": 99})
    assert object_size(two) == 20
    assert object_size(asked(1, size=12)) == 12
    assert object_size(asked(1, size="small")) is None
    assert object_size(asked(1, size=True)) is None
    assert object_size(asked(1)) is None


def test_many_sizes_are_put_into_quarters_in_order():
    sizes = {f"q{i}": float(i) for i in range(1, 101)}
    found = size_bins(sizes)
    assert [len(of) for of in found.values()] == [25, 25, 25, 25]
    assert list(found) == ["1 to 25 px", "26 to 50 px", "51 to 75 px", "76 to 100 px"]
    assert [name for of in found.values() for name in of] == list(sizes)


def test_a_size_that_most_share_stays_in_one_bin():
    sizes = {f"q{i}": 10.0 if i < 80 else float(i) for i in range(100)}
    found = size_bins(sizes)
    assert sum(map(len, found.values())) == 100
    assert found["10 px"] == [f"q{i}" for i in range(80)]
