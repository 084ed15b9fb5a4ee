from __future__ import annotations

import copy
from pathlib import Path

import pytest
from PIL import Image
from record_sets import HEIGHT, WIDTH, draw_image

from seal.building.formats.image_lookup import (
    CORRUPT,
    MISSING,
    OTHER_SIZE,
    TURNED,
    ImageFile,
    ImageFiles,
    plain_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "sub/a b.png",
        "/home/me/data/sub/a b.png",
        "..\\data\\sub\\a b.png",
        "C:\\data\\sub\\a b.png",
        "sub/a%20b.png",
        "https://host.example/bucket/sub/a%20b.png?size=full",
        "images/v1/sub/a b.png",
    ],
)
def test_an_image_is_found_by_what_tools_call_it(tmp_path: Path, name: str) -> None:
    draw_image(tmp_path / "sub" / "a b.png")
    assert ImageFiles(tmp_path, drop_folders=True).find([name]) == "sub/a b.png"


def test_a_percent_sign_may_belong_to_the_name(tmp_path: Path) -> None:
    draw_image(tmp_path / "100%20.png")
    assert ImageFiles(tmp_path, drop_folders=False).find(["100%20.png"]) == "100%20.png"


def test_nothing_above_the_root_is_found(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    (tmp_path / "root").mkdir()
    files = ImageFiles(tmp_path / "root", drop_folders=True)
    assert files.find(["../a.png"]) is None and files.find([str(tmp_path / "a.png")]) is None
    (tmp_path / "root" / "sub.png").mkdir()
    assert files.find(["sub.png", "none.png"]) is None
    assert ImageFiles(tmp_path, drop_folders=False).find(["root/sub.png", "a.png"]) == "a.png"


def test_folders_are_dropped_only_on_request(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    assert ImageFiles(tmp_path, drop_folders=False).find(["train/a.png"]) is None
    assert ImageFiles(tmp_path, drop_folders=True).find(["train/a.png"]) == "a.png"


def test_the_layout_of_most_images_comes_first(tmp_path: Path) -> None:
    names = [f"images/v1/patch{i}/{i}.png" for i in range(4)]
    for i in range(4):
        draw_image(tmp_path / f"patch{i}" / f"{i}.png")
    draw_image(tmp_path / names[0])
    assert ImageFiles(tmp_path, drop_folders=True).find(names[:1]) == names[0]
    sampled = ImageFiles(tmp_path, drop_folders=True, sample=names)
    assert [sampled.find([name]) for name in names] == [f"patch{i}/{i}.png" for i in range(4)]


def test_why_an_image_cannot_be_used(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    files = ImageFiles(tmp_path, drop_folders=False)
    assert files.look(["c.png"], None) == MISSING
    assert files.look(["b.png"], None) == CORRUPT
    assert files.look(["a.png"], (HEIGHT, WIDTH)) == OTHER_SIZE
    assert files.look(["c.png", "a.png"], None) == ImageFile("a.png", WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="file name is a text, got 5"):
        files.look([5], None)  # type: ignore[list-item]


def test_an_image_that_only_its_tag_turns_is_told_apart(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg", exif=exif)
    files = ImageFiles(tmp_path, drop_folders=False)
    assert files.look(["a.jpg"], (WIDTH, HEIGHT)) == TURNED
    assert files.look(["a.jpg"], (HEIGHT, WIDTH)) == ImageFile("a.jpg", HEIGHT, WIDTH)


def test_a_name_that_nobody_looks_for_is_a_path_below_the_root() -> None:
    assert plain_name("/data/a.png") == "data/a.png"
    assert plain_name("https://host.example/b/a.png") == "b/a.png"


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),  # composed and decomposed
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("a.jpg", "a.JPG"),
        ("a.jpeg", "a.jpg"),
        ("Sub/A.JPG", "sub/a.jpeg"),
        ("my%20dog.jpg", "my dog.JPG"),
        ("train\\a.jpg", "train/a.JPG"),
        ("./train//a.jpg", "train/a.jpg"),
    ],
)
def test_a_name_that_is_plainly_meant_is_found(tmp_path: Path, asked: str, there: str) -> None:
    draw_image(tmp_path / "b.png")
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "b.png").rename(tmp_path / there)
    assert ImageFiles(tmp_path, drop_folders=False).find([asked]) == there


def test_a_name_that_could_be_either_of_two_files_is_missing(tmp_path: Path) -> None:
    for name in ("a.JPG", "A.jpg"):
        draw_image(tmp_path / "b.png")
        (tmp_path / "b.png").rename(tmp_path / name)
    files = ImageFiles(tmp_path, drop_folders=False)
    assert files.find(["a.JPG"]) == "a.JPG" and files.find(["a.jpeg"]) is None


def test_what_cannot_be_used_says_which_and_why(tmp_path: Path) -> None:
    draw_image(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = ImageFiles(tmp_path, drop_folders=False)
    found = [files.look([name], (5, 6)) for name in ("none.png", "bad.png", "a.png")]
    assert found == [MISSING, CORRUPT, OTHER_SIZE]
    told = [copy.deepcopy(reason).where for reason in found]
    assert told[0] == f"none.png below {tmp_path}"
    assert told[1].startswith(f"{tmp_path}/bad.png: not an image")
    assert told[2] == f"{tmp_path}/a.png is {WIDTH} x {HEIGHT}, annotated as 5 x 6"


def test_a_whole_path_into_the_root_is_the_file_there(tmp_path: Path) -> None:
    draw_image(tmp_path / "sub" / "a.png")
    files = ImageFiles(tmp_path, drop_folders=False)
    assert files.find([f"{tmp_path}/sub/a.png"]) == "sub/a.png"
    assert files.find([f"{tmp_path}/../a.png"]) is None
