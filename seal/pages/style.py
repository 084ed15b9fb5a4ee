"""How every page looks: light and dark, at a desk, on a phone, and on paper."""

from __future__ import annotations

from seal.pages.colors import DARK_INKS, INKS


def _inks(values: tuple[str, ...]) -> str:
    return "".join(f"--c{place}:{value};" for place, value in enumerate(values))


# Printed pages are light whatever the screen is. Pictures drawn by `seal.pages.svg` take their
# colors from the same names.
STYLE = (
    ":root{color-scheme:light dark;--paper:#fcfcfb;--ink:#1c2024;--soft:#5f646a;--line:#e2e2de;"
    "--rule:#b3b3ad;--card:#f3f3ef;--mark:#bde5b8;--link:#1d55c4;--good:#15803d;--bad:#b4360c;"
    + _inks(INKS)
    + "}\n@media screen and (prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#e7e8ea;"
    "--soft:#a5abb2;--line:#2d3238;--rule:#59606a;--card:#1d2126;--mark:#1e5c38;--link:#8ab4ff;"
    "--good:#56d38a;--bad:#ff9a6b;"
    + _inks(DARK_INKS)
    + "}}\n"
    + """
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{font:15px/1.55 system-ui,sans-serif;margin:0;color:var(--ink);background:var(--paper)}
main{max-width:1120px;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.8rem;line-height:1.2;margin:0 0 .4rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.8rem 0 .6rem}
h3{font-size:1.05rem;margin:1.8rem 0 .4rem}
p{margin:.6rem 0;max-width:76ch;overflow-wrap:anywhere}a{color:var(--link)}
.lead{font-size:1.15rem;line-height:1.5}.lead b{white-space:nowrap}
small,caption,figcaption,.note,i{color:var(--soft)}.note{font-size:.93em}
nav{margin:1rem 0;font-size:.93em;color:var(--soft)}nav a{margin-right:1.1rem;white-space:nowrap}
.scroll,figure{overflow-x:auto}
table{border-collapse:collapse;margin:.8rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .9rem;text-align:right;border-bottom:1px solid var(--line)}
th{font-weight:600;border-bottom:2px solid var(--rule);vertical-align:bottom}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
tbody th{border-bottom:1px solid var(--line);font-weight:400}
caption{text-align:left;padding:.3rem 0}.facts td,.facts th{text-align:left;overflow-wrap:anywhere}
.tight{font-size:12.5px}.tight th,.tight td{padding:.25rem .5rem}.tight td{white-space:nowrap}
.many.tight{font-size:11.5px}.many.tight th,.many.tight td{padding:.25rem .3rem;white-space:normal}
.many th:first-child{min-width:8rem}
figure{margin:1.2rem 0}figcaption{margin-top:.35rem;overflow-wrap:anywhere;max-width:76ch}
img{max-width:100%;height:auto;border:1px solid var(--line);border-radius:5px;background:#fff}
svg{max-width:100%;height:auto;display:block}
.sheet{display:flex;flex-wrap:wrap;gap:1.2rem;margin:1rem 0}
.sheet figure{margin:0;flex:1 1 300px;max-width:345px;font-size:13px}
.wide.sheet figure{flex:1 1 440px;max-width:100%}
.pictures{display:flex;flex-wrap:wrap;gap:.5rem}.pictures img{width:224px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,310px),1fr));gap:1rem;
margin:1rem 0}
.card{background:var(--card);border-radius:8px;padding:1rem;min-width:0}
.card>:first-child{margin-top:0}.card>:last-child{margin-bottom:0}
.card th:first-child,.card td:first-child{background:var(--card)}
.good{color:var(--good)}.bad{color:var(--bad)}
code{background:var(--card);padding:.1rem .3rem;border-radius:3px;overflow-wrap:anywhere}
mark{background:var(--mark);color:inherit}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border-top:1px solid var(--line);padding-top:.6rem;
font:inherit}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--link)}
progress{width:7rem;vertical-align:middle}
@media (max-width:640px){main{padding:1.2rem 1rem 3rem}h1{font-size:1.5rem}
h2{font-size:1.2rem;margin-top:2.2rem}.lead{font-size:1.05rem}th,td{padding:.28rem .55rem}
.sheet figure,.wide.sheet figure{flex-basis:100%;max-width:100%}nav a{display:inline-block}
th:first-child,td:first-child{max-width:44vw}.many th:first-child{min-width:6rem}}
@media print{main{max-width:none;padding:0}nav{display:none}body{font-size:10.5pt}
figure,.card,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll,figure{overflow:visible}}
"""
)
