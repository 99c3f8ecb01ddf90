"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const byId = new Map(data.utterances.map((u, i) => [u.id, i]));
const sign = (k) => (data.columns[k].better === "higher" ? 1 : -1);

/* ---- making elements: text is never taken for HTML ---- */
function make(tag, about = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(about)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}
const head = (k) => data.columns[k].title + (data.columns[k].unit ? ` (${data.columns[k].unit})` : "");
const values = (row, k) => data.values[row * data.columns.length + k];
const value = (row, k, u) => (values(row, k).length ? values(row, k)[u] : null);
const hole = (row, k, u) => data.holes[`${row},${k},${data.utterances[u].id}`];
const said = (row, k, u) => {
  const v = value(row, k, u);
  return v === null ? "–" : v.toFixed(data.columns[k].digits);
};

/* ---- the board: sorting inside blocks, filtering, one stop for the Tab key ---- */
const board = $("board");
function compare(column, down) {
  const key = (tr) => {
    if (column === "name" || column === "scale") return tr.children[column === "name" ? 1 : 2].textContent;
    if (column === "rank") return tr.dataset.rank === "" ? Infinity : Number(tr.dataset.rank);
    const text = tr.children[Number(column) + 3].dataset.value;
    return text === "" ? null : Number(text);
  };
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null); /* what has no value is last */
    const order = typeof x === "string" ? x.localeCompare(y) : x < y ? -1 : x > y ? 1 : 0;
    return down ? -order : order;
  };
}
function sortBy(button) {
  const th = button.closest("th");
  const now = th.getAttribute("aria-sort");
  const down = now ? now === "ascending" : button.dataset.better === "higher";
  for (const other of board.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", down ? "descending" : "ascending");
  for (const body of board.tBodies) {
    const rows = [...body.rows].filter((tr) => !tr.classList.contains("block"));
    body.append(...rows.sort(compare(button.dataset.column, down)));
  }
}
for (const button of board.querySelectorAll("th button")) button.addEventListener("click", () => sortBy(button));

$("filter").addEventListener("input", () => {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const tr of board.querySelectorAll("tbody tr:not(.block)")) {
    tr.hidden = !words.every((w) => tr.dataset.name.toLowerCase().includes(w));
    shown += !tr.hidden;
  }
  $("shown").textContent = words.length ? `${shown} of ${data.rows.length} systems` : "";
});

const cells = () => [...board.querySelectorAll("tbody tr:not(.block):not([hidden])")].map((tr) => [...tr.querySelectorAll("td[data-tip]")]);
function stop(cell) {
  for (const old of board.querySelectorAll('td[tabindex="0"]')) old.tabIndex = -1;
  cell.tabIndex = 0;
}
if (cells().length && cells()[0].length) stop(cells()[0][0]);
board.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const cell = event.target.closest("td[data-tip]");
  if (!step || !cell) return;
  const grid = cells();
  const y = grid.findIndex((row) => row.includes(cell));
  const next = grid[y + step[0]]?.[grid[y].indexOf(cell) + step[1]];
  if (!next) return;
  event.preventDefault();
  stop(next);
  next.focus();
});

/* ---- what stands behind a number: on hover, on focus, and for a screen reader ---- */
const tip = $("tip");
let told = null;
function tell(target) {
  if (told) told.removeAttribute("aria-describedby");
  told = target;
  tip.hidden = !target;
  if (!target) return;
  tip.textContent = target.dataset.tip;
  target.setAttribute("aria-describedby", "tip");
  const box = target.getBoundingClientRect();
  const width = tip.offsetWidth;
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  const below = box.bottom + 6;
  tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : Math.max(8, box.top - tip.offsetHeight - 6)}px`;
}
const pointed = (event) => tell(event.target.closest?.("[data-tip]") ?? null);
document.addEventListener("mouseover", pointed);
document.addEventListener("focusin", pointed);
document.addEventListener("keydown", (event) => event.key === "Escape" && tell(null));
document.addEventListener("scroll", () => tell(null), true);

/* ---- utterances: the worst first ---- */
function picker(k, changed) {
  const select = make("select", { onchange: () => changed(Number(select.value)) });
  data.columns.forEach((_, i) => select.append(make("option", { value: i, ...(i === k ? { selected: "" } : {}) }, head(i))));
  return make("p", { class: "controls" }, make("label", {}, "Score ", select));
}
function worst(k, rows) {
  const badness = (u) => {
    const found = rows.map((r) => value(r, k, u));
    if (found.some((v) => v === null)) return Infinity; /* a failure is worse than any score */
    return (-sign(k) * found.reduce((a, b) => a + b, 0)) / found.length;
  };
  const order = data.utterances.map((_, u) => [badness(u), u]);
  return order.sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : b[0] > a[0] ? 1 : -1)).map((pair) => pair[1]);
}
const link = (u) => make("a", { href: `#/utterance/${encodeURIComponent(data.utterances[u].id)}` }, data.utterances[u].id);
function scoreCell(row, k, u) {
  const why = hole(row, k, u);
  return make("td", { class: why ? "n hole" : "n", ...(why ? { "data-tip": why, tabindex: 0 } : {}) }, why ? why.split(":")[0] : said(row, k, u));
}
function table(caption, heads, rows) {
  const line = make("tr", {}, ...heads.map((h, i) => make("th", { scope: "col", class: i > 1 ? "n" : "" }, h)));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption), make("thead", {}, line), make("tbody", {}, ...rows)));
}
function listUtterances(place, rows, k) {
  const order = worst(k, rows);
  const lines = order.map((u) => make("tr", {}, make("th", { scope: "row" }, link(u)), make("td", {}, data.utterances[u].speaker),
    ...rows.map((r) => scoreCell(r, k, u))));
  const names = rows.length > 1 ? rows.map((r) => data.rows[r].system) : [head(k)];
  place.replaceChildren(picker(k, (chosen) => listUtterances(place, rows, chosen)),
    table(`${head(k)} of every utterance, the worst first`, ["utterance", "speaker", ...names], lines));
}

/* ---- a system ---- */
function showSystem(run) {
  const at = data.rows.findIndex((r) => r.run === run);
  if (at < 0) return false;
  const row = data.rows[at];
  const facts = make("dl");
  for (const [key, text] of Object.entries({ run: row.run, block: row.block, ...row.facts })) facts.append(make("dt", {}, key), make("dd", {}, text));
  const each = make("div");
  listUtterances(each, [at], data.sort);
  $("system").replaceChildren(make("h2", {}, row.system), facts, make("h3", {}, "Utterances"), each);
  return row.system;
}

/* ---- an utterance: every system beside the reference ---- */
function showUtterance(id) {
  const u = byId.get(id);
  if (u === undefined) return false;
  const { speaker, text } = data.utterances[u];
  const order = worst(data.sort, data.rows.map((_, r) => r));
  const at = order.indexOf(u);
  const steps = make("p", { class: "controls" });
  if (at > 0) steps.append(make("span", {}, "Worse: ", link(order[at - 1])));
  if (at + 1 < order.length) steps.append(make("span", {}, "Better: ", link(order[at + 1])));
  const sounds = data.audio[id] ?? [];
  const cards = [];
  if (sounds[0]) cards.push(player("reference", sounds[0], []));
  data.rows.forEach((row, r) => {
    const scores = data.columns.map((_, k) => make("li", hole(r, k, u) ? { class: "hole" } : {}, `${head(k)}: ${hole(r, k, u) ?? said(r, k, u)}`));
    cards.push(player(row.system, sounds[r + 1], scores));
  });
  $("utterance").replaceChildren(make("h2", {}, id), make("p", {}, text ? `“${text}”` : "", speaker ? ` Speaker ${speaker}.` : ""), steps,
    make("p", { class: "hint" }, sounds.length ? data.audioNote : "No audio of this utterance is in this file."), make("div", { class: "cards" }, ...cards));
  return id;
}
function player(name, source, scores) {
  const card = make("div", { class: "card" }, make("h3", {}, name));
  if (source) {
    const canvas = make("canvas", { role: "img", "aria-label": `spectrogram of ${name}`, width: 560, height: 256 });
    card.append(make("audio", { controls: "", preload: "metadata", src: source, "aria-label": name }), canvas);
    spectrogram(source, canvas);
  }
  card.append(make("ul", {}, ...scores));
  return card;
}

/* ---- spectrogram: 0 to 8 kHz, 70 dB, made from the audio that is played ---- */
const RATE = 16000, SIZE = 512;
async function spectrogram(source, canvas) {
  const bytes = Uint8Array.from(atob(source.slice(source.indexOf(",") + 1)), (c) => c.charCodeAt(0));
  let wav;
  try {
    const context = new OfflineAudioContext(1, 1, RATE); /* decodes to its own rate */
    wav = (await context.decodeAudioData(bytes.buffer)).getChannelData(0);
  } catch {
    canvas.replaceWith(make("p", { class: "hint" }, "This browser cannot decode the audio."));
    return;
  }
  const wide = canvas.width, high = canvas.height, levels = [];
  let top = 1e-12;
  for (let x = 0; x < wide; x++) {
    const power = fft(wav, Math.round((x / wide) * Math.max(0, wav.length - SIZE)));
    levels.push(power);
    for (const p of power) top = Math.max(top, p);
  }
  const pen = canvas.getContext("2d"), image = pen.createImageData(wide, high);
  for (let x = 0; x < wide; x++) {
    for (let y = 0; y < high; y++) {
      const db = 10 * Math.log10(levels[x][high - 1 - y] / top + 1e-12);
      const t = Math.max(0, 1 + db / 70);
      const at = 4 * (y * wide + x);
      image.data.set([255 * Math.min(1, 2.2 * t * t), 255 * t ** 3, 255 * Math.min(1, 0.25 + 0.6 * Math.sin(Math.PI * t)) * Math.min(1, 4 * t), 255], at);
    }
  }
  pen.putImageData(image, 0, 0);
  canvas.dataset.drawn = wav.length;
}
const turn = Array.from({ length: SIZE / 2 }, (_, i) => [Math.cos((2 * Math.PI * i) / SIZE), -Math.sin((2 * Math.PI * i) / SIZE)]);
function fft(wav, start) {
  const re = new Float32Array(SIZE), im = new Float32Array(SIZE);
  for (let i = 0; i < SIZE; i++) {
    let j = 0;
    for (let bit = 1, from = i; bit < SIZE; bit <<= 1, from >>= 1) j = (j << 1) | (from & 1);
    re[j] = (wav[start + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
  }
  for (let half = 1; half < SIZE; half *= 2) {
    for (let i = 0; i < SIZE; i++) {
      if (i & half) continue;
      const [c, s] = turn[((i & (half - 1)) * SIZE) / (2 * half)];
      const k = i + half, x = re[k] * c - im[k] * s, y = re[k] * s + im[k] * c;
      [re[k], im[k]] = [re[i] - x, im[i] - y];
      re[i] += x;
      im[i] += y;
    }
  }
  return Array.from({ length: SIZE / 2 }, (_, i) => re[i] * re[i] + im[i] * im[i]);
}

/* ---- views ---- */
function route() {
  let [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const name = decodeURIComponent(rest.join("/"));
  if (location.hash === "#main") {
    if (route.moved) return; /* the skip link: stay in this view */
    view = "";
  }
  let title = view;
  if (view === "system") title = showSystem(name);
  else if (view === "utterance") title = showUtterance(name);
  else if (view === "utterances") listUtterances($("utterances"), data.rows.map((_, r) => r), data.sort);
  if (title === false || !document.querySelector(`section[data-view="${CSS.escape(view)}"]`)) view = title = "";
  for (const section of document.querySelectorAll("section")) section.classList.toggle("on", section.dataset.view === view);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.getAttribute("href") === `#/${view}`) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  document.title = [title, document.querySelector("h1").textContent, "speech-bench"].filter(Boolean).join(" – ");
  tell(null);
  if (route.moved) { scrollTo(0, 0); $("main").focus({ preventScroll: true }); }
  route.moved = true;
}
addEventListener("hashchange", route);
route();
