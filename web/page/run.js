// The page of one run: its readings come as a stream, what is bigger is asked for now
// and then.

import { $, attribute, say, show, style, text } from "./dom.js";
import { exact, moment, percent, perSecond, size, sizePerSecond, some, span, visible } from "./format.js";
import { Refused, get, post, runPath, stream } from "./api.js";
import { Chart, repaint } from "./charts.js";
import { History } from "./history.js";
import { Treemap } from "./treemap.js";
import { Details, Failures, FleetPanel, Histograms, Slowest, Workers } from "./panels.js";
import { stateNames } from "./runs.js";

const over = (state) => state === "finished" || state === "finished_with_failures" || state === "cancelled";
const nothing = "–";

export class RunPage {
  #stop = new AbortController();
  #way = new AbortController(); // how readings come now: by a stream, or now and then
  #timers = new Set();
  #history = new History();
  #reading = null;
  #drawn = -Infinity; // charts were, by the clock
  #due = false; // they are to be drawn
  #pressed = false;
  #dirty = false; // somebody types a concurrency

  constructor(run, p, house) {
    performance.clearMarks();
    this.run = run;
    this.house = house;
    document.title = visible(run) + " · Ramify";
    this.#blank();
    this.charts = [
      ["Nodes a second", perSecond, "nodes"], ["Objects a second", perSecond, "objects"],
      ["Size a second", sizePerSecond, "bytes"], ["Requests a second", perSecond, "requests"],
    ].map(([name, write, key]) => ({ key, write, chart: new Chart($("charts"), { name, write, binary: key === "bytes" }) }));
    this.tree = new Treemap(run, this.#place(p), (to) => this.#go(to));
    this.panels = [new Workers(), new Details()];
    this.failures = new Failures(run, house);
    this.slowest = new Slowest(run);
    this.histograms = new Histograms(run);
    this.fleet = new FleetPanel();
    this.#buttons();
    this.#follow();
    this.#keepUp();
  }

  close() {
    this.#stop.abort();
    for (const t of this.#timers) clearTimeout(t);
    for (const c of this.charts) c.chart.close();
    for (const p of [this.tree, this.failures, this.slowest, this.histograms, this.fleet, ...this.panels]) p.close();
    $("sure").close();
  }

  /** Goes where the address says. */
  move(p) {
    this.tree.move(this.#place(p));
  }

  repaint() {
    repaint();
    for (const c of this.charts) c.chart.repaint();
    this.fleet.repaint();
  }

  #place(p) {
    return { prefix: p.get("prefix") ?? "", by: p.get("by") ?? "objects", as: p.get("as") ?? "map" };
  }

  #go(to) {
    const now = { prefix: this.tree.prefix, by: this.tree.by, as: this.tree.as, ...to };
    const usual = { prefix: now.prefix, by: now.by === "objects" ? "" : now.by, as: now.as === "map" ? "" : now.as };
    location.hash = this.house.address(this.run, usual).slice(1);
  }

  #later(what, ms) {
    const t = setTimeout(() => {
      this.#timers.delete(t);
      if (!this.#stop.signal.aborted) what();
    }, ms);
    this.#timers.add(t);
  }

  #blank() {
    text($("target"), visible(this.run));
    for (const id of ["reason", "facts", "elapsed", "eta", "state"]) text($(id), "");
    for (const id of ["nodes", "objects", "bytes", "requests", "slots", "failures"]) {
      text($("f-" + id), nothing);
      text($("r-" + id), "");
    }
    text($("percent"), "0.0");
    style($("bar").firstChild, "width", "0%");
    for (const id of ["pause", "resume", "cancel", "redrive", "concurrency", "fleet", "failures", "histograms"]) show($(id), false);
    $("figures").classList.remove("ready");
  }

  /**
   * Reads the stream, again and again until the run is over or nobody sees the page: a
   * browser has six connections to a server for all its pages, and those that are hidden
   * would keep the seventh from opening.
   */
  async #follow() {
    const signal = this.#another();
    let wait = 1000;
    while (!signal.aborted) {
      if (document.hidden) {
        this.#glance(this.#reading ? undefined : 0);
        return;
      }
      const unseen = new AbortController();
      const end = AbortSignal.any([signal, unseen.signal]);
      document.addEventListener("visibilitychange", () => document.hidden && unseen.abort(), { signal: end });
      try {
        await stream(runPath(this.run, "events"), end, (r) => {
          wait = 1000;
          if (!r.stale) this.house.notice("");
          this.#show(r);
        });
        if (this.#reading && over(this.#reading.state)) {
          this.#glance();
          return;
        }
        if (end.aborted) continue;
        throw new Refused(0, "the connection was lost");
      } catch (e) {
        if (signal.aborted) return;
        this.#live("lost");
        this.house.refused(e, e.status === 404 ? "This run cannot be shown" : "No figures come in, the page tries again");
        if (e.status === 401 || e.status === 404) return;
      } finally {
        unseen.abort();
      }
      await new Promise((go) => this.#later(go, wait));
      wait = Math.min(2 * wait, 15_000);
    }
  }

  /** Ends the way in which readings came, and is the signal by which the next one ends. */
  #another() {
    this.#way.abort();
    this.#way = new AbortController();
    return AbortSignal.any([this.#stop.signal, this.#way.signal]);
  }

  /**
   * Reads now and then, where there is no stream: notices that a run that was over is
   * begun again, by whomever. By these requests `ramify run --web` notices that somebody
   * looks, so they do not wait for long.
   */
  #glance(wait = 10_000) {
    const signal = this.#another();
    const wake = new AbortController();
    let done = false;
    const look = async () => {
      if (done || signal.aborted) return;
      done = true;
      wake.abort();
      try {
        const r = await get(runPath(this.run), signal);
        if (!r.stale) this.house.notice("");
        this.#show(r);
        if (!over(r.state) && !document.hidden) {
          this.#follow();
          return;
        }
      } catch (e) {
        if (signal.aborted) return;
        this.#live("lost");
        this.house.refused(e, "What is shown is the last that came in");
        if (e.status === 401) return;
      }
      this.#glance();
    };
    document.addEventListener("visibilitychange", () => document.hidden || look(), { signal: AbortSignal.any([signal, wake.signal]) });
    this.#later(look, wait);
  }

  /** Asks for the history: at first, and sometimes, as its server has it in full. */
  async #keepUp() {
    let again = 60_000;
    try {
      this.#history.load(await get(runPath(this.run, "history"), this.#stop.signal));
      this.#drawn = -Infinity;
      this.#draw();
    } catch {
      if (this.#stop.signal.aborted) return;
      again = 10_000;
    }
    if (again < 60_000 || !this.#reading || !over(this.#reading.state)) this.#later(() => this.#keepUp(), again);
  }

  #live(state) {
    const names = { live: "Live", over: "", lost: "Not connected", stale: "Not up to date" };
    text($("live"), names[state]);
    $("live").className = "live " + state;
  }

  #show(r) {
    const before = this.#reading;
    this.#reading = r;
    const ended = over(r.state);
    if (before && over(before.state) && !ended) this.#keepUp();
    this.#live(r.stale ? "stale" : ended ? "over" : "live");
    if (r.stale) this.house.notice(`The server cannot read this run at the moment: what is shown is as of ${moment(r.at)}`);
    text($("target"), visible(r.target || r.run));
    attribute($("target"), "title", visible(r.target));
    text($("state"), stateNames[r.state] ?? visible(r.state));
    $("state").className = "chip " + r.state;
    text($("reason"), r.reason ? visible(r.reason) : "");
    text($("facts"), [visible(r.kind), "begun " + moment(r.created), r.epoch > 0 ? `redriven ${r.epoch === 1 ? "once" : r.epoch + " times"}` : ""].filter(Boolean).join(" · "));
    if (before && before.state !== r.state) say(`The run is ${(stateNames[r.state] ?? r.state).toLowerCase()}.`);
    this.#progress(r, ended);
    this.#figures(r, ended);
    this.#may(r);
    if (!r.stale) this.#history.add(r);
    this.#draw(ended || !before);
    for (const p of this.panels) p.show(r);
    this.failures.show(r, ended);
    this.slowest.show(r, ended);
    this.histograms.show(r, ended);
    this.fleet.show(r);
    this.tree.over(ended);
    document.title = `${ended ? "" : percent(r.fraction, 0) + " % · "}${visible(r.target || r.run)} · Ramify`;
    if (!before) performance.mark("figures"); // for who measures how quick the page is
    $("figures").classList.add("ready");
  }

  #progress(r, ended) {
    text($("percent"), r.fraction >= 1 ? "100" : percent(r.fraction));
    const bar = $("bar");
    style(bar.firstChild, "width", percent(r.fraction, 2) + "%");
    attribute(bar, "aria-valuenow", percent(r.fraction));
    text($("elapsed"), `${span(r.seconds)} ${ended ? "in all" : "so far"}`);
    const ruler = $("ruler");
    const eta = ended ? null : r.eta;
    ruler.classList.toggle("unknown", !eta);
    if (!eta) {
      text($("eta"), ended ? (r.mean.objects > 0 ? `${perSecond(r.mean.objects)} ${visible(r.noun)}s on average` : "") : r.state === "running" ? "the time left is not known yet" : "");
      attribute(bar, "aria-valuetext", percent(r.fraction) + " %");
      return;
    }
    // Time from the beginning to the latest end that is likely: past, and then a band,
    // which is cut off where it would leave no room for the rest.
    const all = Math.min(r.seconds + eta.high, 2 * (r.seconds + eta.likely)) || 1;
    const [past, band, likely] = ruler.children;
    const at = (s) => Math.min(100, (100 * s) / all).toFixed(2) + "%";
    style(past, "width", at(r.seconds));
    style(band, "left", at(r.seconds + eta.low));
    style(band, "width", at(Math.max(0, Math.min(all - r.seconds, eta.high) - eta.low)));
    style(likely, "left", at(r.seconds + eta.likely));
    const [low, high] = [span(eta.low), span(eta.high)];
    // A band that says nothing is not told as if it did.
    const vague = eta.high > 60 * (eta.likely + 10);
    const left = vague ? `at least ${low} left` : `about ${span(eta.likely)} left${low === high ? "" : `, between ${low} and ${high}`}`;
    text($("eta"), left);
    attribute(bar, "aria-valuetext", `${percent(r.fraction)} %, ${left}`);
  }

  #figures(r, ended) {
    const noun = visible(r.noun || "object");
    text($("noun"), noun[0].toUpperCase() + noun.slice(1) + "s");
    const requests = Object.values(r.requests).reduce((a, b) => a + b, 0);
    const speeds = ended ? r.mean : r.now;
    const when = ended ? " on average" : "";
    const put = (id, shown, told, rate) => {
      const e = $("f-" + id);
      text(e, shown);
      attribute(e, "title", told);
      attribute(e, "data-exact", told);
      text($("r-" + id), rate);
    };
    put("nodes", exact(r.nodes), exact(r.nodes), perSecond(speeds.nodes) + when);
    put("objects", exact(r.objects), exact(r.objects), perSecond(speeds.objects) + when);
    put("bytes", size(r.bytes), exact(r.bytes), sizePerSecond(speeds.bytes) + when);
    put("requests", exact(requests), exact(requests), perSecond(speeds.requests) + when);
    const alive = r.workers.filter((w) => w.alive).length;
    put("slots", exact(r.in_flight), exact(r.in_flight), `of ${some(r.slots, "slot")}${alive > 1 ? `, ${alive} workers` : ""}`);
    put("failures", exact(r.failures), exact(r.failures), r.retries ? some(r.retries, "retry").replace("retrys", "retries") : "no retries");
    $("k-failures").classList.toggle("bad", r.failures > 0);
    this.charts[1].chart.call(noun[0].toUpperCase() + noun.slice(1) + "s a second");
  }

  #draw(now = false) {
    const clock = performance.now();
    if (!now && clock - this.#drawn < 900) {
      // The last one of a row is drawn, too.
      if (!this.#due) this.#later(() => this.#draw(true), 900);
      this.#due = true;
      return;
    }
    this.#due = false;
    this.#drawn = clock;
    const r = this.#reading;
    const speeds = this.#history.speeds();
    const ended = r && over(r.state);
    this.charts.forEach(({ key, write, chart }, i) => {
      const values = speeds[i + 1];
      const told = r ? write(ended ? r.mean[key] : r.now[key]) : "";
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      chart.show([speeds[0], values], values.length ? `peak ${write(most)}` : "", r ? `${told} ${ended ? "on average" : "now"}, ${write(most)} at most` : "nothing yet");
    });
  }

  #may(r) {
    const may = new Set(r.may);
    const all = ["pause", "resume", "redrive", "cancel", "concurrency"];
    // Who stands on a button that goes is put onto the one that comes in its place.
    const lost = all.some((id) => !may.has(id) && $(id).contains(document.activeElement));
    for (const id of all) show($(id), may.has(id));
    if (lost) all.slice(0, 3).map($).find((b) => !b.hidden)?.focus();
    if (!this.#dirty && document.activeElement !== $("slots")) {
      // Without a concurrency of the run's own it is that of its workers.
      const alive = r.workers.filter((w) => w.alive);
      const value = String(r.concurrency || alive[0]?.slots || "");
      if ($("slots").value !== value) $("slots").value = value;
    }
  }

  #buttons() {
    const signal = this.#stop.signal;
    const done = { pause: "The run is paused.", resume: "The run goes on.", redrive: "The failures are tried again.", cancel: "The run is cancelled." };
    for (const id of ["pause", "resume", "redrive"]) $(id).addEventListener("click", () => this.#press(id, {}, done[id]), { signal });
    $("cancel").addEventListener("click", () => $("sure").showModal(), { signal });
    $("sure-no").addEventListener("click", () => $("sure").close(), { signal });
    $("sure-yes").addEventListener("click", () => {
      $("sure").close();
      this.#press("cancel", {}, done.cancel);
    }, { signal });
    $("slots").addEventListener("input", () => (this.#dirty = true), { signal });
    // What was typed and not set is forgotten.
    $("concurrency").addEventListener("focusout", (e) => $("concurrency").contains(e.relatedTarget) || (this.#dirty = false), { signal });
    $("concurrency").addEventListener("submit", (e) => {
      e.preventDefault();
      const n = Number($("slots").value);
      this.#dirty = false;
      this.#press("concurrency", { concurrency: n }, `Concurrency is ${n}.`);
    }, { signal });
  }

  async #press(order, body, done) {
    if (this.#pressed) return;
    this.#pressed = true;
    const buttons = document.querySelectorAll(".hero .actions button");
    for (const b of buttons) b.setAttribute("aria-busy", "true");
    try {
      const was = this.#reading;
      this.#show(await post(runPath(this.run, order), body));
      this.house.notice("", "order");
      say(done);
      if (was && over(was.state)) this.#follow();
    } catch (e) {
      if (!this.#stop.signal.aborted) this.house.refused(e, "That could not be done", "order");
    } finally {
      this.#pressed = false;
      for (const b of buttons) b.removeAttribute("aria-busy");
    }
  }
}
