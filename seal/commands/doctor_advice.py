"""What `seal doctor` says of the surroundings, and which commands it offers next."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from seal.commands.model_options import RELEASED_VQA, RELEASED_VSM

FITS = 0.95  # of the memory: the rest is for what cannot be foretold
DEMO = Path("runs/demo")
_EXTRAS = {
    "app": "the page of `seal app`",
    "serve": "the server of `seal serve`",
    "mcp": "the tools for agents of `seal mcp`",
    "ocr": "a guide that reads print, guide=ocr",
    "spacy": "a better reader of noun phrases",
    "kernels": "fused kernels for training on CUDA",
    "tensorboard": "train.tensorboard=true",
    "sweep": "sweeps as Slurm jobs",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SCRIPTS = {"Latin": "a", "Greek": "\u03b1", "Arabic": "\u0628", "Chinese": "\u6c34"}
_VARIABLES = ("SEAL_", "HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES")


def surroundings() -> Iterator[str]:
    """Extras, disk, weights, fonts, browser and settings, in lines."""
    yield "extras:"
    for extra, missing in missing_packages().items():
        told = _EXTRAS[extra]
        way = f"needs {', '.join(missing)}: {_install(extra)}" if missing else "installed"
        yield f"  {extra:<12} {told}: {way}"
    yield f"disk: {_free(Path.cwd())} free here, {_free(hub_cache())} in the hub's {hub_cache()}"
    for name in (RELEASED_VQA, RELEASED_VSM):
        yield f"  {name}: {'downloaded' if is_downloaded(name) else 'not downloaded'}"
    lacking = scripts_without_font()
    yield "fonts: " + (
        f"none for {', '.join(lacking)} in pictures (apt-get install fonts-noto fonts-noto-cjk)"
        if lacking
        else f"{', '.join(_SCRIPTS)}"
    )
    browser = next((name for name in _BROWSERS if shutil.which(name)), None)
    yield f"browser for tests of pages: {browser or 'none (make browser)'}"
    settings = [
        f"{name}={'(set)' if _secret(name) else value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(_VARIABLES)
    ]
    yield f"settings: {' '.join(settings) or 'none'}"


def next_steps(needs: Mapping[str, float], room: float) -> Iterator[str]:
    """Commands, each with what it is for.

    Args:
        needs: GiB of the released pair by precision, the best first; {}: there is no GPU.
        room: GiB of the largest GPU.
    """
    question = 'seal ask PHOTO.jpg "What color is the mug?"'
    fitting = next((name for name, need in needs.items() if need < room * FITS), None)
    if needs and fitting is not None:
        flags = "" if fitting == "bf16" else f" --quantization {fitting}"
        absent = [name for name in (RELEASED_VQA, RELEASED_VSM) if not is_downloaded(name)]
        first = f"the released 7B pair, in {fitting}"
        yield f"{question}{flags}    # {first}{', downloaded first' if absent else ''}"
    elif needs:
        yield f"{question} --quantization nf4 --offload auto    # 7B on this GPU: slow"
    else:
        yield (
            "seal ask SCENE.png QUESTION --miniature    # without a GPU: the small models that "
            "ship, for drawn scenes"
        )
        yield f"{question} --vqa http://HOST:PORT/v1#MODEL --search none    # or a server's model"
    missing = missing_packages()
    if missing.get("app"):
        yield f"{_install('app')}    # then `seal app`, a page to search with"
    else:
        yield "seal app    # a page to search with"
    if (DEMO / "report.html").is_file() and (DEMO / "metrics.json").is_file():
        yield f"open {DEMO / 'report.html'}    # of the demo, which is finished"
        yield f"{question} --vqa {DEMO / 'vqa'} --vsm {DEMO / 'vsm'}    # the models it trained"
    else:
        begun = "goes on with the demo" if DEMO.is_dir() else "train and evaluate the whole system"
        yield f"seal demo    # {begun}, 12 minutes on 2 cores"


def missing_packages() -> dict[str, list[str]]:
    """Of each extra, the packages that are not installed."""
    found: dict[str, list[str]] = {extra: [] for extra in _EXTRAS}
    try:
        wanted = importlib.metadata.requires("seal") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
        return {}
    for line in wanted:
        needs, _, condition = line.partition(";")
        extra = re.search(r"""extra == ["'](\w+)["']""", condition)
        name = re.match(r"[\w.-]+", needs.strip())
        if extra is None or name is None or extra[1] not in found:
            continue
        try:
            importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            found[extra[1]].append(name[0])
    return found


def hub_cache() -> Path:
    """The folder that hub ids are downloaded to."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def is_downloaded(name: str) -> bool:
    """Whether weights of this hub id are in its cache."""
    folder = hub_cache() / f"models--{name.replace('/', '--')}" / "snapshots"
    return any(path.suffix in (".safetensors", ".bin") for path in folder.rglob("*"))


def scripts_without_font() -> list[str]:
    """Scripts whose letters pictures cannot show."""
    from seal.images.fonts import face_of

    return [name for name, letter in _SCRIPTS.items() if face_of(letter) is None]


def _install(extra: str) -> str:
    checkout = (Path(__file__).resolve().parents[2] / "pyproject.toml").is_file()
    return f"pip install {'-e ' if checkout else ''}'{'.' if checkout else 'seal'}[{extra}]'"


def _secret(name: str) -> bool:
    return any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD"))


def _free(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 2**30:.0f} GiB"
