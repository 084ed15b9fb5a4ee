"""What mkdocs calls while it builds: it fills in generated parts and adds the pictures."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from seal.docs.generated import filled

PICTURES = Path(__file__).resolve().parent / "pictures"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    # README shows them too: they lie beside the pages, not among them.
    for path in sorted(PICTURES.glob("*.png")):
        files.append(File.generated(config, f"pictures/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return filled(markdown)
