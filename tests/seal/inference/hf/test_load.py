"""What cannot be loaded says why, and the way out, in a line; what can is told in full."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub.constants as hub
import pytest
import torch
from hub_server import COMMIT, serve_hub
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_families import FAMILIES, folder, missing

import seal.inference.hf.load as loading
from seal.geometry import Box
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.hf.encode import encode, prompt_text, user
from seal.inference.hf.load import load_hf
from seal.inference.hf.memory import kept_whole, text_blocks
from seal.inference.hf.needs import needs_by_precision
from seal.working_memory import VisualWorkingMemory

QUESTION = VisualWorkingMemory("Is it red?", Image.new("RGB", (90, 60), (200, 30, 30)))
RUNS = "raise SystemError('code of a model folder was run')\n"


def loaded(name="llava", **options):
    return load_hf(folder(name), device="cpu", **options)


def copied(into: Path, name: str = "llava") -> Path:
    return Path(shutil.copytree(folder(name), into / name))


def changed(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refusal(*arguments, **options) -> str:
    with pytest.raises(ValueError) as raised:
        load_hf(*arguments, **options)
    said = str(raised.value)
    assert "\n" not in said
    return said


def test_a_model_of_another_kind_is_named_with_what_is_wanted(tmp_path):
    text = copied(tmp_path)
    for kind in ("bert", "llama"):
        (text / "config.json").write_text(json.dumps({"model_type": kind}))
        said = refusal(text)
        assert f"is a {kind} model" in said and "AutoModelForImageTextToText" in said
    (text / "config.json").write_text(json.dumps({"model_class": "VQAModel"}))
    assert "its config.json cannot be used: Unrecognized model" in refusal(text)
    (text / "config.json").write_text("{")
    assert "is not a valid JSON file" in refusal(text)
    (text / "config.json").unlink()
    assert "has no config.json" in refusal(text)
    changed(copied(tmp_path / "blip") / "config.json", model_type="blip")
    assert "(blip) cannot be asked: it turns a picture" in refusal(tmp_path / "blip" / "llava")


def test_a_processor_without_chat_template_can_be_given_one(tmp_path):
    mute = copied(tmp_path)
    template = (mute / "chat_template.jinja").read_text()
    (mute / "chat_template.jinja").unlink()
    assert "has no chat template" in refusal(mute)
    hf = load_hf(mute, device="cpu", chat_template=template)
    conversation = user([{"type": "text", "text": "Is it red?"}])
    ids = encode(hf, [conversation]).inputs["input_ids"]
    assert ids.tolist() == encode(loaded(), [conversation]).inputs["input_ids"].tolist()


@pytest.mark.parametrize(
    "lost", ["tokenizer.json", "tokenizer.json tokenizer_config.json", "preprocessor_config.json"]
)
def test_a_folder_without_a_part_of_its_processor_says_so(tmp_path, lost):
    part = copied(tmp_path)
    for name in lost.split():
        (part / name).unlink()
    assert "the folder lacks tokenizer or processor files" in refusal(part)


def test_code_in_a_folder_is_not_run_unless_trusted(tmp_path):
    mine = copied(tmp_path)
    (mine / "mine.py").write_text(RUNS)
    auto = {"AutoConfig": "mine.Config", "AutoModelForImageTextToText": "mine.Model"}
    changed(mine / "config.json", model_type="mine", auto_map=auto)
    assert "say trust_remote_code=True" in refusal(mine)
    with pytest.raises(SystemError, match="was run"):
        load_hf(mine, trust_remote_code=True)
    # Code that nobody asks for is left alone.
    known = copied(tmp_path / "known")
    (known / "mine.py").write_text(RUNS)
    changed(known / "config.json", auto_map=auto)
    changed(known / "processor_config.json", auto_map={"AutoProcessor": "mine.Processor"})
    assert load_hf(known, device="cpu").settings()["trust_remote_code"] is False


def test_pickled_weights_are_refused_unread(tmp_path):
    pickled = copied(tmp_path)
    (pickled / "model.safetensors").unlink()
    assert "holds no weights (*.safetensors)" in refusal(pickled)
    (pickled / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert "pickled ones (.bin) can run any code" in refusal(pickled)


def test_weights_that_are_cut_short_missing_or_another_models_are_refused(tmp_path):
    part = copied(tmp_path)
    weights = part / "model.safetensors"
    content = weights.read_bytes()
    whole = {key: value.clone() for key, value in load_file(weights).items()}  # the file goes
    weights.write_bytes(content[: len(content) // 2])
    assert "its weights cannot be loaded" in refusal(part)
    kept = {key: value for key, value in whole.items() if "layers.1.mlp" not in key}
    save_file(kept, weights, {"format": "pt"})
    said = refusal(part)
    assert f"{len(whole) - len(kept)} of the model's weights are in none of its files" in said
    save_file({k: v.repeat(2, *[1] * (v.dim() - 1)) for k, v in whole.items()}, weights)
    assert "its weights cannot be loaded" in refusal(part)


def test_settings_that_cannot_be_kept_are_refused(tmp_path):
    llava, qwen = folder("llava"), folder("qwen2_5_vl")
    assert "dtype='int8' is none of float32, bfloat16" in refusal(llava, dtype="int8")
    assert "quantization='int2'; known: int8, nf4" in refusal(llava, quantization="int2")
    assert "device=cuda:97" in refusal(llava, device="cuda:97")
    assert "sideways" in refusal(llava, device_map="sideways")
    assert "so min_pixels=4 cannot be kept" in refusal(llava, min_pixels=4)
    assert "max_pixels=0 is not a positive" in refusal(qwen, max_pixels=0)
    assert "min_pixels=3136 is more than max_pixels=100" in refusal(qwen, max_pixels=100)
    assert "no such model folder (a hub id looks like owner/name)" in refusal(tmp_path / "none")


@pytest.fixture
def hub_here(tmp_path, monkeypatch):
    """A hub on loopback that holds the tiny LLaVA, and nothing cached."""
    shutil.copytree(folder("llava"), tmp_path / "hub" / "owner" / "llava")
    with serve_hub(tmp_path / "hub") as (address, asked):
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(hub, "ENDPOINT", address)
        monkeypatch.setattr(hub, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "HF_HUB_DISABLE_XET", True)
        yield asked


def test_a_model_comes_from_the_hub_with_its_commit_and_is_then_here_offline(hub_here, monkeypatch):
    here = load_hf("owner/llava", device="cpu")
    assert here.settings()["revision"] == COMMIT
    fetched = {path.rsplit("/", 1)[1] for path in hub_here if path.startswith("GET /owner")}
    assert "model.safetensors" in fetched and not any(f.endswith(".py") for f in fetched)
    for weight, other in zip(here.model.parameters(), loaded().model.parameters(), strict=True):
        assert torch.equal(weight, other)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    asked = len(hub_here)
    again = load_hf("owner/llava", device="cpu")
    assert len(hub_here) == asked and again.settings() == here.settings()
    said = refusal("owner/none")
    assert "owner/none: neither a model folder here nor to be had from the hub" in said


def test_a_missing_or_gated_repository_says_what_to_do(hub_here):
    said = refusal("owner/none")
    assert "owner/none: neither a model folder here nor to be had from the hub" in said
    said = refusal("gated/model")
    assert "gated/model is gated or private: accept its terms" in said and "hf auth login" in said


@pytest.mark.parametrize("name", FAMILIES)
def test_the_memory_that_is_told_is_what_the_weights_take(name):
    if reason := missing(name):
        pytest.skip(reason)
    told: list[str] = []
    hf = loaded(name, tell=told.append)
    assert told[0] == "expected memory (float32), MiB:"
    weights = sum(float(line.split()[-1]) for line in told[1:3])
    assert weights == pytest.approx(sum(p.nbytes for p in hf.model.parameters()) / 2**20, abs=0.02)
    blocks, kept = text_blocks(hf.model), kept_whole(hf.model)
    assert len(blocks) == 2
    for key, module in hf.model.named_modules():
        if isinstance(module, torch.nn.Linear):
            named = any(key == part or key.startswith(f"{part}.") for part in kept)
            assert named is not any(module is inside for inside in blocks.modules()), key


def test_what_a_model_takes_is_known_without_its_weights(tmp_path):
    empty = copied(tmp_path)
    (empty / "model.safetensors").unlink()
    needs = [need.weights for need in needs_by_precision(empty).values()]
    whole = sum(p.numel() for p in loaded().model.parameters()) * 2
    assert needs[0] == whole > max(needs[1:])  # nf4 has tables, which outweigh blocks this small


def test_what_does_not_fit_is_refused_before_weights_are_read(monkeypatch):
    monkeypatch.setattr(loading, "free_bytes", lambda device: 150_000)
    said = refusal(folder("llava"), device="cpu")
    assert "GiB are free on cpu: use" in said and "dtype=bfloat16" in said
    assert 'device_map="auto"' in said


@pytest.mark.parametrize(
    ("name", "quantization"), [("llava", "int8"), ("llava", "nf4"), ("instructblip", "nf4")]
)
def test_only_the_language_models_blocks_are_packed_and_answers_stay_near(name, quantization):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    exact = HFAnswerModel(loaded(name))
    packed = HFAnswerModel(loaded(name, quantization=quantization))
    kinds = {
        key: type(module).__module__.startswith("bitsandbytes")
        for key, module in packed.hf.model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    inside = {key for key in kinds if "language_model" in key and ".layers." in key}
    assert {key for key, is_packed in kinds.items() if is_packed} == inside and inside
    for key in inside:  # the same numbers, unpacked
        weight = packed.hf.model.get_submodule(key).weight
        if quantization == "nf4":
            unpacked = bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state)
        else:
            unpacked = weight.CB * weight.SCB[:, None] / 127
        exact.hf.model.get_submodule(key).weight.data = unpacked.float()
    request = [(QUESTION, ["red", "a boat", "blue water"])]
    # 8-bit layers round what flows through them too.
    near = 1e-3 if quantization == "nf4" else 0.3
    assert packed.loglikelihood(request)[0] == pytest.approx(
        exact.loglikelihood(request)[0], abs=near
    )
    assert packed.settings()["quantization"] == quantization


def test_a_device_map_gives_the_same_answers():
    mapped = HFAnswerModel(loaded(device_map={"": "cpu"}))
    plain = HFAnswerModel(loaded())
    request = [(QUESTION, ["red", "a boat"])]
    assert mapped.loglikelihood(request) == plain.loglikelihood(request)


def test_the_pixel_budget_is_kept_and_stands_in_the_settings():
    photo = Image.new("RGB", (600, 400), (9, 90, 9))
    shown = user([{"type": "image", "image": photo}, {"type": "text", "text": "What?"}])
    for most in (16 * 28 * 28, 64 * 28 * 28):
        hf = loaded("qwen2_5_vl", max_pixels=most)
        pixels = encode(hf, [shown]).num_pixels
        assert most / 2 < pixels <= most
        assert hf.settings()["max_pixels"] == most and hf.settings()["min_pixels"] == 3136
        assert "longest_edge: 12544" in hf.settings()["processor_size"]  # as it came
    hf = loaded("qwen2_5_vl", min_pixels=100 * 28 * 28, max_pixels=200 * 28 * 28)
    small = user([{"type": "image", "image": photo.crop(Box(0, 0, 60, 60).as_ints())}])
    assert 100 * 28 * 28 <= encode(hf, [small]).num_pixels <= 200 * 28 * 28


def test_a_picture_beyond_the_budget_of_a_model_that_cannot_shrink_is_refused():
    photo = Image.new("RGB", (600, 400))
    shown = user([{"type": "image", "image": photo}, {"type": "text", "text": "What?"}])
    assert encode(loaded(max_pixels=28 * 28), [shown]).num_pixels == 28 * 28
    with pytest.raises(ValueError) as raised:
        encode(loaded("llava_next", max_pixels=28 * 28), [shown])
    said = str(raised.value)
    assert "pictures (600x400), more than max_pixels=784 for each" in said
    assert "llava_next cannot show them smaller: raise max_pixels" in said and "\n" not in said


def test_a_damaged_chat_template_is_named(tmp_path):
    damaged = copied(tmp_path)
    (damaged / "chat_template.jinja").write_text("{% for")
    with pytest.raises(ValueError, match="llava: its chat template cannot be used") as raised:
        prompt_text(load_hf(damaged, device="cpu"), user([{"type": "text", "text": "Is it?"}]))
    assert "\n" not in str(raised.value)


def test_a_picture_that_a_processor_refuses_is_told_by_its_size():
    qwen = load_hf(folder("qwen3_vl"), device="cpu")
    long = Image.new("RGB", (5000, 20))
    with pytest.raises(ValueError, match=r"picture \(5000x20\).*cut or pad"):
        encode(qwen, [user([{"type": "image", "image": long}])])
