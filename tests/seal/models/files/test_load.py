"""A model folder holds everything, exactly, or is not there; what does not fit is named."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file

from seal.models.files import fill
from seal.models.files.load import load_model, parameter_table, read_config
from seal.models.files.save import save_model
from seal.models.fit.lora import LoraConfig, add_lora
from seal.models.vsm import VSM
from seal.text.tokenize import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer_folder() -> Path:
    return Path(tiny_models.tokenizer().folder)


@pytest.fixture(params=["vqa", "vsm"])
def model(request):
    return tiny_models.vqa_model(3) if request.param == "vqa" else tiny_models.vsm_model(3)


@pytest.fixture
def saved(tmp_path, tokenizer_folder) -> Path:
    save_model(tmp_path / "model", tiny_models.vqa_model(3), tokenizer_folder)
    return tmp_path / "model"


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    first, second = a.state_dict(), b.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_model_comes_back_bit_for_bit(model, tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", model, tokenizer_folder, {"steps": 7})
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is type(model) and loaded.config == model.config
    assert same_weights(loaded, model)
    assert not any(tensor.is_meta for tensor in [*loaded.parameters(), *loaded.buffers()])
    assert json.loads((tmp_path / "model" / "training.json").read_text()) == {"steps": 7}


def test_shards_come_back_as_one_model(model, tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", model, tokenizer_folder, max_shard_size="20KB")
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 2
    assert same_weights(load_model(tmp_path / "model"), model)


def test_the_loaded_model_computes_the_same(tmp_path, tokenizer_folder):
    """Buffers that are not saved (rotary frequencies, positions) are made again."""
    model = tiny_models.vsm_model(3)
    save_model(tmp_path / "model", model, tokenizer_folder)
    loaded = load_model(tmp_path / "model")
    pixels, ids = torch.randn(1, 3, 28, 28), torch.tensor([[1, 5, 9, 4]])
    with torch.no_grad():
        for one in (model, loaded):
            one.words = one.llm(input_ids=ids).logits
            one.seen = one.encode_images(pixels)
            one.found = one.encode_detector(torch.ones(1, 3, 32, 32))
    for name in ("words", "seen", "found"):
        assert torch.equal(getattr(model, name), getattr(loaded, name))


def test_tokenizer_and_processor_settings_travel_along(model, tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", model, tokenizer_folder)
    for path in tokenizer_folder.iterdir():
        assert (tmp_path / "model" / path.name).read_bytes() == path.read_bytes()
    text = "the red boat"
    assert load_tokenizer(tmp_path / "model").encode(text) == tiny_models.tokenizer().encode(text)
    clip = json.loads((tmp_path / "model" / "preprocessor_config.json").read_text())
    assert clip["crop_size"] == {"height": 28, "width": 28}
    owl = tmp_path / "model" / "owlvit_preprocessor_config.json"
    assert owl.exists() == isinstance(model, VSM)


def test_the_configuration_names_class_prompt_style_and_preset(model, tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", model, tokenizer_folder)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["model_class"] == type(model).__name__
    assert config["prompt_style"] == "vicuna"
    assert config["preset"] is None
    assert read_config(tmp_path / "model") == model.config


def test_half_precision_files_load_as_they_are_told(tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", tiny_models.vqa_model(3).bfloat16(), tokenizer_folder)
    weight = "image_projector.weight"
    for told, found in ((None, torch.float32), (torch.bfloat16, torch.bfloat16)):
        assert load_model(tmp_path / "model", dtype=told).state_dict()[weight].dtype == found


def change(folder: Path, edit) -> None:
    state = load_file(folder / "model.safetensors")
    edit(state)
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def test_tensors_of_another_shape_are_named_with_both_shapes(saved):
    change(saved, lambda state: state.update({"image_projector.bias": torch.zeros(3)}))
    with pytest.raises(ValueError, match=r"image_projector.bias has shape \[3\].*\[32\]") as error:
        load_model(saved)
    assert "missing" not in str(error.value)


def test_missing_and_extra_tensors_are_named(saved):
    def edit(state):
        del state["llm.model.norm.weight"]
        state["llm.model.rms.weight"] = torch.zeros(2)

    change(saved, edit)
    with pytest.raises(
        ValueError, match=r"extra key llm.model.rms.weight.*missing key llm.model.n"
    ):
        load_model(saved)


def test_a_tensor_of_another_type_is_named(saved):
    change(saved, lambda state: state.update({"image_projector.bias": torch.zeros(32).int()}))
    with pytest.raises(ValueError, match=r"image_projector\.bias has type int32, the model a fl"):
        load_model(saved)


def test_what_does_not_fit_is_found_before_a_tensor_is_read(saved, monkeypatch):
    change(saved, lambda state: state.update({"extra": torch.zeros(3)}))
    monkeypatch.setattr(fill, "read_tensors", None)
    with pytest.raises(ValueError, match="extra key extra"):
        load_model(saved)


def test_a_truncated_file_is_a_clear_error(saved):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors: not a complete"):
        load_model(saved)


def test_a_missing_shard_is_named(tmp_path, tokenizer_folder):
    save_model(tmp_path / "model", tiny_models.vqa_model(), tokenizer_folder, max_shard_size="20KB")
    lost = sorted((tmp_path / "model").glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ValueError, match=lost.name):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.update(model_class="GPT"), "GPT.*VQAModel, VSM"),
        (lambda c: c["vision"].update(patch_size=15), "config.json: image_size=28.*patch_size=15"),
        (lambda c: c["llm"].update(width=15), "config.json:.*width"),
        (lambda c: c.update(detector={}), "config.json:.*detector"),
    ],
)
def test_a_wrong_configuration_is_named(saved, change, named):
    path = saved / "config.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=named):
        load_model(saved)


@pytest.mark.parametrize("content", ["{", "[]", "\x80"])
def test_a_configuration_that_is_no_object_is_named(saved, content):
    (saved / "config.json").write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=r"config\.json"):
        load_model(saved)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match="is not a model folder"):
        load_model(tmp_path)


def test_a_model_is_not_saved_without_its_tokenizer(tmp_path):
    with pytest.raises(ValueError, match=r"no tokenizer\.model"):
        save_model(tmp_path / "model", tiny_models.vqa_model(), tmp_path)
    assert not (tmp_path / "model").exists()


def test_adapters_must_be_merged_before_saving(tmp_path, tokenizer_folder):
    model = tiny_models.vqa_model()
    add_lora(model, LoraConfig(rank=1))
    with pytest.raises(ValueError, match="merge_lora"):
        save_model(tmp_path / "model", model, tokenizer_folder)


def test_saving_again_replaces_the_folder_whole(saved, tokenizer_folder):
    for name in ("model-00001-of-00002.safetensors", "training.json"):
        (saved / name).write_text("old")
    save_model(saved, tiny_models.vsm_model(4), tokenizer_folder)
    assert isinstance(load_model(saved), VSM)
    assert not (saved / "training.json").exists()
    assert not (saved / "model-00001-of-00002.safetensors").exists()
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_an_empty_folder_becomes_a_model_folder(tmp_path, tokenizer_folder):
    save_model(tmp_path, tiny_models.vsm_model(4), tokenizer_folder)
    assert isinstance(load_model(tmp_path), VSM)


def test_what_is_not_a_model_folder_is_never_replaced(saved, tokenizer_folder):
    def refused(folder: Path, found: str) -> None:
        before = sorted(folder.parent.rglob("*"))
        with pytest.raises(ValueError, match=rf"{folder} would be replaced, but it holds {found}"):
            save_model(folder, tiny_models.vqa_model(3), tokenizer_folder)
        assert sorted(folder.parent.rglob("*")) == before

    refused(saved.parent, "model, which")  # the folder of all models instead of one in it
    (saved / "notes.txt").write_text("mine")
    refused(saved, r"notes\.txt, which")
    (saved / "notes.txt").unlink()
    (saved / "config.json").write_text('{"model_class": "Llama"}')
    refused(saved, r"config\.json with model_class='Llama'")
    (saved / "config.json").unlink()
    refused(saved, r"README\.md, added_tokens\.json, model\.safetensors,")
    with pytest.raises(ValueError, match=r"model\.safetensors is a file"):
        save_model(saved / "model.safetensors", tiny_models.vqa_model(3), tokenizer_folder)


def test_a_disk_that_is_full_leaves_the_old_folder_and_says_so(saved, tokenizer_folder):
    """The limit on a file's size fails the same write that a full disk would."""
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"could not save the model to .*free some space"):
            save_model(saved, tiny_models.vqa_model(9), tokenizer_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_rename_that_fails_puts_the_old_folder_back(saved, tokenizer_folder, monkeypatch):
    rename, before = Path.rename, (saved / "model.safetensors").read_bytes()

    def fail(self, target):
        if self.name.endswith(".tmp"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="untouched"):
        save_model(saved, tiny_models.vqa_model(9), tokenizer_folder)
    assert (saved / "model.safetensors").read_bytes() == before


def test_a_save_killed_between_its_renames_tells_where_the_old_folder_is(saved):
    saved.rename(saved.with_name(".model.old"))
    with pytest.raises(ValueError, match=r"rename \S*\.model\.old"):
        load_model(saved)


def test_parameters_are_counted_by_part_and_by_what_trains():
    model = tiny_models.vqa_model()
    model.set_trainable("align_linear")
    rows = {name: (count, trained) for name, count, trained in parameter_table(model)}
    size = 16 * 32 + 32
    assert rows["image_projector"] == (size, size)
    assert rows["llm"][1] == rows["vision_tower"][1] == 0
    assert sum(count for count, _ in rows.values()) == sum(p.numel() for p in model.parameters())
