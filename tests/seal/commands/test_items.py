"""Folders and files of lines: what is read, and what is refused with its line."""

from __future__ import annotations

import json
import os

import pytest
from PIL import Image

from seal.commands.items import is_many, read_items


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "inner/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.png").write_bytes(b"")
    return tmp_path


def lines(tmp_path, *given: object) -> str:
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in given))
    return str(path)


def test_a_folder_is_its_pictures_in_order_all_with_the_same_words(folder):
    items = read_items(str(folder), "Why?", key="question", options=("a", "b"))
    assert [item.id for item in items] == ["a.JPG", "b.png", "inner/c.webp"]
    assert {(item.text, item.options, item.targets) for item in items} == {
        ("Why?", ("a", "b"), None)
    }


def test_what_is_no_file_is_no_picture_and_a_broken_link_is_told_later(folder):
    (folder / "album.jpg").mkdir()
    (folder / "album.jpg" / "d.png").write_bytes(b"")
    (folder / "again").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")  # to be opened, it waits forever
    items = read_items(str(folder), "Why?", key="question")
    assert [item.id for item in items] == [
        "a.JPG", "album.jpg/d.png", "b.png", "gone.png", "inner/c.webp",
    ]  # fmt: skip


def test_lines_say_their_own_and_their_pictures_are_beside_the_file(tmp_path):
    file = lines(
        tmp_path,
        {"id": "k1", "image": "p/1.jpg", "question": "Why?", "options": ["a"], "answer": "a"},
        "",
        {"question": "Who?", "targets": ["mug"]},
        {"question": "Where?", "targets": [{"name": "mug", "boxes": []}]},
    )
    one, two, three = read_items(file, None, key="question")
    assert (one.id, one.path, one.options) == ("k1", tmp_path / "p/1.jpg", ("a",))
    assert (two.id, two.path, two.targets) == ("3", None, ("mug",))
    assert three.targets is None  # what a benchmark judges by is not what is searched for


@pytest.mark.parametrize(
    ("key", "line", "says"),
    [
        ("question", "{", "lines.jsonl:1 is not JSON"),
        ("question", {"image": "a.jpg"}, '"question" is a text'),
        ("question", {"question": "Why?", "option": ["a"]}, "did you mean options"),
        ("question", {"question": "Why?", "options": "a"}, '"options" is a list of texts'),
        ("question", {"question": "Why?", "targets": [1]}, '"targets" is a list of texts'),
        ("question", {"question": "Why?", "image": 3}, '"image" is the path of a picture'),
        ("target", {"target": "mug"}, '"image" is missing'),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path, key, line, says):
    with pytest.raises(ValueError, match=r"lines\.jsonl:1") as error:
        read_items(lines(tmp_path, line), None, key=key)
    assert says in str(error.value)


def test_what_is_said_twice_or_not_at_all_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="is a folder: say the question too"):
        read_items(str(folder), None, key="question")
    file = lines(tmp_path, {"question": "Why?", "id": "a"}, {"question": "Who?", "id": "a"})
    with pytest.raises(ValueError, match=r"lines\.jsonl:2: id 'a' is that of .*lines\.jsonl:1"):
        read_items(file, None, key="question")
    with pytest.raises(ValueError, match="drop what is said on the command line"):
        read_items(file, "Why?", key="question")
    empty = folder / "none"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no picture"):
        read_items(str(empty), "Why?", key="question")
    with pytest.raises(ValueError, match=r"absent\.jsonl cannot be read"):
        read_items(str(tmp_path / "absent.jsonl"), None, key="question")


def test_a_name_that_is_too_long_is_one():
    assert not is_many("a" * 5000 + ".jpg")


def test_a_picture_is_one(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert not is_many(str(tmp_path / "a.png")) and not is_many("absent.png")
    assert is_many(str(tmp_path)) and is_many("questions.jsonl")
