"""The texts of the page, its style and its script."""

from __future__ import annotations

import html
from collections.abc import Mapping

from seal.app.form import FIND
from seal.app.look import SCRIPT, STYLE
from seal.app.words import GLOSSARY

PLACE = '<p class="place">The picture will be here, and the search over it.</p>'
MINIATURE_NOTE = (
    "Started with the miniature, whose models know drawn scenes such as the examples, and nothing "
    "of photos: for those start seal app where there is a GPU, or name models with --vqa and --vsm."
)


def head(models: Mapping[str, str]) -> str:
    """The line at the top of the page."""
    named = " &middot; ".join(
        f"{html.escape(role)} <b>{html.escape(name)}</b>" for role, name in models.items()
    )
    return (
        '<div class="seal seal-head"><h1>Show, search and tell</h1>'
        "<p>Ask about a small thing in a large picture. If the model cannot see it, it searches "
        f"the picture, part by part, and you can watch.</p><p class=aside>{named}</p></div>"
    )


def glossary() -> str:
    """What the words mean, folded up."""
    rows = "".join(
        f"<dt>{html.escape(word)}</dt><dd>{html.escape(means)}</dd>"
        for word, means in GLOSSARY.items()
    )
    return (
        '<div class="seal"><details class="glossary"><summary>What the words mean</summary>'
        f"<dl>{rows}</dl></details></div>"
    )


def targets_label(mode: object) -> str:
    """Of the field of things to search for."""
    if mode == FIND:
        return "Things to find, one a line"
    return "Search for, one a line (empty: what the model says it lacks)"


def search_label(name: str, words: Mapping[str, str]) -> str:
    """Of a search in its list."""
    return f"{name}: {words[name]}" if name in words else name


PAGE_STYLE = (
    STYLE
    + """
.gradio-container{max-width:1320px!important;margin:0 auto!important}
footer{display:none!important}
.seal-head h1{font-size:1.55rem;margin:.2rem 0;font-weight:700;color:var(--ink)}
.seal-head p{max-width:46rem}
#seal-stage,#seal-stage .block,#seal-stage .html-container,#seal-stage .prose,
#seal-stage .form,#seal-stage>div{padding:0!important;margin:0;border:0;background:none;
min-height:0;gap:0!important;overflow:visible}
#seal-stage *:not(svg):not(svg *){position:static!important}
#seal-stage{position:relative!important;display:block!important;margin:0 auto!important;
gap:0!important;
border:1px solid var(--line)!important;background:var(--soft)!important;min-width:0!important}
#seal-stage .seal-over{position:absolute!important}
#seal-stage .place{padding:5rem 1rem;color:var(--faint);line-height:1.5;text-align:center;
}
#seal-upload .icon-wrap{display:none}
#seal-upload .wrap{flex-direction:row;flex-wrap:wrap;justify-content:center;gap:.1rem .4rem;
min-height:0;padding-top:1.6rem}
#seal-examples{height:auto!important;overflow:visible!important}
#seal-examples label,#seal-upload label{box-shadow:none}
#seal-examples .grid-wrap{height:auto!important;overflow:visible;padding:.5rem;max-height:none}
#seal-examples .grid-container{grid-template-columns:repeat(4,minmax(0,1fr))!important;
gap:.5rem;padding-top:1.7rem!important}
#seal-examples .caption-label{position:static;display:block;max-width:100%;border:0;margin:0;
background:none;white-space:normal;font-size:.75rem;line-height:1.2;padding:.2rem 0;color:inherit}
#seal-examples .thumbnail-item{aspect-ratio:auto;height:auto;border:0;box-shadow:none;
background:none;border-radius:0}
#seal-examples .thumbnail-item img{aspect-ratio:1;border-radius:6px}
#seal-stage:has(.place){width:100%!important}
#seal-view{min-width:min(320px,100%)!important}
#seal-over .wrap,#seal-picture .wrap,#seal-below .wrap,#seal-answer .wrap{display:none!important}
.seal .good{border-left-color:var(--found)}
.seal .glossary dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem}
.seal .glossary dt{font-weight:600}.seal .glossary dd{margin:0;color:var(--faint)}
@media(max-width:760px){.seal .glossary dl{grid-template-columns:1fr;gap:.1rem}
.seal .glossary dd{margin-bottom:.5rem}}
"""
)
PAGE_SCRIPT = f"<script>{SCRIPT}</script>"
