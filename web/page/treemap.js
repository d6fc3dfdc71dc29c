// The tree as a map: the area of a prefix is what it holds, its shade the mean of it.
// A level is what the server gives of one prefix; of the biggest tiles the level below
// is drawn as well. Tiles are buttons: who does not see them reads and presses them.

import { $, attribute, list, make, row, say, show, style, text } from "./dom.js";
import { apart, exact, fitted, percent, short, size, some, span, took, visible } from "./format.js";
import { get, runPath } from "./api.js";
import { hierarchy, treemap } from "./vendor/d3-hierarchy-3.1.3/d3-hierarchy.min.mjs";

const top = 200; // tiles of a level, at most
const inside = 48; // tiles within a tile
const opened = 10; // tiles whose insides are drawn
const roomy = 15_000; // square pixels that make that worth a request
const every = 2500; // ms between looks at a run that goes on
const stale = 10_000; // ms after which insides are asked for again
const keptLevels = 48;
const wide = 7.3; // pixels of a character of a tile's name, and of one within a tile
const narrow = 6.7;

const meanSize = { of: (c) => (c.objects ? c.bytes / c.objects : 0), write: size, name: "mean object size" };
const measures = {
  objects: { of: (c) => c.objects, write: (v) => some(v, "object"), brief: short, name: "objects", shade: meanSize },
  bytes: { of: (c) => c.bytes, write: size, brief: size, name: "bytes", shade: meanSize },
  time: {
    of: (c) => c.seconds, write: took, brief: took, name: "time",
    shade: { of: (c) => (c.objects ? c.seconds / c.objects : 0), write: took, name: "time for an object" },
  },
};

export class Treemap {
  #stop = new AbortController();
  #timer = 0;
  #levels = new Map(); // `${by} ${prefix}` → {at, tree}, the last used last
  #tiles = new Map(); // key → element
  #tree = null;
  #over = false;
  #seen = false;
  #moving = "";
  #observers;
  #wake = () => {};

  constructor(run, { prefix, by, as }, go) {
    this.run = run;
    this.prefix = prefix;
    this.by = by in measures ? by : "objects";
    this.as = as === "table" ? "table" : "map";
    this.go = go;
    this.map = $("tree-map");
    const signal = this.#stop.signal;
    this.map.addEventListener("click", (e) => this.#press(e.target.closest(".tile")), { signal });
    this.map.addEventListener("keydown", (e) => this.#key(e), { signal });
    for (const [what, how] of [["focusin", true], ["pointerover", true], ["focusout", false], ["pointerleave", false]]) {
      this.map.addEventListener(what, (e) => this.#point(how ? e.target.closest(".tile") : null), { signal });
    }
    $("tree-by").addEventListener("click", (e) => e.target.dataset.by && this.go({ by: e.target.dataset.by }), { signal });
    $("tree-as").addEventListener("click", (e) => e.target.dataset.as && this.go({ as: e.target.dataset.as }), { signal });
    $("tree-rows").addEventListener("click", (e) => {
      const at = e.target.closest("button")?.dataset.prefix;
      if (at != null) this.go({ prefix: at });
    }, { signal });
    $("tree-crumbs").addEventListener("click", (e) => e.target.dataset.prefix != null && this.go({ prefix: e.target.dataset.prefix }), { signal });
    const resized = new ResizeObserver(() => this.#draw());
    resized.observe(this.map);
    const looked = new IntersectionObserver((entries) => {
      this.#seen = entries.at(-1).isIntersecting;
      if (this.#seen) this.#wake();
    }, { rootMargin: "200px" });
    looked.observe($("tree"));
    this.#observers = [resized, looked];
    this.#switches();
    this.#look();
  }

  close() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#wake();
    for (const o of this.#observers) o.disconnect();
    this.map.replaceChildren();
    delete this.map.dataset.shown;
    $("tree-rows").replaceChildren();
    $("tree-crumbs").replaceChildren();
    this.#tiles.clear();
    this.#levels.clear();
    show($("tree"), false);
  }

  /** Goes to another prefix, measure or form. */
  move({ prefix, by, as }) {
    by = by in measures ? by : "objects";
    as = as === "table" ? "table" : "map";
    if (prefix === this.prefix && by === this.by && as === this.as) return;
    this.#moving = this.map.contains(document.activeElement) ? "in" : "";
    if (prefix !== this.prefix && this.prefix.startsWith(prefix)) this.#moving &&= this.prefix;
    [this.prefix, this.by, this.as] = [prefix, by, as];
    this.#switches();
    const kept = this.#levels.get(this.#level(prefix));
    if (kept) {
      this.#tree = kept.tree;
      this.#draw();
    }
    this.#look();
  }

  /** Tells whether the run is over: then its totals are final, and are asked for once more. */
  over(yes) {
    if (yes === this.#over) return;
    this.#over = yes;
    this.#levels.clear();
    this.#look();
  }

  #level(prefix) {
    return `${this.by} ${prefix}`;
  }

  #switches() {
    for (const b of $("tree-by").children) attribute(b, "aria-pressed", b.dataset.by === this.by);
    for (const b of $("tree-as").children) attribute(b, "aria-pressed", b.dataset.as === this.as);
    attribute(this.map, "aria-label", "Prefixes by " + measures[this.by].name);
  }

  async #ask(prefix, most) {
    const q = new URLSearchParams({ prefix, by: this.by, top: most });
    return get(runPath(this.run, "tree?" + q), this.#stop.signal);
  }

  #keep(key, tree) {
    this.#levels.delete(key);
    this.#levels.set(key, { at: performance.now(), tree });
    if (this.#levels.size > keptLevels) this.#levels.delete(this.#levels.keys().next().value);
  }

  #turn = 0;
  async #look() {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    const { prefix, by } = this;
    let wait = every;
    try {
      const tree = await this.#ask(prefix, top);
      if (turn !== this.#turn || this.#stop.signal.aborted) return;
      this.#keep(`${by} ${prefix}`, tree);
      this.#tree = tree;
      const something = tree.objects > 0 || prefix !== "";
      show($("tree"), something);
      if (something) {
        this.#draw();
        await this.#insides(turn);
      }
    } catch (e) {
      if (this.#stop.signal.aborted || turn !== this.#turn) return;
      if (e.status === 404 && prefix === "") {
        show($("tree"), false); // the kind counts no prefixes
        wait = 4 * every;
      } else if (e.status === 404) {
        this.#tree = { prefix, complete: this.#over, objects: 0, bytes: 0, seconds: 0, prefixes: 0, children: [] };
        show($("tree"), true);
        this.#draw();
      } else {
        wait = 2 * every;
      }
    }
    if (turn !== this.#turn || this.#stop.signal.aborted || (this.#over && this.#tree?.complete)) return;
    this.#timer = setTimeout(async () => {
      while (document.hidden || (!this.#seen && !$("tree").hidden)) {
        await new Promise((go) => {
          this.#wake = go;
          setTimeout(go, 4 * every);
        });
        if (this.#stop.signal.aborted) return;
      }
      if (turn === this.#turn) this.#look();
    }, wait);
  }

  /** Asks for what is below the biggest tiles, a few at a time. */
  async #insides(turn) {
    if (this.as !== "map") return;
    const now = performance.now();
    const wanted = this.#placed
      .filter((p) => p.item.more && p.w * p.h > roomy && p.w > 70 && p.h > 60)
      .slice(0, opened)
      .map((p) => p.item.prefix)
      .filter((p) => {
        const kept = this.#levels.get(this.#level(p));
        return !kept || (!kept.tree.complete && now - kept.at > stale);
      });
    while (wanted.length && turn === this.#turn) {
      const some = wanted.splice(0, 3);
      const { by } = this;
      const got = await Promise.all(some.map((p) => this.#ask(p, inside).catch(() => null)));
      if (this.#stop.signal.aborted) return;
      got.forEach((tree, i) => tree && by === this.by && this.#keep(`${by} ${some[i]}`, tree));
      if (turn === this.#turn) this.#draw();
    }
  }

  /** What a level's area is divided among. */
  #items(tree) {
    const { of } = measures[this.by];
    const names = apart(tree.children.map((c) => this.#name(c.prefix, tree.prefix)));
    const items = tree.children.map((c, i) => ({ ...c, key: "p " + c.prefix, name: names[i], value: of(c) }));
    if (tree.rest?.prefixes) items.push({ ...tree.rest, key: "rest", name: `${short(tree.rest.prefixes)} more prefixes`, value: of(tree.rest), plain: true });
    if (tree.direct && of(tree.direct) > 0) items.push({ ...tree.direct, key: "direct", name: "directly here", value: of(tree.direct), plain: true });
    return items.filter((i) => i.value > 0);
  }

  #name(prefix, parent) {
    return prefix.startsWith(parent) && prefix !== parent ? prefix.slice(parent.length) : prefix;
  }

  #place(items, x, y, w, h, gap) {
    const root = hierarchy({ children: items }).sum((d) => d.value ?? 0).sort((a, b) => b.value - a.value);
    treemap().size([w, h]).paddingInner(gap).round(true)(root);
    return (root.children ?? []).map((n) => ({ item: n.data, x: x + n.x0, y: y + n.y0, w: n.x1 - n.x0, h: n.y1 - n.y0 })).filter((p) => p.w > 1 && p.h > 1);
  }

  #placed = [];
  #draw() {
    const tree = this.#tree;
    if (!tree || $("tree").hidden) return;
    this.#crumbs(tree);
    show(this.map, this.as === "map");
    show($("tree-table"), this.as === "table");
    show($("tree-shade"), this.as === "map");
    if (this.as === "table") {
      this.map.replaceChildren();
      this.#tiles.clear();
      this.#placed = [];
      this.#table(tree);
      this.#point(null);
      return;
    }
    $("tree-rows").replaceChildren();
    const w = this.map.clientWidth;
    const h = this.map.clientHeight;
    if (!w || !h) return;
    const items = this.#items(tree);
    this.#placed = this.#place(items, 0, 0, w, h, 3);
    const shade = this.#shades(items);
    const had = document.activeElement?.dataset?.key;
    const focused = this.map.contains(document.activeElement);
    const there = new Set();
    for (const p of this.#placed) {
      there.add(p.item.key);
      this.#tile(p, shade, tree);
    }
    for (const [key, e] of this.#tiles) {
      if (!there.has(key)) {
        e.remove();
        this.#tiles.delete(key);
      }
    }
    // One tile is in the order of the Tab key; the arrows go to the others.
    const came = this.#moving && this.#placed.find((p) => p.item.prefix != null && this.#moving.startsWith(p.item.prefix));
    const one = (came && this.#tiles.get(came.item.key)) || (had && this.#tiles.get(had)) || this.map.querySelector('[tabindex="0"]') || this.#tiles.get((this.#placed.find((p) => !p.item.plain) ?? this.#placed[0])?.item.key);
    for (const e of this.#tiles.values()) attribute(e, "tabindex", e === one ? 0 : -1);
    if (one && (this.#moving || (focused && !this.map.contains(document.activeElement)))) one.focus({ preventScroll: true });
    this.#moving = "";
    this.#point(this.map.contains(document.activeElement) ? document.activeElement : null);
    if (this.map.dataset.shown == null) performance.mark("map");
    this.map.dataset.shown = tree.prefix; // for those who wait for it
  }

  #shades(items) {
    const { shade } = measures[this.by];
    const all = items.map(shade.of).filter((v) => v > 0);
    const low = Math.min(...all);
    const high = Math.max(...all);
    const legend = $("tree-shade");
    if (!all.length || high / low < 1.01) {
      text(legend, "");
      return () => 0.5;
    }
    const ends = [`Shade: ${shade.name} ${shade.write(low)}`, shade.write(high)];
    if (legend.children.length !== 3) legend.replaceChildren(make("span"), make("i", { class: "ramp" }), make("span"));
    text(legend.firstChild, ends[0]);
    text(legend.lastChild, ends[1]);
    return (c) => {
      const v = shade.of(c);
      return v > 0 ? Math.min(1, Math.max(0, Math.log(v / low) / Math.log(high / low))) : 0;
    };
  }

  #tile({ item, x, y, w, h }, shade, tree) {
    let e = this.#tiles.get(item.key);
    if (!e) {
      e = make("button", { type: "button", class: "tile", tabindex: -1 }, make("span", { class: "name" }), " ", make("span", { class: "value" }), make("span", { class: "within", "aria-hidden": "true" }));
      e.dataset.key = item.key;
      if (item.prefix != null) e.dataset.prefix = item.prefix;
      this.#tiles.set(item.key, e);
      this.map.append(e);
    }
    const [name, value, within] = e.children;
    const { brief } = measures[this.by];
    style(e, "transform", `translate(${x}px,${y}px)`);
    style(e, "width", w + "px");
    style(e, "height", h + "px");
    style(e, "--v", shade(item).toFixed(3));
    e.classList.toggle("plain", Boolean(item.plain));
    e.classList.toggle("leaf", !item.more);
    const below = item.more && w * h > roomy && this.#levels.get(this.#level(item.prefix))?.tree;
    text(name, w > 40 && h > 18 ? fitting(item.name, below && w >= 130 ? w - 64 : w, wide) : "");
    text(value, w > 48 && h > 36 && !(below && w < 130) ? brief(item.value) : "");
    e.classList.toggle("open", Boolean(below));
    this.#within(within, below, w, h, shade);
    // It begins with what stands on the tile, as it stands there: who says that is understood.
    const label = `${item.name} ${brief(item.value)}: ${this.#figures(item, tree)}${item.more ? "" : ", nothing below"}`;
    attribute(e, "aria-label", label);
    if (item.plain) attribute(e, "aria-disabled", "true");
  }

  #within(parent, tree, w, h, shade) {
    const room = tree && w > 70 && h > 60;
    const inner = room ? this.#place(this.#items(tree), 3, 22, w - 6, h - 25, 1) : [];
    list(parent, inner, () => make("i", {}, make("b")), (e, p) => {
      style(e, "transform", `translate(${p.x}px,${p.y}px)`);
      style(e, "width", p.w + "px");
      style(e, "height", p.h + "px");
      style(e, "--v", shade(p.item).toFixed(3));
      e.className = p.item.plain ? "plain" : "";
      text(e.firstChild, p.w > 40 && p.h > 15 && !p.item.plain ? fitting(p.item.name, p.w, narrow) : "");
    });
  }

  #figures(c, tree) {
    const whole = measures[this.by].of(tree);
    const of = measures[this.by].of(c);
    const parts = [some(c.objects, "object"), size(c.bytes)];
    if (c.seconds > 0) parts.push(took(c.seconds));
    if (whole > 0 && c !== tree) parts.push(percent(Math.min(1, of / whole)) + " %");
    return parts.join(", ");
  }

  #point(tile) {
    const tree = this.#tree;
    if (!tree) return;
    const item = tile && this.#placed.find((p) => p.item.key === tile.dataset.key)?.item;
    const what = item
      ? `${item.plain ? item.name : visible(tree.prefix) + item.name} — ${this.#figures(item, tree)}`
      : `${some(tree.prefixes, "prefix").replace("prefixs", "prefixes")} here, ${this.#figures(tree, tree)}${tree.complete ? "" : ", so far"}`;
    text($("tree-told"), measures[this.by].of(tree) > 0 ? what : `Nothing here has ${measures[this.by].name}${tree.complete ? "" : ", so far"}.`);
  }

  #press(tile) {
    if (!tile) return;
    const item = this.#placed.find((p) => p.item.key === tile.dataset.key)?.item;
    if (item?.more) {
      this.go({ prefix: item.prefix });
      say(visible(item.prefix));
    } else if (item) {
      say("There is nothing below.");
    }
  }

  #key(e) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (ways[e.key]) {
      this.#step(e.target.closest(".tile"), ...ways[e.key]);
    } else if (e.key === "Escape" || e.key === "Backspace") {
      if (this.prefix === "") return;
      this.go({ prefix: this.#above() });
    } else if (e.key === "Home") {
      if (this.prefix !== "") this.go({ prefix: "" });
    } else {
      return;
    }
    e.preventDefault();
  }

  /** The prefix above, which is where its last part but one ends. */
  #above() {
    const crumbs = $("tree-crumbs").querySelectorAll("[data-prefix]");
    return crumbs[crumbs.length - 1]?.dataset.prefix ?? "";
  }

  /** Moves the focus to the nearest tile in a direction. */
  #step(tile, dx, dy) {
    const from = this.#placed.find((p) => p.item.key === tile?.dataset.key);
    if (!from) return;
    let best = null;
    let least = Infinity;
    for (const p of this.#placed) {
      if (p === from) continue;
      const gap = dx > 0 ? p.x - (from.x + from.w) : dx < 0 ? from.x - (p.x + p.w) : dy > 0 ? p.y - (from.y + from.h) : from.y - (p.y + p.h);
      if (gap < -1) continue;
      const off = dx ? beside(from.y, from.h, p.y, p.h) : beside(from.x, from.w, p.x, p.w);
      const far = gap + 3 * off;
      if (far < least) [best, least] = [p, far];
    }
    const next = best && this.#tiles.get(best.item.key);
    if (!next) return;
    tile.tabIndex = -1;
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
  }

  #crumbs(tree) {
    const parts = [{ prefix: "", name: "all" }];
    let at = 0;
    for (let i; (i = tree.prefix.indexOf("/", at)) >= 0 && i < tree.prefix.length - 1; at = i + 1) {
      parts.push({ prefix: tree.prefix.slice(0, i + 1), name: tree.prefix.slice(at, i + 1) });
    }
    if (tree.prefix !== "") parts.push({ prefix: null, name: tree.prefix.slice(at) });
    // A deep chain has too many to be shown: its top and its end are.
    const shown = parts.length > 6 ? [parts[0], { prefix: parts.at(-5).prefix, name: "…/" }, ...parts.slice(-4)] : parts;
    list($("tree-crumbs"), shown, () => make("span"), (e, p) => {
      const is = p.prefix != null && tree.prefix !== "" ? "BUTTON" : "B";
      if (e.firstChild?.tagName !== is) e.replaceChildren(make(is.toLowerCase(), is === "BUTTON" ? { type: "button" } : { "aria-current": "true" }));
      const inner = e.firstChild;
      text(inner, p.name === "all" ? "all" : fitted(p.name, 40));
      if (is === "BUTTON" && inner.dataset.prefix !== p.prefix) inner.dataset.prefix = p.prefix;
    });
  }

  #table(tree) {
    const whole = measures[this.by].of(tree);
    const items = this.#items(tree);
    list($("tree-rows"), items, () => {
      const r = row("mono long", "n", "n", "n wide", "n wide");
      r.firstChild.append(make("button", { type: "button", class: "link" }), make("span"));
      return r;
    }, (e, item) => {
      const [name, objects, bytes, time, share] = e.children;
      const [link, plain] = name.children;
      show(link, Boolean(item.more));
      show(plain, !item.more);
      text(item.more ? link : plain, item.name);
      text(item.more ? plain : link, "");
      if (item.more) link.dataset.prefix = item.prefix;
      text(objects, exact(item.objects));
      text(bytes, size(item.bytes));
      text(time, item.seconds > 0 ? span(item.seconds) : "–");
      text(share, whole > 0 ? percent(item.value / whole) + " %" : "–");
    });
  }
}

/** A name as it fits into so many pixels: its end tells it from its neighbours. */
const fitting = (name, width, each) => fitted(name, Math.max(3, Math.min(160, Math.floor((width - 11) / each))));

/** How far two stretches are apart, 0 where they lie beside each other. */
function beside(a, an, b, bn) {
  if (b + bn > a && b < a + an) return Math.abs(b + bn / 2 - (a + an / 2)) / 50;
  return Math.max(b - (a + an), a - (b + bn));
}
