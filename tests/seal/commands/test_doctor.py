"""The doctor says what is installed and which models fit."""

from __future__ import annotations

import re

import pytest

from seal.cli import main
from seal.commands import doctor_advice
from seal.commands.doctor_advice import missing_packages, next_steps, surroundings


def test_doctor_lists_versions_and_memory_that_falls_with_precision(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  torch +\d", text, re.M)
    (line,) = [line for line in text.splitlines() if line.startswith("  7b")]
    bf16, int8, nf4 = (float(x) for x in re.findall(r"(\d+\.\d\d) (?:yes|no)", line))
    assert 24 < bf16 < 32  # what two 7B models in half precision are known to need
    assert nf4 < int8 < 24
    (line,) = [line for line in text.splitlines() if line.startswith("  avg_7b")]
    alone, *_ = (float(x) for x in re.findall(r"(\d+\.\d\d) (?:yes|no)", line))
    assert 13.5 < alone < 24  # 7.2 billion parameters, and 2,976 positions for a picture
    assert text.partition("\nnext:\n")[2].startswith("  seal ask ")


@pytest.mark.parametrize(
    ("room", "flags"),
    [(80, '?"    #'), (24, "--quantization int8    #"), (16, "--quantization nf4    #")],
)
def test_the_line_for_a_gpu_has_the_precision_that_fits(room, flags):
    needs = {"bf16": 29.1, "int8": 17.0, "nf4": 11.2}
    first = next(iter(next_steps(needs, room)))
    assert first.startswith("seal ask PHOTO.jpg ") and flags in first
    assert "--offload auto" in next(iter(next_steps(needs, 8)))


def test_the_next_step_follows_from_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_advice, "missing_packages", lambda: {"app": ["gradio"]})
    first, *_, app, demo = next_steps({}, 16)
    assert "--miniature" in first and "[app]'" in app and demo.startswith("seal demo ")
    for name in ("report.html", "metrics.json"):
        (tmp_path / "runs/demo").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs/demo" / name).write_text("")
    assert "--vqa runs/demo/vqa" in list(next_steps({}, 16))[-1]


def test_what_is_missing_has_its_pip_line_and_no_secret_is_shown(tmp_path, monkeypatch):
    def version(name):
        raise doctor_advice.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor_advice.importlib.metadata, "version", version)
    if not missing_packages():
        pytest.skip("seal is not installed")
    monkeypatch.setenv("SEAL_API_KEY", "hush")
    monkeypatch.setenv("SEAL_CACHE", "/some/where")
    monkeypatch.setattr(doctor_advice, "hub_cache", lambda: tmp_path)
    (tmp_path / "models--craigwu--seal_vqa_7b/snapshots/abc").mkdir(parents=True)
    (tmp_path / "models--craigwu--seal_vqa_7b/snapshots/abc/a.safetensors").write_text("")
    said = "\n".join(surroundings())
    assert "needs gradio: pip install " in said and "[ocr]'" in said
    assert "SEAL_API_KEY=(set)" in said and "SEAL_CACHE=/some/where" in said and "hush" not in said
    assert "seal_vqa_7b: downloaded" in said and "seal_vsm_7b: not downloaded" in said
