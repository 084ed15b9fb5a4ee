"""Try what `make dist` built: contents, metadata, and a clean installation outside the checkout.

python .ci/try_dist.py dist
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("conf", "train", "eval", "data_builders")  # in the wheel below seal/programs
NEEDED = (
    *("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "Makefile", "pyproject.toml"),
    *("seal/version.py", "seal/miniature/assets/vqa/model.safetensors", "tests/conftest.py"),
    *("conf/train_vsm.yaml", "train/vsm.py", "eval/benchmark.py", "data_builders/scenes.py"),
)
DRAW = """
from numpy.random import default_rng
from seal.miniature.world import make_scene
from seal.miniature.world_questions import attribute_question
scene = make_scene(0, 0)
scene.render().save("scene.png")
thing = next(thing for thing in scene.objects if thing.kind)
print(attribute_question(thing, default_rng(0)).text, thing.kind, sep="\\n")
"""


def main(folder: Path) -> None:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    for path in (sdist, wheel):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    check_sdist(sdist)
    check_metadata(wheel)
    with tempfile.TemporaryDirectory() as place:
        check_same_wheel(wheel, Path(place))
        try_installed(wheel, Path(place))
    print("the distributions are whole, and the wheel works where it is installed")


def check_sdist(sdist: Path) -> None:
    """All that is needed to build, test and cite; nothing that git does not know."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    if absent := [name for name in NEEDED if name not in names]:
        sys.exit(f"{sdist.name} lacks {', '.join(absent)}")
    tracked = set(_run(["git", "ls-files"], cwd=ROOT).split("\n"))
    if extra := sorted(names - tracked - {"PKG-INFO", ".gitignore"}):
        sys.exit(f"{sdist.name} holds what is not tracked: {', '.join(extra[:5])}")


def check_metadata(wheel: Path) -> None:
    """What an index refuses, or shows wrongly."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = email.message_from_bytes(archive.read(name))
    version = re.search(r'__version__ = "(.+)"', (ROOT / "seal/version.py").read_text())
    assert version is not None
    given = {key: told[key] for key in ("Name", "Version", "License-Expression", "Requires-Python")}
    wanted = {"Name": "seal", "Version": version[1], "License-Expression": "MIT"}
    if given | wanted != given or told["Description-Content-Type"] != "text/markdown":
        sys.exit(f"{wheel.name} is described wrongly: {given}")
    if f"## {version[1]} - " not in (ROOT / "CHANGELOG.md").read_text():
        sys.exit(f"CHANGELOG.md has no section of {version[1]}")
    if f"version: {version[1]}\n" not in (ROOT / "CITATION.cff").read_text():
        sys.exit(f"CITATION.cff is not of {version[1]}")
    if foreign := [n for n in names if not n.startswith(("seal/", "seal-"))]:
        sys.exit(f"{wheel.name} installs {foreign[0]} beside the package")
    tracked = _run(["git", "ls-files", "seal", *PROGRAMS], cwd=ROOT).split()
    for path in (path for path in tracked if not path.startswith("seal/docs/")):
        inside = f"seal/programs/{path}" if path.startswith(PROGRAMS) else path
        if inside not in names:
            sys.exit(f"{wheel.name} lacks {inside}")


def check_same_wheel(wheel: Path, place: Path) -> None:
    """The wheel, which is built from the sdist, is the one that the checkout makes."""
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(place), str(ROOT)])
    contents = []
    for path in (wheel, place / wheel.name):
        with zipfile.ZipFile(path) as archive:
            contents.append({item.filename: item.CRC for item in archive.infolist()})
    if contents[0] != contents[1]:
        differing = sorted({name for name, _ in contents[0].items() ^ contents[1].items()})
        sys.exit(f"the checkout makes another wheel than the sdist: {', '.join(differing[:5])}")


def try_installed(wheel: Path, place: Path) -> None:
    """A fresh environment with nothing but the wheel and what it requires."""
    venv.create(place / "venv", with_pip=True)
    python, seal = (str(place / "venv" / "bin" / name) for name in ("python", "seal"))
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", str(wheel.resolve())])
    _run([*pip, "check"])
    work = place / "elsewhere"
    work.mkdir()
    question, thing = _run([python, "-c", DRAW], cwd=work).strip().split("\n")
    for command in (
        [seal, "--version"],
        [seal, "doctor"],
        [seal, "train/vsm", "--help"],
        [seal, "eval/tasks"],
        [seal, "ask", "scene.png", question, "--miniature"],
        [seal, "locate", "scene.png", thing, "--miniature", "--save-path", "found"],
    ):
        told = _run(command, cwd=work, accepted=(0, 3) if command[1] == "locate" else (0,))
        print(f"$ {' '.join(['seal', *command[1:]])}\n{_shortened(told)}")
    if not list((work / "found").glob("*.png")):
        sys.exit("seal locate --save-path wrote no picture")


def _run(command: list[str], *, cwd: Path | None = None, accepted: tuple[int, ...] = (0,)) -> str:
    """What a command prints; without the checkout's own settings."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=1200
    )
    if done.returncode not in accepted:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _shortened(text: str, most: int = 6) -> str:
    lines = text.rstrip().split("\n")
    more = [f"... {len(lines) - most} lines more"] if len(lines) > most else []
    return "\n".join(f"  {line}" for line in [*lines[:most], *more])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
