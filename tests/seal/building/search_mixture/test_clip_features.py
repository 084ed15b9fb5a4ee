from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from PIL import Image
from record_sets import draw_image
from tiny_clip import write_clip
from transformers import CLIPModel

from seal.building.search_mixture import clip_features as module
from seal.building.search_mixture.clip_features import ClipEmbedder, clip_features, read_features
from seal.files.lock import InUseError
from seal.images import clip_pixels, open_image
from seal.models.files.save import save_model

NAMES = [f"{i}.png" for i in range(11)]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "cache"))
    for name in NAMES:
        draw_image(tmp_path / "images" / name)
    return tmp_path / "images"


class Counting:
    """An embedder that stops the work after some batches."""

    def __init__(self, embed: ClipEmbedder, batches: int = 100) -> None:
        self.embed, self.batches, self.images = embed, batches, 0
        self.image_size, self.num_features = embed.image_size, embed.num_features

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.batches == 0:
            raise KeyboardInterrupt
        self.batches -= 1
        self.images += len(pixels)
        return self.embed(pixels)

    def fingerprint(self) -> str:
        return self.embed.fingerprint()


def features(embed: object, folder: Path, workers: int = 0) -> np.ndarray:
    return clip_features(embed, folder, NAMES, batch_size=2, workers=workers)  # type: ignore[arg-type]


def test_a_row_is_the_embedding_that_transformers_gives(tmp_path: Path, images: Path) -> None:
    folder = write_clip(tmp_path / "clip")
    found = features(ClipEmbedder(str(folder)), images)
    pixels = torch.from_numpy(clip_pixels(open_image(images / NAMES[3]), 28, "center_crop"))
    with torch.inference_mode():
        expected = CLIPModel.from_pretrained(folder).get_image_features(pixels[None])
    expected = getattr(expected, "pooler_output", expected)[0]
    np.testing.assert_allclose(found[3], expected / expected.norm(), atol=1e-5)
    assert found.shape == (11, 8) and isinstance(found, np.memmap)


def test_workers_and_a_second_run_give_the_same_rows(tmp_path: Path, images: Path) -> None:
    embed = Counting(ClipEmbedder(str(write_clip(tmp_path / "clip"))))
    first = np.array(features(embed, images))
    np.testing.assert_array_equal(first, features(embed, images, workers=3))
    assert embed.images == 11  # the second run computed nothing


def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHECKPOINT_EVERY", 1)
    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))
    with pytest.raises(KeyboardInterrupt):
        features(Counting(clip, batches=3), images)
    rest = Counting(clip)
    found = np.array(features(rest, images))
    assert rest.images == 5
    for path in (tmp_path / "cache").rglob("*.*"):
        path.unlink()
    np.testing.assert_array_equal(found, features(clip, images))


def test_other_weights_and_other_images_have_files_of_their_own(
    tmp_path: Path, images: Path
) -> None:
    one = ClipEmbedder(str(write_clip(tmp_path / "one")))
    two = ClipEmbedder(str(write_clip(tmp_path / "two", seed=1)))
    assert not np.allclose(features(one, images), features(two, images))
    clip_features(one, images, NAMES[:4], batch_size=2, workers=0)
    assert len(list((tmp_path / "cache/features").rglob("*.npy"))) == 3


def test_an_image_that_cannot_be_read_has_a_row_of_zeros(tmp_path: Path, images: Path) -> None:
    (images / NAMES[2]).write_bytes(b"no image")
    (images / NAMES[5]).unlink()
    found = features(ClipEmbedder(str(write_clip(tmp_path / "clip"))), images)
    assert np.flatnonzero(~found.any(axis=1)).tolist() == [2, 5]


def test_an_image_that_came_later_has_its_row(tmp_path: Path, images: Path) -> None:
    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))
    (images / NAMES[5]).rename(tmp_path / "away")
    assert not features(clip, images)[5].any()
    (tmp_path / "away").rename(images / NAMES[5])
    assert features(clip, images).any(axis=1).all()


def test_an_image_that_changed_at_the_same_length_has_another_row(
    tmp_path: Path, images: Path
) -> None:
    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))
    colors = ((200, 10, 10), (10, 10, 200))
    rows = []
    for color in colors:
        Image.new("RGB", (32, 32), color).save(images / NAMES[3].replace("png", "bmp"))
        (images / NAMES[3].replace("png", "bmp")).replace(images / NAMES[3])
        rows.append(features(clip, images)[3])
    assert not np.allclose(*rows)


def test_weights_that_only_changed_places_are_other_weights(tmp_path: Path) -> None:
    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))
    before = clip.fingerprint()
    with torch.no_grad():
        weight = clip._model.visual_projection.weight
        weight.copy_(weight.flip(0).clone())
    assert clip.fingerprint() != before


def test_two_makers_of_the_same_rows_are_not_possible(tmp_path: Path, images: Path) -> None:
    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))

    class Second(Counting):
        def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
            with pytest.raises(InUseError, match="another making of CLIP features writes there"):
                features(clip, images)
            return super().__call__(pixels)

    found = np.array(features(Second(clip), images))
    np.testing.assert_array_equal(found, features(clip, images))


def test_a_disk_without_room_for_the_rows_is_one_line(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    clip = ClipEmbedder(str(write_clip(tmp_path / "clip")))
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "posix_fallocate", full, raising=False)
        with pytest.raises(ValueError, match=r"rows\.npy cannot be written: No space left on .*"):
            features(clip, images)
    assert features(clip, images).any(axis=1).all()


def test_the_tower_of_our_own_model_serves_too(tmp_path: Path, images: Path) -> None:
    model = tiny_models.vqa_model()
    folder = tmp_path / "model"
    save_model(folder, model, Path(tiny_models.tokenizer().folder))
    found = features(ClipEmbedder(str(folder)), images)
    pixels = torch.from_numpy(clip_pixels(open_image(images / NAMES[0]), 28, "center_crop"))
    with torch.inference_mode():
        pooled = model.vision_tower.vision_model(pixel_values=pixels[None]).pooler_output[0]
    np.testing.assert_allclose(found[0], pooled / pooled.norm(), atol=1e-5)


@pytest.mark.parametrize("content", ['{"model_type": "bert"}', "not json", "{}"])
def test_what_is_no_clip_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=str(tmp_path)):
        ClipEmbedder(str(tmp_path))


def test_given_features_are_checked_and_scaled(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, np.array([[3.0, 4.0], [0, 0], [5, 0]]))
    np.testing.assert_allclose(read_features(path, 3), [[0.6, 0.8], [0, 0], [1, 0]])
    assert read_features(path, 2).shape == (2, 2)
    with pytest.raises(ValueError, match=r"rows\.npy is float64 \(3, 2\); .* 4 images"):
        read_features(path, 4)
    np.save(path, np.array([[3.0, np.nan]]))
    with pytest.raises(ValueError, match="row 0 is not finite"):
        read_features(path, 1)
    path.write_bytes(b"x")
    with pytest.raises(ValueError, match="not a readable"):
        read_features(path, 1)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="not a readable"):
        read_features(path, 1)
