from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_sets import HEIGHT, WIDTH, chat_record, search_record, text_record, write_set

from seal.building.records.preview import PreviewConfig, write_preview
from seal.data.chat import ChatConfig
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression
from seal.geometry import Box
from seal.images.tiles import TilesConfig, choose_grid
from seal.models.files.load import read_config
from seal.models.files.model_config import config_to_dict
from seal.models.files.save import write_json
from seal.models.vqa import VQAModelConfig
from seal.version import PACKAGE

MINIATURE = PACKAGE / "miniature" / "assets"
MASK = mask_to_rle(np.ones((HEIGHT, WIDTH), dtype=np.uint8))


def page(tmp_path: Path, **more: Any) -> str:
    out = tmp_path / "out" / "page.html"
    write_preview(PreviewConfig(records=str(tmp_path), out=str(out), **more))
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]
    return out.read_text()


def test_each_set_is_shown_to_the_model_it_is_for(tmp_path: Path) -> None:
    write_set(tmp_path / "gqa" / "train", [chat_record("a", 2), text_record("b")])
    expressions = [Expression("cup", (Box(1, 1, 9, 9),), MASK), Expression("dog", ())]
    write_set(tmp_path / "coco" / "train", [search_record("c", *expressions)])
    text = page(tmp_path)
    assert ">gqa/train</h2>" in text and ">coco/train</h2>" in text
    # Image and two crops of the first, CLIP's and the detector's picture of the last.
    assert text.count("data:image/png") == 5
    assert f"1 box, {WIDTH * HEIGHT} mask pixels" in text and "0 boxes, no mask" in text
    assert "[LOC]" in text and "thing1" in text and "On the table." in text


def test_the_seed_chooses_what_is_shown(tmp_path: Path) -> None:
    write_set(tmp_path / "set", [text_record(f"r{number}") for number in range(50)])
    pages = [page(tmp_path, count=5, seed=seed) for seed in (1, 1, 2)]
    assert pages[0] == pages[1] != pages[2]
    assert pages[0].count("<h3>") == 5


def test_the_options_of_training_hold(tmp_path: Path) -> None:
    names = ("cup", "dog", "kite")
    expressions = [Expression(name, ()) for name in names]
    write_set(tmp_path / "set", [search_record("c", *expressions)])
    config = PreviewConfig(records="", out="x")
    config.grounding.max_expressions = 1
    assert page(tmp_path, grounding=config.grounding).count("[LOC]") == 1
    assert page(tmp_path).count("[LOC]") == 3


def test_a_model_folder_gives_tokenizer_and_sizes(tmp_path: Path) -> None:
    write_set(tmp_path / "set", [chat_record("a")])
    assert "64 visual tokens" in page(tmp_path, model_folder=str(MINIATURE / "vsm_base"))
    with pytest.raises(ValueError, match="is a search model, kind=vqa asks for a VQA LLM"):
        page(tmp_path, model_folder=str(MINIATURE / "vsm_base"), kind="vqa")
    with pytest.raises(ValueError, match="is not a model folder"):
        page(tmp_path, model_folder=str(tmp_path))


def test_a_model_that_reads_tiles_is_shown_them(tmp_path: Path) -> None:
    write_set(tmp_path / "set", [chat_record("a")])
    config = read_config(MINIATURE / "vqa_base")
    assert isinstance(config, VQAModelConfig)
    model = tmp_path / "model"
    shutil.copytree(MINIATURE / "vqa_base", model, ignore=lambda _, names: {"model.safetensors"})
    write_json(
        model / "config.json",
        config_to_dict(replace(config, tiles=TilesConfig(), token_policy="router")),
    )
    chat = ChatConfig(token_policy="router")
    text = page(tmp_path, model_folder=str(model), chat=chat)
    columns, rows = choose_grid(WIDTH, HEIGHT, config.vision.image_size, TilesConfig().grids)
    assert text.count("data:image/png") == 1 + columns * rows
    with pytest.raises(ValueError, match=r"token_policy=.* reads no tiles; set it to router"):
        page(tmp_path, model_folder=str(model))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"count": 0}, "count=0"), ({"kind": "x"}, "none of auto"), ({"out": "."}, "is a folder")],
)
def test_wrong_options_are_named(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PreviewConfig(**{"records": "a", "out": "b"} | wrong)
