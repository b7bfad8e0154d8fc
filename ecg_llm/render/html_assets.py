"""Looks and behaviour of the HTML report, kept apart from its content."""

CSS = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1c20;--soft:#5a5d66;--rule:#d5d8de;--panel:#f5f6f8;
--link:#00518a;--critical:#a32b05;--critical-bg:#fdeee8;--tag:#0063a6;--tag-critical:#b8340a;
--tag-information:#00755a}
@media (prefers-color-scheme:dark){:root{--bg:#15171b;--fg:#e8e9ec;--soft:#a9adb8;--rule:#3a3e47;
--panel:#1e2127;--link:#7cc0f5;--critical:#ff9f7d;--critical-bg:#33190f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:76rem;margin:0 auto;padding:1rem 1.25rem 3rem}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:1.8rem 0 .5rem;padding-bottom:.2rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:1.1rem 0 .3rem}
p{margin:.4rem 0}
h1,li,dd{overflow-wrap:anywhere}
.soft,.facts,figcaption,dt{color:var(--soft)}
.facts,figcaption{font-size:.875rem}
ul.facts{margin:.1rem 0 .3rem;padding-left:1.1rem}
ol,ul{padding-left:1.5rem}
li{margin:.25rem 0}
ul.said{list-style:none;padding:0}
ul.said>li{padding:.3rem .6rem;border-left:3px solid transparent}
li.open{color:var(--soft);font-style:italic}
li.picked{background:var(--panel);border-left-color:var(--link)}
.alerts{border:2px solid var(--critical);background:var(--critical-bg);border-radius:.4rem;
padding:.2rem 1rem .6rem;margin:1rem 0}
.alerts h2{border:0;margin:.5rem 0;color:var(--critical)}
.alerts ul{list-style:none;padding:0;margin:0}
.urgency{font-weight:700;text-transform:uppercase;letter-spacing:.03em;color:var(--critical)}
button.tag{font:700 .8rem/1.5 inherit;font-family:inherit;min-width:1.5rem;padding:0 .35rem;
margin:0 .1rem;border:1px solid transparent;border-radius:.6rem;color:#fff;background:var(--tag);
cursor:pointer;vertical-align:text-bottom}
button.critical{background:var(--tag-critical)}
button.information{background:var(--tag-information)}
button.tag[aria-pressed=true]{outline:2px solid var(--fg);outline-offset:1px}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
figure{margin:1rem 0}
.paper{overflow-x:auto;background:#fff;border:1px solid var(--rule);border-radius:.3rem}
.paper svg{display:block;width:100%;min-width:56rem;height:auto}
.mark.quiet{display:none}
.mark.on{display:inline}
svg.picking .mark:not(.on){opacity:.2}
svg .shade.on rect{fill-opacity:.34}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;min-width:44rem;font-size:.925rem;
font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:.3rem}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--rule);
vertical-align:top}
thead th{color:var(--soft);font-weight:600}
tbody th{font-weight:600}
td.n{white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.875rem}
dd{margin:0}
details summary{cursor:pointer;color:var(--link)}
.disclaimer{font-weight:600}
@media (max-width:40rem){main{padding:.6rem .8rem 2rem}dl{grid-template-columns:1fr}
dt{margin-top:.3rem}h1{font-size:1.25rem}}
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--rule:#bbb;--panel:#fff;--critical:#8a2200;
--critical-bg:#fff}@page{size:A4;margin:12mm}
html{font-size:12.5px}body{font-size:1rem}main{max-width:none;padding:0}
.paper{overflow:visible;border:0}.paper svg{min-width:0}figure,tr,li,.alerts{break-inside:avoid}
h2,h3{break-after:avoid}table{min-width:0}
.screen{display:none}details::details-content{content-visibility:visible;display:block}
button.tag{border-color:#000;color:#000;
background:none}}
"""

SCRIPT = """
(() => {
  const tags = [...document.querySelectorAll("button.tag")];
  const marks = [...document.querySelectorAll(".mark")];
  const drawings = [...document.querySelectorAll("svg.ecg")];
  let chosen = null;
  const show = (button) => {
    chosen = button;
    const wanted = new Set(button ? button.dataset.marks.split(" ") : []);
    for (const mark of marks) mark.classList.toggle("on", wanted.has(mark.dataset.mark));
    for (const drawing of drawings) {
      drawing.classList.toggle("picking", drawing.querySelector(".mark.on") !== null);
    }
    for (const tag of tags) tag.setAttribute("aria-pressed", String(tag === button));
    for (const item of document.querySelectorAll("li.picked")) item.classList.remove("picked");
    const item = button && button.closest("li");
    if (item) item.classList.add("picked");
  };
  const pick = (button) => {
    show(button === chosen ? null : button);
    if (!chosen) return;
    const all = document.querySelector("details.all-leads");
    const mark = document.querySelector("svg.ecg .tag.on");
    if (all && mark && all.contains(mark)) all.open = true;
    if (mark) mark.scrollIntoView({block: "center", inline: "center", behavior: "smooth"});
  };
  for (const tag of tags) tag.addEventListener("click", () => pick(tag));
  for (const item of document.querySelectorAll("ul.said > li, ol.said > li")) {
    const first = item.querySelector("button.tag");
    if (!first) continue;
    item.style.cursor = "pointer";
    item.addEventListener("click", (event) => {
      const inside = event.target.closest("button, a, summary, details");
      if (!inside && String(getSelection()) === "") pick(first);
    });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") show(null); });
})();
"""
