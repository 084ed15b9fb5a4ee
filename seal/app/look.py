"""How searches look and move, in the page and in saved sessions: one style sheet, one script."""

from __future__ import annotations

_LIGHT = (
    "--ink:#1c2024;--faint:#5f6368;--paper:#fff;--line:#dcdcd6;--soft:#f3f3ef;"
    "--go:#2457c5;--found:#15803d;--doubt:#b45309;--bad:#b3261e;--bar:#b7c9f2;color-scheme:light"
)
_DARK = (
    "--ink:#e9eaec;--faint:#a3a7ad;--paper:#1b1d21;--line:#3a3d43;--soft:#25282d;"
    "--go:#8ab0ff;--found:#4ade80;--doubt:#fbbf24;--bad:#ff8a80;--bar:#3b5694;color-scheme:dark"
)

# Classes of ours alone: the style of the page around is not touched.
STYLE = (
    f"""
.seal{{{_LIGHT}}}
@media(prefers-color-scheme:dark){{.seal{{{_DARK}}}}}
body:not(.dark) .gradio-container .seal{{{_LIGHT}}}
body.dark .gradio-container .seal{{{_DARK}}}
"""
    + """
.seal{color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
.seal *{box-sizing:border-box}
.seal p{margin:.35rem 0;color:var(--ink);max-width:none}
.seal-stage{position:relative;display:block;line-height:0;background:var(--soft);
border-radius:8px;overflow:hidden;border:1px solid var(--line);max-height:78vh;width:fit-content;
max-width:100%;margin:0 auto}
.seal-stage img{display:block;max-width:100%;max-height:78vh;width:auto;height:auto;border:0;
border-radius:0;margin:0}
.seal-over{position:absolute;inset:0;width:100%;height:100%}
.seal-over .walk,.seal-over .step,.seal-over .trail,.seal-over .verdict{display:none}
.seal-over .on{display:inline}
.seal-over rect{fill:none;vector-effect:non-scaling-stroke}
.seal-over .dim{fill:#0b0d12;opacity:.62}
.seal-over .trail{stroke-width:1.5px;opacity:.8}
.seal-over .here{stroke:#fff;stroke-width:2.5px}
.seal-over .part{stroke:#fff;stroke-width:1px;stroke-dasharray:3 4;opacity:.75}
.seal-over .guess{stroke:#fbbf24;stroke-width:1.5px}
.seal-over rect.next{stroke:#7dd3fc;stroke-width:2px;stroke-dasharray:7 5}
.seal-over rect.found,.seal-over circle.found{stroke:#22c55e;stroke-width:2.5px}
.seal-over rect.doubt{stroke:#f59e0b;stroke-width:2.5px;stroke-dasharray:6 4}
.seal-over circle.doubt{stroke:#f59e0b}
.seal-over .ring{fill:none;vector-effect:non-scaling-stroke;stroke-width:2px;opacity:.9;
stroke-dasharray:none;r:calc(24px*var(--k))}
.seal-over text{font:600 calc(13px*var(--k))/1 system-ui,sans-serif;fill:#fff;stroke:#0b0d12;
stroke-width:calc(3.5px*var(--k));paint-order:stroke;stroke-linejoin:round;stroke-dasharray:none}
.seal-over text.share{text-anchor:middle;dominant-baseline:middle;font-weight:500;opacity:.9}
.seal-over text.found{fill:#86efac}.seal-over text.doubt{fill:#fcd34d}
.seal-over text.next{fill:#bae6fd}
.seal-controls{margin:.6rem 0}
.seal-controls .walk{display:none}.seal-controls .walk.on{display:block}
.seal-controls .says{list-style:none;margin:.5rem 0;padding:0;min-height:3.1em}
.seal-controls .says li{display:none;margin:0;padding:0}.seal-controls .says li.on{display:block}
.seal-controls .verdicts{margin:.5rem 0;padding-left:1.2rem;list-style:disc}
.seal .moves{display:flex;gap:.5rem;align-items:center}
.seal .moves input{flex:1;min-width:3rem;accent-color:var(--go);height:28px}
.seal button{font:inherit;color:var(--ink);background:var(--soft);border:1px solid var(--line);
border-radius:6px;padding:.3rem .7rem;min-height:36px;min-width:36px;cursor:pointer}
.seal button:hover{border-color:var(--go)}
.seal button:focus-visible,.seal input:focus-visible,.seal .seal-tree:focus-visible{
outline:2px solid var(--go);outline-offset:1px}
.seal .tabs{display:flex;flex-wrap:wrap;gap:.4rem;margin:0 0 .6rem}
.seal .tab.on{background:var(--go);border-color:var(--go);color:var(--paper)}
.seal-tree{overflow-x:auto;padding:.3rem 0;width:0;min-width:100%}
.seal-tree svg{display:block;max-width:none;height:auto}
.seal-tree .lines path{fill:none;stroke:var(--line);stroke-width:1.5px}
.seal-tree .dot{cursor:pointer}
.seal-tree text{font:600 8.5px system-ui,sans-serif;fill:#fff;text-anchor:middle;
dominant-baseline:central;pointer-events:none}
.seal-tree .found circle{stroke:var(--found);stroke-width:3px}
.seal-tree .on circle{stroke:var(--ink);stroke-width:2.5px}
.seal-card{border:1px solid var(--line);border-radius:8px;background:var(--paper);
padding:.8rem 1rem;margin:.6rem 0}
.seal-card .answer{font-size:1.2rem;font-weight:600;margin:.1rem 0 .5rem;overflow-wrap:anywhere}
.seal-card.bad{border-color:var(--bad)}
.seal p.aside{color:var(--faint);font-size:.93rem;overflow-wrap:anywhere}
.seal .options{list-style:none;margin:.3rem 0 .7rem;padding:0}
.seal .option{display:grid;grid-template-columns:minmax(0,1.6fr) minmax(3rem,1fr) 3rem;gap:.6rem;
align-items:center;padding:.15rem 0;margin:0}
.seal .option span:first-child{overflow-wrap:anywhere}
.seal .option b{text-align:right;font-weight:500;color:var(--faint)}
.seal .option .bar{height:.8rem;background:var(--soft);border-radius:3px;overflow:hidden}
.seal .option .bar i{display:block;height:100%;background:var(--bar)}
.seal .option.chosen{font-weight:600}.seal .option.chosen .bar i{background:var(--found)}
.seal .crops{display:flex;flex-wrap:wrap;gap:.8rem}
.seal .crops figure{margin:0;width:120px;font-size:.82rem;line-height:1.35}
.seal .crops img{width:120px;height:120px;object-fit:contain;background:var(--soft);
border:1px solid var(--line);border-radius:6px;image-rendering:auto;display:block}
.seal .crops figcaption{color:var(--faint);margin-top:.25rem;overflow-wrap:anywhere}
.seal .crops b{color:var(--ink)}
.seal .message{border-left:4px solid var(--bad);background:var(--soft);padding:.5rem .8rem;
border-radius:4px;overflow-wrap:anywhere}
.seal .note{border-left-color:var(--doubt)}
.seal .working{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.5em;
border:2px solid var(--line);border-top-color:var(--go);animation:seal-turn .8s linear infinite;
vertical-align:-.05em}
@keyframes seal-turn{to{transform:rotate(1turn)}}
@media(prefers-reduced-motion:reduce){.seal .working{animation:none}}
"""
)

# The steps of a search are shown by their numbers; `.seal-view` holds a picture and its controls.
SCRIPT = """
(function(){
"use strict";
function all(root,what){return Array.prototype.slice.call(root.querySelectorAll(what))}
function view(of){return of.closest(".seal-view")||document}
function scale(){all(document,".seal-over").forEach(function(over){
 var across=over.clientWidth;
 if(across)over.style.setProperty("--k",over.viewBox.baseVal.width/across)})}
function step(root,walk,number){
 all(root,'.seal-over .walk[data-walk="'+walk+'"]').forEach(function(of){
  var last=+root.querySelector('.seal-controls .walk[data-walk="'+walk+'"]').dataset.count+1;
  all(of,".step,.verdict").forEach(function(part){
   part.classList.toggle("on",+part.dataset.step===number)});
  all(of,".trail").forEach(function(part){
   part.classList.toggle("on",+part.dataset.step<number&&(number<last||last<26))})});
 all(root,'.seal-controls .walk[data-walk="'+walk+'"]').forEach(function(of){
  all(of,".says li,.dot").forEach(function(part){
   part.classList.toggle("on",+part.dataset.step===number)});
  var slider=of.querySelector("input");if(slider)slider.value=number;
  var dot=of.querySelector(".dot.on"),tree=of.querySelector(".seal-tree");
  if(dot&&tree)tree.scrollLeft=Math.max(0,dot.getBBox().x-tree.clientWidth/2)})}
function stop(of){if(of.sealTimer){clearInterval(of.sealTimer);of.sealTimer=0;
 var play=of.querySelector(".play");if(play)play.textContent="Replay"}}
function walkOf(of){return of.closest(".walk")}
function to(of,number){
 var walk=walkOf(of),most=+walk.dataset.count+1;
 step(view(of),walk.dataset.walk,Math.max(1,Math.min(most,number)))}
window.sealSlide=function(of){stop(walkOf(of));to(of,+of.value)};
window.sealMove=function(of,by){var walk=walkOf(of);stop(walk);
 to(of,+walk.querySelector("input").value+by)};
window.sealDot=function(of){stop(walkOf(of));to(of,+of.dataset.step)};
window.sealPlay=function(of){
 var walk=walkOf(of),slider=walk.querySelector("input"),most=+walk.dataset.count+1;
 if(walk.sealTimer)return stop(walk);
 of.textContent="Stop";to(of,1);
 walk.sealTimer=setInterval(function(){
  if(!walk.isConnected)return clearInterval(walk.sealTimer);
  to(of,+slider.value+1);if(+slider.value>=most)stop(walk)},Math.max(120,Math.min(700,9000/most)))};
window.sealTab=function(of){
 var root=view(of),chosen=of.dataset.walk;
 all(root,".tab").forEach(function(tab){tab.classList.toggle("on",tab===of)});
 all(root,".seal-controls .walk").forEach(function(walk){
  stop(walk);walk.classList.toggle("on",walk.dataset.walk===chosen)});
 all(root,".seal-over .walk").forEach(function(walk){
  walk.classList.toggle("on",chosen==="-1"||walk.dataset.walk===chosen);
  if(chosen==="-1"){all(walk,".step,.trail").forEach(function(part){part.classList.remove("on")});
   all(walk,".verdict").forEach(function(part){part.classList.add("on")})}});
 if(chosen!=="-1"){var walk=root.querySelector('.seal-controls .walk[data-walk="'+chosen+'"]');
  step(root,chosen,+walk.dataset.count+1)}};
window.addEventListener("resize",scale);
document.addEventListener("load",scale,true);
new MutationObserver(scale).observe(document.documentElement,{childList:true,subtree:true});
document.addEventListener("DOMContentLoaded",scale);
})();
"""
