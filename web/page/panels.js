// The panels below the map. Each is shown readings, and asks for what they do not hold
// no oftener than it must.

import { $, attribute, list, make, row, show, style, text } from "./dom.js";
import { dollars, exact, fitted, moment, short, size, some, span, took, visible } from "./format.js";
import { get, runPath } from "./api.js";
import { Bars, Chart } from "./charts.js";
import { Ring } from "./history.js";

/** What is asked for again while a run goes on: at once, every so often, and at its end. */
class Asked {
  #stop = new AbortController();
  #at = -Infinity;
  #end = "";
  #asking = false;

  constructor(run, path, every) {
    this.path = runPath(run, path);
    this.every = every;
  }

  show(r, ended) {
    const end = ended ? `${r.epoch} ${r.state}` : "";
    const due = ended ? end !== this.#end : performance.now() - this.#at > this.every && !document.hidden;
    if (due) this.#ask(r, end);
  }

  async #ask(r, end) {
    if (this.#asking) return;
    this.#asking = true;
    this.#at = performance.now();
    try {
      this.draw(await get(this.path, this.#stop.signal), r);
      this.#end = end;
    } catch (e) {
      if (!this.#stop.signal.aborted) this.none?.(e);
    }
    this.#asking = false;
  }

  close() {
    this.#stop.abort();
  }
}

/** A node's name below the target, which need not be said each time. */
const below = (node, target) => (target && node.length > target.length && node.startsWith(target) ? node.slice(target.length) : node);

const mostWorkers = 100;

export class Workers {
  show(r) {
    const all = r.workers;
    const alive = all.filter((w) => w.alive);
    const crew = Math.max(r.crew ?? 0, all.length);
    text($("workers-sum"), all.length ? `${exact(alive.length)} alive of ${exact(crew)}` : "none yet");
    const shown = [...all].sort((a, b) => b.alive - a.alive).slice(0, mostWorkers);
    list($("workers"), shown, () => {
      const e = row("mono name", "use", "n wide", "doing mono");
      e.children[0].append(make("i", { class: "dot", "aria-hidden": "true" }), make("span"));
      e.children[1].append(make("span", { class: "mini", "aria-hidden": "true" }, make("i")), make("span"));
      return e;
    }, (e, w) => {
      const [id, use, units, doing] = e.children;
      e.className = w.alive ? "" : "gone";
      text(id.lastChild, fitted(w.id, 26));
      attribute(id, "title", visible(w.id));
      style(use.firstChild.firstChild, "width", w.slots ? `${Math.min(100, (100 * w.in_flight) / w.slots).toFixed(0)}%` : "0%");
      text(use.lastChild, w.alive ? `${w.in_flight} / ${w.slots}` : `gone ${moment(w.at)}`);
      text(units, short(w.units));
      const now = [...(w.alive ? w.doing ?? [] : [])].sort((a, b) => b.seconds - a.seconds);
      const lines = now.slice(0, 3).map((one) => [fitted(below(one.node, r.target), 40), took(one.seconds), one.node]);
      if (now.length > 3) lines.push(["", `and ${now.length - 3} more`, ""]);
      list(doing, lines, () => make("div", {}, make("span"), make("small")), (d, [node, seconds, whole]) => {
        text(d.firstChild, node);
        text(d.lastChild, seconds);
        attribute(d, "title", whole ? visible(whole) : null);
      });
    });
  }

  close() {
    $("workers").replaceChildren();
  }
}

export class Slowest extends Asked {
  constructor(run) {
    super(run, "slowest", 5000);
    this.draw({ nodes: [] });
  }

  draw({ nodes }, r) {
    show($("slowest-none"), nodes.length === 0);
    text($("slowest-none"), r?.nodes ? "The workers have told of none yet." : "None has ended yet.");
    list($("slowest"), nodes.slice(0, 10), () => {
      const e = row("mono", "n");
      e.firstChild.append(make("span", { class: "wrap" }));
      return e;
    }, (e, n) => {
      text(e.firstChild.firstChild, fitted(below(n.node, r?.target), 60));
      attribute(e.firstChild, "title", `${visible(n.node)} (${visible(n.kind)}, ended ${moment(n.at)})`);
      text(e.lastChild, took(n.seconds));
    });
  }
}

const mostBars = 48;

export class Histograms extends Asked {
  constructor(run) {
    super(run, "histograms", 5000);
    this.sizes = new Bars($("sizes"), "Object sizes", $("sizes-told"));
    this.depths = new Bars($("depths"), "Depth of objects", $("depths-told"));
  }

  draw({ sizes, depths }) {
    show($("histograms"), sizes.length + depths.length > 0);
    const all = sizes.reduce((a, s) => a + s.objects, 0);
    this.sizes.show(sizes.map((s) => ({
      label: size(s.from).replace(" ", ""), value: s.objects,
      told: `${s.from === 0 && s.to <= 1 ? "empty" : `${size(s.from)} to ${size(s.to)}`}: ${some(s.objects, "object")}, ${size(s.bytes)}`,
    })), all ? `half are below ${size(median(sizes, all))}` : "");
    const group = Math.ceil(depths.length / mostBars);
    const grouped = [];
    for (let i = 0; i < depths.length; i += group) {
      const some = depths.slice(i, i + group);
      grouped.push({ from: some[0].depth, to: some.at(-1).depth, objects: some.reduce((a, d) => a + d.objects, 0) });
    }
    const deepest = depths.findLast?.((d) => d.objects > 0)?.depth;
    this.depths.show(grouped.map((d) => ({
      label: String(d.from), value: d.objects,
      told: `${d.from === d.to ? "level " + d.from : `levels ${d.from} to ${d.to}`}: ${some(d.objects, "object")}`,
    })), deepest == null ? "" : `${deepest} at most`);
  }

  close() {
    super.close();
    this.sizes.close();
    this.depths.close();
  }
}

/** The bound below which half of the objects are. */
function median(sizes, all) {
  let n = 0;
  for (const s of sizes) {
    n += s.objects;
    if (2 * n >= all) return s.to;
  }
  return 0;
}

const perPage = 50;

export class Failures {
  #stop = new AbortController();
  #next = "";
  #known = ""; // what the page that is shown was asked for
  #at = -Infinity;
  #page = 1;
  #turn = 0;
  #listed = -1; // up to the end of the page that is shown; below 0: none is yet
  #reading = null;

  constructor(run, house) {
    this.run = run;
    this.house = house;
    const signal = this.#stop.signal;
    $("failures-first").addEventListener("click", () => this.#ask("", 1), { signal });
    $("failures-next").addEventListener("click", () => this.#next && this.#ask(this.#next, this.#page + 1), { signal });
  }

  show(r, ended) {
    this.#reading = r;
    show($("failures"), r.failures > 0);
    if (r.failures === 0) {
      if (this.#known) $("failures-rows").replaceChildren();
      [this.#known, this.#next, this.#page, this.#listed] = ["", "", 1, -1];
      return;
    }
    const key = `${r.failures} ${r.epoch} ${ended && r.state}`;
    const since = performance.now() - this.#at;
    // Who reads a later page is not taken back to the first.
    if (this.#page === 1 && (key !== this.#known ? ended || since > 3000 : !ended && this.#unlisted() > 0 && since > 10_000)) {
      this.#known = key;
      this.#ask("", 1);
    }
    this.#tell();
  }

  /** How many were counted that no page has: they are found through nodes that are done. */
  #unlisted() {
    return this.#next || this.#listed < 0 ? 0 : Math.max(0, this.#reading.failures - this.#listed);
  }

  #tell() {
    const more = this.#unlisted();
    const why = this.#reading.state === "cancelled" ? "were not done when the run was cancelled, so they cannot be listed" : "are not done yet, listed when those are";
    text($("failures-sum"), [
      `${some(this.#reading.failures, "node")} given up`,
      (this.#page > 1 || this.#next) && `page ${this.#page}`,
      more > 0 && `${exact(more)} of them below nodes that ${why}`,
    ].filter(Boolean).join(", "));
  }

  async #ask(after, page) {
    const turn = ++this.#turn;
    this.#at = performance.now();
    try {
      const q = new URLSearchParams({ limit: perPage });
      if (after) q.set("after", after);
      const { failures, next } = await get(runPath(this.run, "failures?" + q), this.#stop.signal);
      if (turn !== this.#turn) return;
      [this.#next, this.#page, this.#listed] = [next, page, perPage * (page - 1) + failures.length];
      this.#draw(failures);
      this.#tell();
    } catch (e) {
      if (this.#stop.signal.aborted) return;
      this.#known = "";
      if (page > 1) this.house.refused(e, "The failures could not be read", "order");
    }
  }

  #draw(failures) {
    $("failures-first").disabled = this.#page === 1;
    $("failures-next").disabled = !this.#next;
    show($("failures-first").parentElement, this.#page > 1 || Boolean(this.#next));
    list($("failures-rows"), failures, () => row("mono", "reason", "n", "n wide", "mono wide", "n wide"), (e, f) => {
      const [node, reason, attempts, at, kind, depth] = e.children;
      text(node, visible(f.node));
      text(reason, visible(f.reason));
      text(attempts, f.attempts ? exact(f.attempts) : "–");
      text(at, f.at ? moment(f.at) : "–");
      text(kind, visible(f.kind));
      text(depth, exact(f.depth ?? 0));
    });
  }

  close() {
    this.#stop.abort();
    $("failures-rows").replaceChildren();
  }
}

/** Pairs of a name and a figure in a list of definitions. */
function pairs(parent, items) {
  list(parent, items.filter(Boolean), () => make("div", {}, make("dt"), make("dd")), (e, [name, value, bad]) => {
    text(e.firstChild, name);
    text(e.lastChild, value);
    e.className = bad ? "bad" : "";
  });
}

export class Details {
  show(r) {
    pairs($("details"), [
      ["Run", visible(r.run)],
      ["Kind", visible(r.kind)],
      ["Begun", moment(r.created)],
      ["Worked on for", span(r.seconds)],
      r.epoch > 0 && ["Redriven", r.epoch === 1 ? "once" : `${r.epoch} times`],
      ["Concurrency", r.concurrency ? exact(r.concurrency) : "each worker's own"],
      r.cost && ["Cost so far", dollars(r.cost.so_far)],
      r.cost?.total && ["Cost in all, about", dollars(r.cost.total)],
      ...Object.entries(r.requests).sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, 24).map(([name, n]) => [visible(name) + " requests", exact(n)]),
    ]);
  }

  close() {
    $("details").replaceChildren();
  }
}

const doers = { governor: "Governor", autoscaling: "Auto Scaling", ecs: "ECS" };

export class FleetPanel {
  #tasks = new Ring(2);
  #backlog = new Ring(3);
  #charts = null;

  show(r) {
    const f = r.fleet;
    show($("fleet"), Boolean(f));
    if (!f) return;
    if (!this.#charts) {
      const over = "the time since the run was begun";
      this.#charts = [
        new Chart($("fleet-charts"), { name: "Tasks", write: short, steps: true, over }),
        new Chart($("fleet-charts"), { name: "Backlog per task", write: took, mark: true, over }),
      ];
    }
    text($("fleet-cost"), r.cost ? `${dollars(r.cost.so_far)} so far${r.cost.total ? `, about ${dollars(r.cost.total)} in all` : ""}` : "");
    const behind = f.backlog_seconds != null && f.target != null && f.backlog_seconds > f.target;
    pairs($("fleet-figures"), [
      ["Tasks", `${exact(f.running)}${f.desired || f.pending ? ` of ${exact(f.desired)}` : ""}${f.pending ? `, ${exact(f.pending)} starting` : ""}`],
      ["Their bounds", f.max == null ? "–" : `${exact(f.min ?? 0)} to ${exact(f.max)}`],
      ["Backlog per task", [
        f.backlog_seconds == null ? "" : took(f.backlog_seconds), f.backlog_per_task == null ? "" : some(Math.round(f.backlog_per_task), "message"),
      ].filter(Boolean).join(", ") || "–", behind],
      ["Its target", f.target == null ? "–" : took(f.target)],
      ["Unread", exact(f.unread)],
      ["In flight", exact(f.in_flight)],
      ["Delayed", exact(f.delayed)],
      ["Oldest message", f.oldest == null ? "–" : span(f.oldest)],
    ]);
    const missing = f.missing ?? [];
    show($("fleet-missing"), missing.length > 0);
    text($("fleet-missing"), "Not known: " + missing.map((m) => `${visible(m.part)} (${visible(m.reason)})`).join("; "));
    // By the clock: while nobody works yet, which is when tasks are waited for, the run's own
    // time stands still.
    const at = (new Date(r.at) - new Date(r.created)) / 1000;
    this.#tasks.add(at, f.running);
    this.#backlog.add(at, f.backlog_seconds, f.target);
    const seconds = f.backlog_seconds == null ? "–" : took(f.backlog_seconds);
    this.#charts[0].show(this.#tasks.data, exact(f.running), `${exact(f.running)} now`);
    this.#charts[1].show(this.#backlog.data, seconds, `${seconds} now, the target is ${f.target == null ? "not known" : took(f.target)}`);
    list($("fleet-events"), (f.events ?? []).slice(0, 50), () => make("li", {}, make("time"), make("b"), make("span")), (e, event) => {
      const [at, by, what] = e.children;
      attribute(at, "datetime", event.at);
      text(at, moment(event.at));
      text(by, doers[event.by] ?? visible(event.by ?? ""));
      text(what, visible(event.message));
    });
  }

  repaint() {
    for (const c of this.#charts ?? []) c.repaint();
  }

  close() {
    for (const c of this.#charts ?? []) c.close();
    $("fleet-events").replaceChildren();
    $("fleet-figures").replaceChildren();
    show($("fleet"), false);
  }
}
