from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, loopback

from seal.building.sources.catalog import GROUPS, NEEDED, SOURCES, Download, Hub, Item, Source
from seal.building.sources.inventory import (
    MISSING,
    PARTLY,
    PRESENT,
    SourcesConfig,
    choose,
    fetch,
    look,
    table,
    what_to_do,
)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def source(*items: Item, name: str = "things", **more: str) -> Source:
    return Source(name, "Things", ("vqa",), "CC0", "coco", items, **more)


def archive(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    return stream.getvalue()


def states(root: Path, *sources: Source) -> list[tuple[str, str | None]]:
    return [(entry.state, entry.where) for entry in look(root, sources)]


def touch(path: Path, content: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_the_table_is_sound() -> None:
    assert len({s.name for s in SOURCES}) == len(SOURCES)
    for entry in SOURCES:
        assert entry.groups and set(entry.groups) <= set(GROUPS)
        for item in entry.items:
            assert item.layouts and (item.downloads or item.hub or item.instead), item
            for layout in item.layouts:
                assert not Path(layout).is_absolute() and ".." not in Path(layout).parts
            for download in item.downloads:
                assert download.url.startswith(("http://", "https://"))
                if download.checksum is not None:
                    kind, digest = download.checksum.split(":")
                    assert re.fullmatch(r"[0-9a-f]+", digest)
                    assert len(digest) == hashlib.new(kind).digest_size * 2
                # What is fetched lies where it is looked for first.
                assert item.layouts[0].startswith(download.folder.split("/")[0])


def test_groups_and_names_choose_sources() -> None:
    assert choose([]) == [s for s in SOURCES if set(s.groups) & set(NEEDED)]
    assert [s.name for s in choose(["vaw", "coco"])] == ["coco", "vaw"]
    assert {s.name for s in choose(["authors"])} == {
        "seal_vqa_data", "vsm_vqa_data", "seal_vqa_7b", "seal_vsm_7b",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"only=\['cocos'\] names no source; there are coco"):
        SourcesConfig(out="x", only=["cocos"])
    with pytest.raises(ValueError, match="retries=-1"):
        SourcesConfig(out="x", retries=-1)


@pytest.mark.parametrize(
    ("name", "item", "layout"),
    [
        ("coco", "train2017 images", "coco/train2017"),
        ("coco", "train2017 images", "train2017"),
        ("coco", "train2017 images", "coco2017/images/train2017"),
        ("coco", "train2017 images", "dataset/coco/train2017"),
        ("coco", "train2017 images", "playground/data/coco/train2017"),
        ("refcoco", "instances.json", "refer_seg/refcoco/instances.json"),
        ("vg", "VG_100K", "vg/VG_100K"),
        ("vg", "VG_100K_2", "playground/data/vg/VG_100K_2"),
        ("goldg", "final_mixed_train.json", "MixedGrounding/final_mixed_train.json"),
        ("coco2014", "train2014 images", "refer_seg/images/mscoco/images/train2014"),
        ("coco_stuff", "train2017 maps", "dataset/cocostuff/train2017"),
    ],
)
def test_customary_layouts_are_accepted(tmp_path: Path, name: str, item: str, layout: str) -> None:
    path = tmp_path / layout
    touch(path if path.suffix == ".json" else path / "1.jpg")
    (found,) = [f for f in look(tmp_path, choose([name])) if f.item.name == item]
    assert found.where == layout
    assert found.state == (PARTLY if found.item.files else PRESENT)


def test_a_folder_that_lacks_files_is_partial_and_says_how_many(tmp_path: Path) -> None:
    things = source(Item("images", ("a", "b"), files=3))
    for name in ("a/1", "b/1", "b/deep/2", "b/3.partial", "b/.4.unpacked"):
        touch(tmp_path / name)
    (found,) = look(tmp_path, [things])
    assert (found.state, found.where, found.files) == (PARTLY, "b", 2)
    assert "b (2 of 3 files)" in "\n".join(table([found]))
    touch(tmp_path / "b" / "5")
    assert states(tmp_path, things) == [(PRESENT, "b")]


def test_an_empty_file_and_a_begun_transfer_are_partial(tmp_path: Path) -> None:
    things = source(
        Item("list", ("a.json",)),
        Item("images", ("images",), downloads=(Download("http://x/y.zip", folder="z"),)),
    )
    touch(tmp_path / "a.json", "")
    touch(tmp_path / "z" / "y.zip.partial")
    assert states(tmp_path, things) == [(PARTLY, "a.json"), (PARTLY, None)]


def test_what_is_missing_is_said_with_every_place_and_the_way_to_it(tmp_path: Path) -> None:
    free = source(Item("list", ("a.json", "b/a.json"), downloads=(Download("http://x/a.json"),)))
    bound = source(
        Item("photos", ("p",), downloads=(Download("http://x/p.zip", 5_000_000),)),
        name="bound", terms="for research",
    )  # fmt: skip
    asked = source(Item("photos", ("q",), instead="fill in the form"), name="asked")
    text = "\n".join(what_to_do(tmp_path, look(tmp_path, [free, bound, asked])))
    for part in (
        f"expected  {tmp_path}/a.json", "or        b/a.json", "from      http://x/a.json",
        "only=[things] fetch=true", "(size unknown)", "(5 MB)", "terms     for research",
        "accept its terms by name: only=[bound] fetch=true", "to do     fill in the form",
    ):  # fmt: skip
        assert part in text


def test_archives_are_fetched_unpacked_and_removed(server: Loopback, tmp_path: Path) -> None:
    body = archive(["images/1.jpg", "images/2.jpg", "notes.json"])
    server.add("/a.zip", body)
    server.add("/plain.json", b"[]")
    checksum = f"md5:{hashlib.md5(body).hexdigest()}"
    both = Download(server.url("/a.zip"), len(body), checksum, "data")
    things = source(
        Item("images", ("data/images",), files=2, downloads=(both,)),
        Item("notes", ("data/notes.json",), downloads=(both,)),
        Item("plain", ("more/plain.json",), downloads=(Download(
            server.url("/plain.json"), folder="more", unpack=False),)),
    )  # fmt: skip
    assert fetch(tmp_path, look(tmp_path, [things])) == []
    assert {state for state, _ in states(tmp_path, things)} == {PRESENT}
    assert [path for path, _ in server.asked] == ["/a.zip", "/plain.json"]
    assert not (tmp_path / "data" / "a.zip").exists()
    fetch(tmp_path, look(tmp_path, [things]))
    assert len(server.asked) == 2  # nothing is fetched twice


def test_of_many_archives_only_what_lacks_is_fetched(server: Loopback, tmp_path: Path) -> None:
    for number in range(3):
        server.add(f"/p{number}.zip", archive([f"p{number}/1.jpg"]))
    urls = [Download(server.url(f"/p{n}.zip"), folder="images") for n in range(3)]
    things = source(Item("images", ("images",), files=3, downloads=tuple(urls)))
    page = server.pages.pop("/p1.zip")
    (problem,) = fetch(tmp_path, look(tmp_path, [things]))
    assert "things, images: " in problem and "p1.zip: the server answers 404" in problem
    assert states(tmp_path, things) == [(PARTLY, "images")]
    server.pages["/p1.zip"] = page
    assert fetch(tmp_path, look(tmp_path, [things])) == []
    assert states(tmp_path, things) == [(PRESENT, "images")]
    assert [path for path, _ in server.asked] == ["/p0.zip", "/p1.zip", "/p1.zip", "/p2.zip"]


def test_what_was_unpacked_and_is_gone_is_fetched_again(server: Loopback, tmp_path: Path) -> None:
    server.add("/a.zip", archive(["a.json"]))
    things = source(Item("a", ("d/a.json",), downloads=(Download(
        server.url("/a.zip"), folder="d"),)))  # fmt: skip
    fetch(tmp_path, look(tmp_path, [things]))
    (tmp_path / "d" / "a.json").unlink()
    assert states(tmp_path, things) == [(MISSING, None)]
    fetch(tmp_path, look(tmp_path, [things]), keep_archives=True)
    assert states(tmp_path, things) == [(PRESENT, "d/a.json")]
    assert (tmp_path / "d" / "a.zip").exists()


def test_sources_with_terms_are_fetched_only_by_name(server: Loopback, tmp_path: Path) -> None:
    server.add("/a.json", b"[]")
    bound = source(
        Item("a", ("a.json",), downloads=(Download(server.url("/a.json"), unpack=False),)),
        terms="for research",
    )
    fetch(tmp_path, look(tmp_path, [bound]))
    assert server.asked == []
    fetch(tmp_path, look(tmp_path, [bound]), named=["things"])
    assert states(tmp_path, bound) == [(PRESENT, "a.json")]


def test_a_bad_checksum_is_reported_and_nothing_is_left_under_the_name(
    server: Loopback, tmp_path: Path
) -> None:
    server.add("/a.json", b"[]")
    bad = Download(server.url("/a.json"), checksum="md5:" + "0" * 32, unpack=False)
    things = source(Item("a", ("a.json",), downloads=(bad,)))
    (problem,) = fetch(tmp_path, look(tmp_path, [things]))
    assert "instead of 000" in problem and states(tmp_path, things) == [(MISSING, None)]


def test_files_of_the_hub_are_fetched_by_its_own_client_and_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot(repository: str, **asked: Any) -> None:
        if repository != "owner/open":
            raise OSError("401: gated\nmore lines")
        assert asked["repo_type"] == "dataset" and asked["allow_patterns"] == ["a.json"]
        touch(Path(asked["local_dir"]) / "a.json")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    things = [
        source(
            Item("a", (f"{name}/a.json",), hub=Hub(f"owner/{name}", name, ("a.json",))), name=name
        )
        for name in ("open", "gated")
    ]
    (problem,) = fetch(tmp_path, look(tmp_path, things))
    assert problem.startswith("gated, a: https://huggingface.co/owner/gated: 401: gated; ")
    assert "hf auth login" in problem and "more lines" not in problem
    assert states(tmp_path, *things) == [(PRESENT, "open/a.json"), (MISSING, None)]
