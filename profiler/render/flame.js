// SPDX-License-Identifier: BSD-2-Clause
// Zoom, search, tooltips, the fit to the window, and all of that in the URL (#z=ROW.START&s=REGEX&i=1).
//
// Boxes of a row are sorted by where they start, and a box's children lie within it: what a zoom shows of a row is
// one run of boxes, found by bisection. Only that run is touched, so a click takes as long as what it shows.
(function () {
"use strict";

const SVG = "http://www.w3.org/2000/svg", HTML = "http://www.w3.org/1999/xhtml";
const SIDE = 10, ROOM = 8, FONT = 12;
const KINDS = ["user", "kernel", "JIT", "inlined", "label", "Python"]; // enum frame_kind

const page = document.documentElement;
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const graph = byId("graph"), details = byId("details"), bar = byId("bar"), head = byId("head");
const height = parseFloat(page.getAttribute("height"));
const barRest = parseFloat(bar.getAttribute("transform").split(" ")[1]);
let width = parseFloat(page.getAttribute("width"));

function readRow(group, numbers, row) {
	const count = numbers.length / 3;
	const r = {
		group, row, from: 0, to: count, labels: [...group.querySelectorAll("text")],
		rects: [...group.querySelectorAll("rect")],
		starts: new Float64Array(count), counts: new Float64Array(count), names: new Uint32Array(count),
	};
	let at = 0;

	for (let i = 0; i < count; i++) {
		r.starts[i] = at += numbers[3 * i];
		r.counts[i] = numbers[3 * i + 1];
		r.names[i] = numbers[3 * i + 2];
		at += r.counts[i];
		r.rects[i].n = i;
	}
	group.r = r;
	return r;
}

const groups = graph.querySelectorAll(".row");
const rows = data.rows.map((numbers, row) => readRow(groups[row], numbers, row));
const state = {row: 0, index: 0, search: "", ignoreCase: false};
let hits = null; // [name]: true where the search matches

/* Text */

const pen = document.createElementNS(HTML, "canvas").getContext("2d");
const widths = new Map();

function textWidth(text, tower) {
	const font = (tower ? "bold 15px " : "12px ") + "Verdana, 'DejaVu Sans', sans-serif";
	let sum = 0;

	for (const c of text) {
		const key = c + (tower ? "b" : "");
		let w = widths.get(key);

		if (w === undefined) {
			pen.font = font;
			widths.set(key, w = pen.measureText(c).width);
		}
		sum += w;
	}
	return sum;
}

function fit(text, room, tower) {
	let low = 0, high = text.length;

	// No character is narrower than 3 px: a long template's name need not be measured to its end.
	text = text.slice(0, Math.ceil(room / 3) + 1);
	high = text.length;
	if (textWidth(text, tower) <= room)
		return text;
	while (low < high) {
		const middle = (low + high + 1) >> 1;

		if (textWidth(text.slice(0, middle) + "…", tower) <= room)
			low = middle;
		else
			high = middle - 1;
	}
	if (low && text.charCodeAt(low - 1) >> 10 === 0x36)
		low--;
	return low ? text.slice(0, low) + "…" : "";
}

const grouped = (n) => n.toLocaleString("en-US");
const percent = (part, whole) => (whole ? Math.min(100, 100 * part / whole) : 0).toFixed(1) + "%";
const nameOf = (r, i) => data.names[r.names[i]];
const tooltip = (r, i) => `${nameOf(r, i)} (${grouped(r.counts[i])} ${data.count}, ${percent(r.counts[i], data.total)})`;

/* The last box of a row that starts at or before @at: an ancestor of whatever lies at @at, if there is one. */
function boxAt(r, at) {
	let low = 0, high = r.starts.length;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (r.starts[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

function describe(r, i) {
	const more = [];

	if (r.row && KINDS[data.kinds[r.names[i]]] !== "label")
		more.push(KINDS[data.kinds[r.names[i]]]);
	if (data.in[r.names[i]])
		more.unshift(data.modules[data.in[r.names[i]]]);
	if (data.towers && r.row > 1) {
		const tower = boxAt(rows[1], r.starts[i]);

		more.push(percent(r.counts[i], rows[1].counts[tower]) + " of " + nameOf(rows[1], tower));
	}
	return tooltip(r, i) + (more.length ? " · " + more.join(" · ") : "");
}

/* Drawing */

const zoomed = () => state.row > 0;
const view = () => ({start: rows[state.row].starts[state.index], count: rows[state.row].counts[state.index]});

function hide(r, from, to) {
	for (let i = from; i < to; i++)
		r.rects[i].style.display = "none";
}

function place(r, i, x, share, up) {
	const rect = r.rects[i], pixels = share * (width - 2 * SIDE);

	rect.style.display = "";
	rect.setAttribute("x", +(100 * x).toFixed(4) + "%");
	rect.setAttribute("width", +(100 * (pixels > 3 ? share - 0.7 / (width - 2 * SIDE) : share)).toFixed(4) + "%");
	rect.classList.toggle("up", up);
}

function runOf(r, v) {
	let from, to;

	if (r.row < state.row) {
		from = boxAt(r, v.start);
		return [from, from + 1];
	}
	if (r.row === state.row)
		return [state.index, state.index + 1];
	from = boxAt(r, v.start);
	if (from < 0 || r.starts[from] < v.start)
		from++;
	to = boxAt(r, v.start + v.count) + 1;
	while (to > from && r.starts[to - 1] >= v.start + v.count)
		to--;
	return [from, to];
}

function drawBoxes() {
	const v = view();

	for (const r of rows) {
		const [from, to] = runOf(r, v), above = r.row < state.row;

		hide(r, r.from, Math.min(r.to, from));
		hide(r, Math.max(r.from, to), r.to);
		r.from = from;
		r.to = to;
		for (let i = from; i < to; i++)
			place(r, i, above ? 0 : (r.starts[i] - v.start) / v.count, above ? 1 : r.counts[i] / v.count, above);
	}
}

function drawLabels() {
	const v = view(), pixels = width - 2 * SIDE;

	for (const r of rows) {
		const tower = data.towers && r.row === 1, above = r.row < state.row;

		for (const label of r.labels)
			label.remove();
		r.labels = [];
		for (let i = r.from; i < r.to; i++) {
			const room = (above ? 1 : r.counts[i] / v.count) * pixels - ROOM;

			if (room < 1.5 * FONT)
				continue;
			drawLabel(r, i, above ? 0 : (r.starts[i] - v.start) / v.count, room, tower);
		}
	}
}

function drawLabel(r, i, x, room, tower) {
	const name = nameOf(r, i), share = "  " + percent(r.counts[i], data.total);
	const label = document.createElementNS(SVG, "text");
	let text = fit(name, room, tower);

	if (!text)
		return;
	label.setAttribute("x", +(100 * x).toFixed(4) + "%");
	label.setAttribute("dx", 4);
	label.setAttribute("y", tower ? 20 : 13);
	if (tower)
		label.setAttribute("class", "tower");
	label.textContent = text;
	if (tower && text === name && textWidth(name, true) + textWidth(share, false) < room) {
		const part = document.createElementNS(SVG, "tspan");

		part.setAttribute("font-size", FONT);
		part.setAttribute("font-weight", "normal");
		part.textContent = share;
		label.appendChild(part);
	}
	r.group.appendChild(label);
	r.labels.push(label);
}

/* Search */

function compile() {
	try {
		return new RegExp(state.search, state.ignoreCase ? "iu" : "u");
	} catch (e) {
		try {
			return new RegExp(state.search, state.ignoreCase ? "i" : "");
		} catch (e2) {
			return null;
		}
	}
}

function drawHits() {
	const regex = state.search ? compile() : null;

	tools.input.classList.toggle("wrong", Boolean(state.search) && !regex);
	hits = regex ? data.names.map((name) => regex.test(name)) : null;
	if (hits)
		hits[rows[0].names[0]] = false;
	for (const r of rows)
		for (let i = 0; i < r.rects.length; i++)
			if (hits || r.rects[i].classList.length)
				r.rects[i].classList.toggle("hit", hits !== null && hits[r.names[i]]);
	page.classList.toggle("searching", hits !== null);
}

/* A match above a match counts once: what is added up is the width of their shadow on the view. */
function matchedCount() {
	const v = view(), spans = [];
	let sum = 0, reached = v.start;

	for (const r of rows) {
		if (r.row < state.row) {
			if (hits[r.names[r.from]])
				return v.count;
			continue;
		}
		for (let i = r.from; i < r.to; i++)
			if (hits[r.names[i]])
				spans.push([r.starts[i], r.starts[i] + r.counts[i]]);
	}
	spans.sort((a, b) => a[0] - b[0]);
	for (const [start, end] of spans) {
		if (end > reached)
			sum += end - Math.max(start, reached);
		reached = Math.max(reached, end);
	}
	return sum;
}

function drawMatched() {
	if (!hits) {
		tools.matched.textContent = "";
		return;
	}
	const count = matchedCount();

	tools.matched.textContent = "Matched: " + percent(count, view().count) +
		(zoomed() ? " (" + percent(count, data.total) + " of all)" : "");
	tools.matched.title = grouped(count) + " " + data.count;
}

/* Tools: in the page rather than in a prompt, so that a search can be tried and changed while looking. */

function element(name, parent, attributes, text) {
	const e = document.createElementNS(HTML, name);

	for (const key in attributes)
		e.setAttribute(key, attributes[key]);
	if (text)
		e.textContent = text;
	parent.appendChild(e);
	return e;
}

function makeTools() {
	const frame = document.createElementNS(SVG, "foreignObject");

	frame.setAttribute("y", 8);
	frame.setAttribute("height", 30);
	page.appendChild(frame);
	const box = element("div", frame, {id: "tools"});
	const t = {
		frame,
		matched: element("span", box, {id: "matched", "aria-live": "polite"}),
		reset: element("button", box, {id: "reset", type: "button", title: "Show everything again (Esc)"}, "Reset zoom"),
		input: element("input", box, {
			id: "search", type: "text", spellcheck: "false", autocomplete: "off",
			placeholder: "Search (Ctrl-F), regex", "aria-label": "Search by regular expression",
		}),
		ignoreCase: element("button", box, {
			id: "case", type: "button", title: "Ignore case (Ctrl-I)", "aria-pressed": "false",
		}, "Aa"),
		clear: element("button", box, {id: "clear", type: "button", title: "Clear the search (Esc)"}, "Clear"),
	};
	let wait = 0;

	t.reset.onclick = () => zoom(0, 0);
	t.clear.onclick = () => search("");
	t.ignoreCase.onclick = toggleCase;
	t.input.oninput = () => {
		clearTimeout(wait);
		wait = setTimeout(() => search(t.input.value), 120);
	};
	t.input.onchange = () => {
		clearTimeout(wait);
		if (t.input.value !== state.search)
			search(t.input.value);
	};
	return t;
}

function drawTools() {
	tools.reset.hidden = !zoomed();
	tools.clear.hidden = !state.search;
	tools.ignoreCase.setAttribute("aria-pressed", String(state.ignoreCase));
	if (tools.input.value !== state.search)
		tools.input.value = state.search;
}

/* State: what the user does changes it and writes it into the URL; reload, bookmark and "back" read it from there. */

function writeUrl(replace) {
	const parts = [];

	if (zoomed())
		parts.push("z=" + state.row + "." + rows[state.row].starts[state.index]);
	if (state.search)
		parts.push("s=" + encodeURIComponent(state.search));
	if (state.ignoreCase)
		parts.push("i=1");
	const hash = parts.length ? "#" + parts.join("&") : "";

	if (hash === location.hash)
		return;
	try {
		const url = location.href.split("#")[0] + hash;

		history[replace ? "replaceState" : "pushState"](null, "", url);
	} catch (e) {
		// A page that may not touch its history (a sandboxed frame) does without.
	}
}

function readUrl() {
	const found = {row: 0, index: 0, search: "", ignoreCase: false};

	for (const part of location.hash.slice(1).split("&")) {
		const value = part.slice(2);

		if (part.startsWith("z=")) {
			const [row, start] = value.split(".").map(Number);
			const index = rows[row] ? boxAt(rows[row], start) : -1;

			if (index >= 0 && rows[row].starts[index] === start) {
				found.row = row;
				found.index = index;
			}
		} else if (part.startsWith("s=")) {
			try {
				found.search = decodeURIComponent(value);
			} catch (e) {
				found.search = "";
			}
		} else if (part === "i=1") {
			found.ignoreCase = true;
		}
	}
	Object.assign(state, found);
}

function draw() {
	drawBoxes();
	drawLabels();
	drawHits();
	drawMatched();
	drawTools();
}

function zoom(row, index) {
	if (row === state.row && index === state.index)
		return;
	state.row = row;
	state.index = index;
	writeUrl(false);
	drawBoxes();
	drawLabels();
	drawMatched();
	drawTools();
}

function search(text) {
	const typing = Boolean(text && state.search);

	state.search = text;
	writeUrl(typing);
	drawHits();
	drawMatched();
	drawTools();
}

function toggleCase() {
	state.ignoreCase = !state.ignoreCase;
	writeUrl(true);
	drawHits();
	drawMatched();
	drawTools();
}

/* The window */

function fitWindow() {
	if (data.fluid) {
		width = Math.max(page.getBoundingClientRect().width, 320);
		graph.setAttribute("width", width - 2 * SIDE);
	}
	tools.frame.setAttribute("x", Math.max(width - SIDE - 640, SIDE));
	tools.frame.setAttribute("width", Math.min(640, width - 2 * SIDE));
	stick();
	drawLabels();
}

/* In a graph taller than the window the line about the box under the mouse, and the tools, stay in sight. */
function stick() {
	const bottom = window.scrollY + window.innerHeight - 26, top = Math.max(0, window.scrollY);

	bar.setAttribute("transform", "translate(0 " + Math.min(barRest, Math.max(bottom, 0)) + ")");
	tools.frame.setAttribute("y", 8 + Math.min(top, height));
}

function showDetails(text) {
	details.textContent = text || " ";
	bar.style.visibility = text ? "" : "hidden";
}

function boxOf(event) {
	const rect = event.target, r = rect.parentNode && rect.parentNode.r;

	return r && rect.n !== undefined ? [r, rect.n] : null;
}

function onKey(event) {
	const control = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();

	if (control && key === "f" || event.key === "F3" || (key === "/" && document.activeElement !== tools.input)) {
		// Pressed again in the box, it is the browser's own search.
		if (document.activeElement === tools.input)
			return;
		tools.input.focus();
		tools.input.select();
	} else if (control && key === "i") {
		toggleCase();
	} else if (key === "escape") {
		if (state.search || document.activeElement === tools.input) {
			search("");
			tools.input.blur();
		} else {
			zoom(0, 0);
		}
	} else {
		return;
	}
	event.preventDefault();
}

const tools = makeTools();

page.classList.add("live");
if (data.fluid) {
	page.setAttribute("width", "100%");
	page.removeAttribute("viewBox");
}
graph.addEventListener("click", (event) => {
	const box = boxOf(event);

	if (box)
		zoom(box[0].row, box[1]);
});
graph.addEventListener("mouseover", (event) => {
	const box = boxOf(event);

	showDetails(box ? describe(...box) : "");
	if (box && !event.target.firstChild) {
		const title = document.createElementNS(SVG, "title");

		title.textContent = tooltip(...box);
		event.target.appendChild(title);
	}
});
graph.addEventListener("mouseleave", () => showDetails(""));
window.addEventListener("keydown", onKey);
window.addEventListener("popstate", () => {
	readUrl();
	draw();
});
window.addEventListener("hashchange", () => {
	readUrl();
	draw();
});
window.addEventListener("resize", fitWindow);
window.addEventListener("scroll", stick);

showDetails("");
readUrl();
fitWindow();
// The containers are at the bottom: that is where to begin looking at a tall graph.
if (!data.inverted)
	window.scrollTo(0, height);
if (zoomed() || state.search)
	draw();
else
	drawTools();
})();
