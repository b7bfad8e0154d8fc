// Runs once when the component appears; `element`, `props` and `watch` come from Gradio.
// props.value is {turns: [{question, sentences, problem}], busy}; a sentence is as docs/api.md tells.
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

function sentence(one) {
  const before = one.shown.slice(0, one.shown.length - one.text.length);
  if (!one.text) return [];
  if (!one.evidence.length) return [one.shown];
  // No <button>: a sentence has to break over lines.
  const told = make("span", { class: "told", role: "button", tabindex: "0", title: "Show on the tracing what this rests on" }, one.text);
  const show = () => window.dispatchEvent(new CustomEvent("ecg:evidence", { detail: { item: one, from: told } }));
  told.addEventListener("click", show);
  told.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(); }
  });
  return [before, told];
}

function changes(sentences) {
  const all = sentences.map((one) => one.change).filter((change) => change && !change.repeats);
  if (!all.length) return null;
  return make("details", {}, make("summary", {}, `What the check changed (${all.length})`),
    make("ul", {}, ...all.map((change) => make("li", {}, make("strong", {}, `${change.action}: `),
      change.draft ? make("del", {}, change.draft) : null, change.draft && change.shipped ? " → " : null,
      change.shipped || null, make("span", { class: "muted" }, ` (${change.reason})`)))));
}

function turn({ question, sentences, problem }, waiting) {
  return make("div", {}, make("p", { class: "question" }, question),
    make("p", { class: "answer" }, ...sentences.flatMap(sentence), waiting ? " …" : null),
    problem ? make("p", { class: "problem" }, problem) : null, waiting ? null : changes(sentences));
}

function refresh() {
  const log = element.querySelector(".log");
  if (!log) return;
  const { turns = [], busy = false } = props.value ?? {};
  turns.forEach((one, k) => {
    const waiting = busy && k === turns.length - 1, said = JSON.stringify([one, waiting]), old = log.children[k];
    if (old?.said === said) return; // what stands already is not read aloud again
    const node = turn(one, waiting);
    node.said = said;
    if (old) old.replaceWith(node); else log.append(node);
  });
  while (log.children.length > turns.length) log.lastChild.remove();
  log.setAttribute("aria-busy", String(busy));
  log.hidden = !turns.length;
  log.scrollTop = log.scrollHeight;
}

watch("value", refresh);
refresh();
