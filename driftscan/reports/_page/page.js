"use strict";
// The page is whole without this script: it searches, filters, sorts, groups, and answers keys. Nothing that a host said
// is ever markup here: text is set as text, elements are copied or moved, never written.
(() => {
  const get = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const index = JSON.parse(get("index").textContent);
  const tools = get("tools"), query = get("q");
  const choices = { action: get("f-action"), verdict: get("f-verdict"), severity: get("f-severity"), cause: get("f-cause"), group: get("f-group") };
  const numbered = (selector, name) => { const found = []; for (const each of all(selector)) found[each.dataset[name]] = each; return found; };
  const lines = numbered("[data-h]", "h"), mutations = numbered("#happenings > [data-m], #listed [data-m]", "m"), controls = numbered("tr[data-c]", "c");
  const cohorts = all("#cohorts [data-m]");
  const parts = all(".part").map((part) => ({ part, rows: all("tbody > tr", part) }));
  const cells = []; for (const each of all("#cells a.c")) cells[each.hash.slice(2)] = each;

  const option = (select, value, text) => { const made = document.createElement("option"); made.value = value; made.textContent = text; select.append(made); };
  const present = (column) => new Set(index.hosts.map((host) => host[column]));
  const offer = (select, words, known, down) => { const order = [...words.keys()]; if (down) order.reverse(); for (const number of order) if (known.has(number)) option(select, number, words[number]); };
  offer(choices.action, index.actions, present(0), true);
  offer(choices.verdict, index.verdicts, present(1));
  offer(choices.severity, index.severities, new Set(index.mutations.map((each) => each[1]).concat([...present(2)])), true);
  for (const cause of [...new Set(index.mutations.map((each) => each[0]))].sort()) option(choices.cause, cause, cause);
  index.axes.forEach(([name, values], axis) => { if (values.length > 1) values.forEach((value, number) => option(choices.group, axis + ":" + number, name === "image" || value.startsWith("no ") ? value : name + " " + value)); });

  // What is searched of a host: its own words, and those of its mutations and failed controls.
  const texts = index.hosts.map((host) => [host[4]]);
  const causes = index.hosts.map(() => new Set());
  for (const [cause, , text, hosts] of index.mutations) for (const host of hosts) { texts[host].push(text); causes[host].add(cause); }
  for (const [text, hosts] of index.controls) for (const host of hosts) texts[host].push(text);

  const marked = (select) => { select.classList.toggle("on", select.value !== ""); return select.value; };
  const includes = (text, words) => words.every((word) => text.includes(word));
  function apply() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [action, verdict, severity, cause, group] = ["action", "verdict", "severity", "cause", "group"].map((name) => marked(choices[name]));
    const [axis, value] = group.split(":").map(Number);
    const any = words.length || action || verdict || severity || cause || group;
    let shown = 0, told = 0;
    const stays = index.hosts.map((host, number) => {
      const stay = (!action || host[0] === +action) && (!verdict || host[1] === +verdict) && (!severity || host[2] === +severity)
        && (!cause || causes[number].has(cause)) && (!group || index.axes[axis][2][number] === value)
        && words.every((word) => texts[number].some((text) => text.includes(word)));
      if (lines[number]) lines[number].hidden = !stay;
      if (cells[number]) cells[number].classList.toggle("away", !stay);
      shown += stay;
      return stay;
    });
    const fits = index.mutations.map((each) => {
      const own = includes(each[2], words);
      return (!cause || each[0] === cause) && (!severity || each[1] === +severity)
        && (own ? !(action || verdict || group) || each[3].some((host) => stays[host]) : each[3].some((host) => stays[host] && words.every((word) => index.hosts[host][4].includes(word) || each[2].includes(word))));
    });
    fits.forEach((fit, number) => { if (mutations[number]) mutations[number].hidden = !fit; told += fit; });
    for (const each of cohorts) each.hidden = !each.dataset.m.split(" ").some((number) => fits[number]);
    index.controls.forEach(([text, hosts], number) => { if (controls[number]) controls[number].hidden = any && !(words.length && includes(text, words)) && !hosts.some((host) => stays[host]); });
    const quiet = get("quiet");
    for (const { part, rows } of parts) part.hidden = rows.every((row) => row.hidden);
    if (quiet) quiet.closest("details").hidden = !all(".part:not([hidden])", quiet).length;
    get("none").hidden = shown > 0;
    get("shown").textContent = any ? `${shown.toLocaleString("en")} of ${index.hosts.length.toLocaleString("en")} hosts, ${told.toLocaleString("en")} of ${index.mutations.length.toLocaleString("en")} mutations` : "";
  }
  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); };
  function clear() { query.value = ""; for (const select of Object.values(choices)) select.value = ""; apply(); }

  function sort() {
    const box = get("rows"); if (!box) return;
    const name = (number) => index.hosts[number][4];
    const orders = { urgency: (a, b) => a - b, name: (a, b) => name(a).localeCompare(name(b), "en", { numeric: true }), findings: (a, b) => index.hosts[b][3] - index.hosts[a][3] || a - b };
    const order = orders[get("sort").value];
    box.append(...all(":scope > [data-h]", box).sort((a, b) => order(+a.dataset.h, +b.dataset.h)));
  }

  function regroup() {
    const [, values, of] = index.axes[get("by").value];
    const boxes = values.map((value) => {
      const group = document.createElement("div"), head = document.createElement("h3"), count = document.createElement("span"), inner = document.createElement("div");
      group.className = "group"; inner.className = "cells"; count.className = "dim"; head.dir = "ltr";
      head.append(value + " ", count); group.append(head, inner);
      return { group, inner, count };
    });
    cells.forEach((cell, number) => boxes[of[number]].inner.append(cell));
    for (const { inner, count } of boxes) count.textContent = inner.childElementCount.toLocaleString("en");
    get("cells").replaceChildren(...boxes.sort((a, b) => b.inner.childElementCount - a.inner.childElementCount).map((box) => box.group));
  }

  function peek(event) {
    const cell = event.target.closest && event.target.closest("#cells a.c"); if (!cell) return;
    const [name, ...rest] = (cell.title || cell.getAttribute("aria-label")).split(": "), bold = document.createElement("b");
    bold.textContent = name;
    get("peek").replaceChildren(bold, " " + rest.join(": "));
  }

  // A link leads into what is closed: open it, and what it stands in.
  function reveal(hash) {
    const target = /^#[hmc]\d+$/.test(hash) && get(hash.slice(1)); if (!target) return;
    for (let at = target; at; at = at.parentElement) { if (at.localName === "details") at.open = true; at.hidden = false; }
    const place = target.closest(".item") || target;
    const stop = target.localName === "tr" ? target : place;
    stop.scrollIntoView({ block: "start", behavior: "instant" });
    requestAnimationFrame(() => stop.scrollIntoView({ block: "start", behavior: "instant" }));  // what was skipped has its size now
    const focus = target.localName === "tr" ? target : place.querySelector("summary");
    if (target.localName === "tr") target.tabIndex = -1;
    focus.focus({ preventScroll: true });
  }

  // Beneath a host, its mutation shows its differences in place: a copy of what stands under Mutations.
  function differences(event) {
    const box = event.target;
    if (!box.open || !box.classList.contains("sighting") || box.querySelector(".diffs, .rest")) return;
    const source = mutations[box.dataset.m], list = source && (source.querySelector(".diffs") || source.querySelector(".rest"));
    if (list) box.querySelector(".more").before(list.cloneNode(true));
  }

  // No list of what is visible: that would lay out the whole page. From where the reader is, the next that is not hidden.
  function move(step) {
    const found = all("main .item > summary"), at = document.activeElement;
    let next = found.indexOf(at) + step;
    if (!found.includes(at)) {
      const seen = document.elementsFromPoint(innerWidth / 2, 90).map((each) => each.closest(".item, section")).find(Boolean);
      const first = seen ? found.findIndex((each) => seen.contains(each) || seen.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) : 0;
      next = step > 0 ? first : first - 1;
    }
    while (found[next] && found[next].closest("[hidden]")) next += step;
    const stop = found[next];
    if (stop) { stop.focus({ preventScroll: true }); stop.scrollIntoView({ block: "nearest", behavior: "instant" }); }
  }
  function escape(at) {
    if (at === query || tools.contains(at)) { clear(); at.blur(); return; }
    const open = at.closest && at.closest("details[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); } else clear();
  }
  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement || document.body, typing = /^(input|select|textarea)$/.test(at.localName) && !/^(radio|checkbox)$/.test(at.type);
    if (event.key === "Escape") { escape(at); return; }
    if (event.key === "Enter" && at === query) { event.preventDefault(); apply(); at.blur(); move(1); return; }
    if (typing) return;
    if (event.key === "/") { event.preventDefault(); query.focus(); query.select(); }
    if (event.key === "j") move(1);
    if (event.key === "k") move(-1);
  }

  const store = { get: () => { try { return localStorage.getItem("driftscan-theme"); } catch { return null; } }, set: (value) => { try { localStorage.setItem("driftscan-theme", value); } catch { /* a page may not keep anything */ } } };
  for (const each of all("input[name=theme]")) { if (each.value === store.get()) each.checked = true; each.addEventListener("change", () => store.set(each.value)); }

  let closed = [];
  addEventListener("beforeprint", () => { if (CSS.supports("selector(::details-content)")) return; closed = all("details:not([open])"); for (const each of closed) each.open = true; });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; closed = []; });

  index.axes.forEach(([name, values], axis) => { if (values.length > 1) option(get("by"), axis, name); });
  if (get("by").options.length > 1) { const by = document.querySelector(".by"); by.hidden = false; const first = index.axes.findIndex(([name]) => name === get("cells").dataset.by); if (first >= 0) get("by").value = first; get("by").addEventListener("change", regroup); }
  tools.hidden = false; document.querySelector(".keys").hidden = false;
  tools.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", soon);
  for (const select of Object.values(choices)) select.addEventListener("change", apply);
  get("sort").addEventListener("change", sort);
  get("clear").addEventListener("click", clear);
  for (const name of ["mouseover", "focusin"]) get("cells").addEventListener(name, peek);
  document.addEventListener("toggle", differences, true);
  document.addEventListener("keydown", keys);
  document.addEventListener("click", (event) => { const link = event.target.closest && event.target.closest('a[href^="#"]'); if (link) setTimeout(() => reveal(link.getAttribute("href")), 0); });
  addEventListener("hashchange", () => reveal(location.hash));
  if (location.hash) addEventListener("load", () => reveal(location.hash));  // after the browser has gone there by itself
  for (const box of all("details.sighting[open]")) differences({ target: box });
})();
