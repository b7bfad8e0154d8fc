// Runs once when the component appears; `element`, `props` and `watch` come from Gradio.
// props.value is {tracing, report, page}: what /v1/ecg/tracings and /v1/ecg/reports gave, and an image
// of the page if the ECG was read from one; or null.
const MM_PER_S = 25, MM_PER_MV = 10, ROW_MM = 30, STRIP_MM = 26, LEAD_MM = 24;
const PAGE = [["I", "aVR", "V1", "V4"], ["II", "aVL", "V2", "V5"], ["III", "aVF", "V3", "V6"]];
const STATES = { supported: ["✓", "supported"], contradicted: ["✗ contradicted", ""], unverifiable: ["?", "not judged"] };
const LONG_S = 2; // a mark over most of the tracing must not hide it
const ROLES = { heart_rate_bpm: "Heart rate", rr_ms: "Mean RR", p_ms: "P duration", pr_ms: "PR interval",
  qrs_ms: "QRS duration", qt_ms: "QT interval", qtc_fridericia_ms: "QTc (Fridericia)",
  qtc_bazett_ms: "QTc (Bazett)", p_axis_deg: "P axis", qrs_axis_deg: "QRS axis", t_axis_deg: "T axis" };
let data = null, layout = "page", scale = 0, calipers = false, allMarks = true;
let chosen = null, boxes = [];
let span = null; // what the calipers hold, in mm

const $ = (selector) => element.querySelector(selector);
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name === "click") node.addEventListener("click", value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const color = (name) => getComputedStyle($(".reading")).getPropertyValue(name).trim();
const narrow = window.matchMedia("(max-width: 760px)");
const isDark = () => document.body.classList.contains("dark") || document.documentElement.classList.contains("dark");

// ---- the tracing -------------------------------------------------------------------------------

function placed() {
  const { leads, from_s, to_s } = data.tracing, names = leads.map((lead) => lead.name);
  const has = new Set(names), width = (to_s - from_s) * MM_PER_S;
  if (layout === "page" && to_s - from_s >= 8 && PAGE.flat().filter((name) => has.has(name)).length > 6) {
    const quarter = Math.min(to_s - from_s, 10) / 4, result = [];
    PAGE.forEach((row, r) => row.forEach((name, c) => {
      if (has.has(name)) result.push({ name, x: c * quarter * MM_PER_S, y: r * ROW_MM, h: ROW_MM,
        from: from_s + c * quarter, to: from_s + (c + 1) * quarter });
    }));
    const strip = has.has("II") ? "II" : names[0];
    result.push({ name: strip, x: 0, y: 3 * ROW_MM, h: STRIP_MM, from: from_s, to: from_s + 4 * quarter });
    return { boxes: result, width: 4 * quarter * MM_PER_S, height: 3 * ROW_MM + STRIP_MM };
  }
  return { width, height: names.length * LEAD_MM, boxes: names.map((name, r) => (
    { name, x: 0, y: r * LEAD_MM, h: LEAD_MM, from: from_s, to: to_s })) };
}

const timeX = (box, t) => (box.x + (t - box.from) * MM_PER_S) * scale;
const middle = (box) => (box.y + box.h * 0.55) * scale;

function draw() {
  if (!data?.tracing) return;
  const canvas = $("canvas"), sheet = $(".sheet"), plan = placed(), ratio = window.devicePixelRatio || 1;
  boxes = plan.boxes;
  if (!scale) scale = Math.max(1.2, (sheet.clientWidth - 4) / plan.width);
  $(".reading").dataset.layout = layout;
  const w = Math.round(plan.width * scale), h = Math.round(plan.height * scale);
  canvas.width = Math.min(w * ratio, 16000); canvas.height = Math.min(h * ratio, 16000);
  canvas.style.width = `${w}px`; canvas.style.height = `${h}px`;
  const pen = canvas.getContext("2d");
  pen.scale(canvas.width / w, canvas.height / h);
  pen.fillStyle = color("--paper"); pen.fillRect(0, 0, w, h);
  grid(pen, w, h);
  marks(pen);
  for (const box of boxes) trace(pen, box);
  if (span) measureLines(pen);
  $(".reading").style.setProperty("--sheet", `${sheet.offsetHeight}px`);
}

function grid(pen, w, h) {
  for (const [step, name] of [[1, "--fine"], [5, "--coarse"]]) {
    if (step * scale < 2.5) continue;
    pen.strokeStyle = color(name); pen.lineWidth = step === 5 ? 1 : 0.6; pen.beginPath();
    for (let x = 0; x <= w; x += step * scale) { pen.moveTo(x, 0); pen.lineTo(x, h); }
    for (let y = 0; y <= h; y += step * scale) { pen.moveTo(0, y); pen.lineTo(w, y); }
    pen.stroke();
  }
}

function trace(pen, box) {
  const { leads, fs_hz, from_s } = data.tracing, lead = leads.find((one) => one.name === box.name);
  const first = Math.max(0, Math.floor((box.from - from_s) * fs_hz));
  const last = Math.min(lead.samples.length, Math.ceil((box.to - from_s) * fs_hz));
  pen.save();
  // Tall waves may reach into the row above or below, as on paper.
  pen.beginPath(); pen.rect(box.x * scale, 0, (box.to - box.from) * MM_PER_S * scale, 1e5); pen.clip();
  pen.strokeStyle = color("--ink"); pen.lineWidth = Math.max(0.9, scale * 0.28); pen.lineJoin = "round";
  if (lead.note) pen.globalAlpha = 0.45;
  pen.beginPath();
  let down = false;
  for (let i = first; i < last; i++) {
    const v = lead.samples[i];
    if (v === null) { down = false; continue; }
    const x = timeX(box, from_s + i / fs_hz), y = middle(box) - v * MM_PER_MV * scale;
    if (down) pen.lineTo(x, y); else pen.moveTo(x, y);
    down = true;
  }
  pen.stroke();
  pen.restore();
  pen.fillStyle = color("--ink"); pen.font = `600 ${Math.max(10, scale * 3)}px system-ui, sans-serif`;
  pen.fillText(lead.name + (lead.derived ? " (derived)" : ""), box.x * scale + 4, box.y * scale + Math.max(11, scale * 4));
}

function marks(pen) {
  const every = allMarks ? data.tracing.marks.filter((mark) => !mark.quiet) : [];
  band(pen, every, 0.13);
  if (chosen) band(pen, chosen.evidence ?? [], 0.34);
}

function band(pen, all, strength) {
  const items = new Map(all.map((item) => [`${item.lead}/${item.from_s}/${item.to_s}`, item])).values();
  pen.fillStyle = color("--mark");
  for (const item of items) {
    if (item.from_s === null || item.to_s === null) continue;
    pen.globalAlpha = item.to_s - item.from_s > LONG_S ? strength / 3 : strength;
    for (const box of boxes) {
      if (item.lead && item.lead !== box.name) continue;
      const from = Math.max(item.from_s, box.from), to = Math.min(item.to_s, box.to);
      if (to <= from) continue;
      pen.fillRect(timeX(box, from) - 1, box.y * scale, Math.max(3, (to - from) * MM_PER_S * scale + 2), box.h * scale);
    }
  }
  pen.globalAlpha = 1;
}

function measureLines(pen) {
  pen.strokeStyle = color("--alert"); pen.lineWidth = 1.5;
  pen.strokeRect(span.x0 * scale, span.y0 * scale, (span.x1 - span.x0) * scale, (span.y1 - span.y0) * scale);
}

function under(event) {
  const canvas = $("canvas"), at = canvas.getBoundingClientRect();
  const x = event.clientX - at.left, y = event.clientY - at.top;
  const box = boxes.find((one) => x >= one.x * scale && x < (one.x + (one.to - one.from) * MM_PER_S) * scale
    && y >= one.y * scale && y < (one.y + one.h) * scale);
  return { x, y, box };
}

function measured() {
  draw();
  const ms = Math.abs(span.x1 - span.x0) / MM_PER_S * 1000, mv = Math.abs(span.y1 - span.y0) / MM_PER_MV;
  $(".readout").textContent = `Δt ${ms.toFixed(0)} ms${ms > 200 ? ` (${(60000 / ms).toFixed(0)}/min)` : ""} · ΔV ${mv.toFixed(2)} mV`;
}

// Arrow keys draw the calipers larger or smaller by 10 ms and 0.05 mV; with Shift they move.
function measureByKey(key, moves) {
  const sheet = $(".sheet"), [right, down] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
  if (!span) {
    const x = (sheet.scrollLeft + sheet.clientWidth / 3) / scale, y = (sheet.scrollTop + sheet.clientHeight / 3) / scale;
    span = { x0: x, y0: y, x1: x, y1: y, open: false };
  }
  const x = right * 0.01 * MM_PER_S, y = down * 0.05 * MM_PER_MV;
  span.x1 += x; span.y1 += y;
  if (moves) { span.x0 += x; span.y0 += y; }
  measured();
}

function read(event) {
  const { x, y, box } = under(event);
  if (calipers && span?.open) { span.x1 = x / scale; span.y1 = y / scale; measured(); return; }
  if (!box || calipers) return;
  const { leads, fs_hz, from_s } = data.tracing, t = box.from + (x / scale - box.x) / MM_PER_S;
  const v = leads.find((one) => one.name === box.name).samples[Math.round((t - from_s) * fs_hz)];
  $(".readout").textContent = `${box.name} · ${t.toFixed(2)} s · ${v === null || v === undefined ? "not recorded" : `${v.toFixed(2)} mV`}`;
}

function zoom(factor) {
  const sheet = $(".sheet"), x = (sheet.scrollLeft + sheet.clientWidth / 2) / (scale || 1), y = (sheet.scrollTop + sheet.clientHeight / 2) / (scale || 1);
  scale = factor ? Math.min(16, Math.max(1, scale * factor)) : 0;
  draw();
  sheet.scrollLeft = x * scale - sheet.clientWidth / 2; sheet.scrollTop = y * scale - sheet.clientHeight / 2;
}

// ---- what is said ------------------------------------------------------------------------------

const seconds = (item) => item.from_s === null ? "" : `${item.from_s.toFixed(2)}–${item.to_s.toFixed(2)} s`;
const unit = (name) => name === "deg" ? "°" : name ? ` ${name}` : "";
const signed = (text) => String(text).replace(/^-/, "−");
const minus = (text) => text.replace(/(^|[\s(])-(?=\d)/g, "$1−");
const figure = (item) => item.value === null ? "unknown"
  : typeof item.value === "number" ? signed(Number(item.value.toPrecision(3))) + unit(item.unit) : item.value;

function table(caption, heads, rows, classes = []) {
  return make("div", { class: "wide" }, make("table", {}, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell, i) => (
      i ? make("td", { class: classes[i] ?? "" }, cell) : make("th", { scope: "row" }, cell))))))));
}

function fact(item) {
  return make("li", { class: "fact" }, make("strong", {}, `${item.quantity} ${figure(item)}`),
    make("span", { class: "muted" }, ` · ${item.lead ?? "all leads"}${item.from_s === null ? "" : ` · ${seconds(item)}`}`),
    item.from_s >= data.tracing.to_s ? make("div", { class: "open" }, "After the part of the recording that is drawn.") : null,
    item.criterion ? make("div", {}, `Criterion: ${minus(item.criterion)}`) : null,
    item.source ? make("div", { class: "muted source" }, item.source) : null);
}

function choose(item, button, back = null) {
  chosen = chosen === item && !back ? null : item;
  for (const other of element.querySelectorAll("button.claim")) other.setAttribute("aria-pressed", String(!!chosen && other === button));
  const panel = $(".evidence");
  panel.replaceChildren();
  if (chosen) {
    const items = chosen.evidence ?? [];
    panel.append(make("h3", {}, "Evidence"), make("p", {}, chosen.text), items.length
      ? make("ul", {}, ...items.map(fact))
      : make("p", { class: "muted" }, "It names no measured value of its own."));
    if (back) panel.append(make("button", { type: "button", click: () => { back.scrollIntoView({ block: "center" }); back.focus(); } }, "Back to the answer"));
    // On a narrow page the evidence stands below its statement, and the tracing stays above both.
    const below = narrow.matches && button;
    if (below) button.after(panel); else $(".side").prepend(panel);
    if (back) $(".sheet-bar").scrollIntoView({ block: "start" });
    else if (!below) panel.scrollIntoView({ block: "nearest" });
    show(items);
  }
  draw();
}

function show(items) {
  const shown = items.filter((item) => item.from_s !== null);
  if (!shown.length) return;
  const seen = () => shown.flatMap((item) => boxes.filter((box) => (!item.lead || item.lead === box.name)
    && item.from_s < box.to && item.to_s > box.from).map((box) => [item, box]));
  draw();
  let found = seen();
  if (!found.length && layout === "page") { arrange("rows"); found = seen(); }
  if (!found.length) return;
  const sheet = $(".sheet"), [item, box] = found[0];
  sheet.scrollTo({ left: timeX(box, item.from_s) - sheet.clientWidth / 2, top: box.y * scale - sheet.clientHeight / 3 });
}

function arrange(name) {
  layout = name; scale = 0; span = null;
  for (const one of ["page", "rows"]) $(`[data-do=${one}]`).setAttribute("aria-pressed", String(layout === one));
  draw();
}

const state = (sign, word) => [make("span", { class: "state" }, sign), word ? make("span", { class: "unseen" }, `${word}: `) : null];

function claim(item, extra = "") {
  const button = make("button", { type: "button", class: `claim ${extra}`, "aria-pressed": "false" },
    ...state(...(STATES[item.status] ?? ["!", ""])), item.text);
  button.addEventListener("click", () => choose(item, button));
  return make("li", { class: item.status ?? "" }, button);
}

function quality() {
  const { quality } = data.report, part = [], reasons = quality.reasons.join("; ");
  if (!quality.acceptable) {
    part.push(make("div", { class: "refused", role: "alert" }, make("strong", {}, "This tracing was not interpreted. "),
      `${reasons.slice(0, 1).toUpperCase()}${reasons.slice(1)}. Please record it again.`));
  }
  const unusable = Object.entries(quality.leads).filter(([, lead]) => !lead.usable).map(([name]) => name);
  part.push(make("p", {}, make("span", { class: quality.acceptable ? "chip" : "chip bad" },
    `Quality: ${{ accept: "can be interpreted", limit: "limited", refuse: "refused" }[quality.verdict]}`),
  unusable.length ? make("span", { class: "chip bad" }, `Not usable: ${unusable.join(", ")}`) : null,
  ...quality.suspicions.map(() => make("span", { class: "chip bad" }, "electrodes suspected reversed"))));
  return part;
}

function disclaimer() {
  return make("p", { class: "muted" }, data.report.provenance.disclaimer);
}

function report() {
  const { report } = data, panel = $(".findings");
  panel.replaceChildren();
  if (!report) { panel.append(make("p", { class: "muted" }, "The report is being written …")); return; }
  const block = (title, ...children) => panel.append(make("h3", {}, title), make("ul", {}, ...children));
  panel.append(...quality());
  if (!report.quality.acceptable) { panel.append(disclaimer()); return; } // all that is known has been said
  if (report.alerts.length) {
    block("Alerts", ...report.alerts.map((alert) => {
      const item = claim({ ...alert, status: null, text: `${alert.text}${alert.advice ? ` ${alert.advice}` : ""}` });
      item.className = "alert";
      item.querySelector(".state").textContent = alert.urgency === "critical" ? "!! CRITICAL" : "! URGENT";
      return item;
    }));
  }
  const said = new Map(report.claims.map((one) => [one.text, one]));
  block("Impression, most urgent first", ...report.impression.map((text) => claim(said.get(text) ?? { text, status: "supported", evidence: [] })));
  const beside = report.comparison ? report.sections.find((part) => part.title.startsWith("Comparison")) : null;
  if (beside) block(`Compared with ${report.comparison.earlier_name}`, ...beside.statements.map((one) => claim(one)));
  const told = report.claims.filter((one) => one.kind === "told");
  if (told.length) block("In words, checked", ...told.map((one) => claim(one)));
  for (const section of report.sections) if (section !== beside) block(section.title, ...section.statements.map((one) => claim(one)));
  const changes = (report.changes ?? []).filter((change) => !change.repeats);
  if (changes.length) {
    panel.append(make("details", { class: "changes" }, make("summary", {}, `What the check changed in the model's text (${changes.length})`),
      make("ul", {}, ...changes.map((change) => make("li", {}, make("strong", {}, `${change.action}: `),
        change.draft ? make("del", {}, change.draft) : null, change.draft && change.shipped ? " → " : null,
        change.shipped || null, make("span", { class: "muted" }, ` (${change.reason})`))))));
  }
  panel.append(disclaimer());
}

function values() {
  const panel = $(".values"), { report } = data;
  panel.replaceChildren();
  if (!report) return;
  const rows = [];
  for (const [name, label] of Object.entries(ROLES)) {
    const one = report.measurements[name], last = rows.at(-1);
    if (!one) continue;
    if (one.value !== null) rows.push([label, signed(one.value.toFixed(0)) + unit(one.unit), one.spread === null ? "" : `± ${one.spread.toFixed(0)}`]);
    else if (last?.[1] === "–" && last[2] === one.reason) last[0] += `, ${label}`;
    else rows.push([label, "–", one.reason]);
  }
  if (rows.length) panel.append(table("Measurements", ["Quantity", "Value", "Spread, or why not"], rows, ["", "number"]));
  const measured = Object.values(report.measurements).some((one) => one.value !== null);
  const likely = report.findings.filter((one) => one.status === "present" || (one.probability ?? 0) >= 0.3 || one.doubt);
  if (likely.length) {
    panel[measured ? "append" : "prepend"](table("Findings", ["Finding", "Status", "Probability"], likely.map((one) => [
      one.doubt ? make("span", {}, one.label, make("details", {}, make("summary", {}, "uncertain"), doubt(one.doubt))) : one.label, one.status,
      one.probability === null ? "criteria only" : make("span", {}, make("meter", { min: 0, max: 1, value: one.probability, "aria-label": `Probability of ${one.label}` }), ` ${(100 * one.probability).toFixed(0)} %`)]), ["", "", "number"]));
  }
}

const doubt = (it) => typeof it === "string" ? it : Object.values(it).filter((part) => typeof part === "string").join("; ");

function page() {
  const panel = $(".original");
  panel.hidden = !data.page;
  if (!data.page) return;
  panel.querySelector("img").src = data.page;
  panel.querySelector(".notes").replaceChildren(...data.tracing.record.notes.map((note) => make("li", {}, note)));
}

function who() {
  const { record } = data.tracing, compared = data.report?.comparison;
  const age = record.age_years === null ? null : `${Number(record.age_years.toFixed(1))} years`;
  const open = [age ? null : "age", record.sex ? null : "sex"].filter(Boolean).join(" and ");
  $(".who").replaceChildren(make("h2", {}, record.name),
    make("span", {}, [record.sex, age, `${Number(record.fs_hz.toFixed(2))} Hz`, `${record.duration_s.toFixed(1)} s`,
      compared ? `compared with ${compared.earlier_name}` : null].filter(Boolean).join(" · ")),
    make("button", { type: "button", click: () => document.querySelector("#question textarea")?.focus() }, "Ask about it"),
    open && data.report?.quality.acceptable !== false ? make("p", { class: "open" },
      `? Without ${open}, limits that depend on ${open} stay open: fill in what is missing and press “Read the ECG”.`) : "",
    ...(data.page ? [] : record.notes.map((note) => make("p", { class: "open" }, `Note: ${note}`))));
}

// ---- together ----------------------------------------------------------------------------------

function refresh() {
  const root = $(".reading");
  if (!root) return;
  data = props.value && props.value.tracing ? props.value : null;
  root.dataset.empty = String(!data);
  root.classList.toggle("dark", isDark());
  chosen = null; span = null; scale = 0;
  $(".evidence").replaceChildren();
  $(".side").prepend($(".evidence")); // it may stand in the statements, which are written anew
  if (!data) return;
  const one = data.tracing.record;
  $("canvas").setAttribute("aria-label", `ECG ${one.name}, ${data.tracing.leads.length} leads, ${(data.tracing.to_s - data.tracing.from_s).toFixed(1)} s at 25 mm/s and 10 mm/mV`);
  const { from_s, to_s } = data.tracing, drawn = to_s - from_s < one.duration_s - 0.1 ? ` · ${from_s.toFixed(0)}–${to_s.toFixed(0)} of ${one.duration_s.toFixed(0)} s` : "";
  $(".readout").textContent = `25 mm/s · 10 mm/mV${drawn}`;
  who(); page(); report(); values(); draw(); listen();
}

function listen() {
  const sheet = $(".sheet"), canvas = $("canvas");
  if (sheet.dataset.ready) return;
  sheet.dataset.ready = "yes";
  for (const button of element.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => {
      const what = button.dataset.do;
      if (what === "page" || what === "rows") arrange(what);
      else if (what === "in") zoom(1.3);
      else if (what === "out") zoom(1 / 1.3);
      else if (what === "fit") zoom(0);
      else {
        if (what === "calipers") { calipers = !calipers; span = null; sheet.classList.toggle("measuring", calipers);
          $(".readout").setAttribute("aria-live", calipers ? "polite" : "off"); }
        if (what === "marks") allMarks = !allMarks;
        button.setAttribute("aria-pressed", String(what === "calipers" ? calipers : allMarks));
        draw();
      }
    });
  }
  canvas.addEventListener("pointermove", read);
  canvas.addEventListener("pointerdown", (event) => {
    if (!calipers) return;
    const { x, y } = under(event);
    span = { x0: x / scale, y0: y / scale, x1: x / scale, y1: y / scale, open: true };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => { if (span) span.open = false; });
  sheet.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault(); zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, { passive: false });
  sheet.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else if (event.key === "0") zoom(0);
    else if (calipers && event.key.startsWith("Arrow")) measureByKey(event.key, event.shiftKey);
    else return;
    event.preventDefault();
  });
}

new MutationObserver(() => { const root = $(".reading"); if (root) { root.classList.toggle("dark", isDark()); draw(); } })
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });
window.addEventListener("ecg:evidence", ({ detail }) => { if (data) choose(detail.item, null, detail.from); });
let wide = window.innerWidth;
window.addEventListener("resize", () => {
  if (wide === window.innerWidth) return; // a phone's bars come and go while somebody scrolls: the zoom stays
  wide = window.innerWidth; scale = 0; draw();
});
watch("value", refresh);
refresh();
