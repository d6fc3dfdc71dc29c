// The list of runs.

import { $, list, make, row, show, style, text } from "./dom.js";
import { exact, moment, percent, short, size, some, visible } from "./format.js";
import { get } from "./api.js";

export const stateNames = {
  running: "Running", paused: "Paused", interrupted: "Interrupted", finished: "Finished",
  finished_with_failures: "Finished with failures", cancelled: "Cancelled",
};

const every = 3000; // ms
const most = 500; // rows: more than anybody reads

export class RunsPage {
  run = null;
  #stop = new AbortController();
  #timer = 0;

  constructor(house) {
    this.house = house;
    document.title = "Runs · Ramify";
    text($("live"), "");
    this.#look();
  }

  close() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    $("runs-list").replaceChildren();
  }

  async #look() {
    try {
      if (!document.hidden) {
        const { runs } = await get("runs", this.#stop.signal);
        this.house.notice("");
        this.#draw(runs);
      }
    } catch (e) {
      if (this.#stop.signal.aborted) return;
      this.house.refused(e, "The runs could not be listed");
      if (e.status === 401) return;
    }
    if (!this.#stop.signal.aborted) this.#timer = setTimeout(() => this.#look(), every);
  }

  #draw(runs) {
    show($("runs-none"), runs.length === 0);
    show($("runs-card"), runs.length > 0);
    show($("runs-more"), runs.length > most);
    text($("runs-more"), `and ${some(runs.length - most, "older run")}`);
    list($("runs-list"), runs.slice(0, most), born, (e, r) => this.#fill(e, r));
  }

  #fill(e, r) {
    const [name, state, done, nodes, objects, bytes, failures, begun] = e.children;
    const [link, id] = name.children;
    link.href = this.house.address(r.run);
    text(link, visible(r.target || r.run));
    text(id, visible(r.run));
    text(state.firstChild, stateNames[r.state] ?? visible(r.state));
    state.firstChild.className = "chip " + r.state;
    text(done.firstChild, percent(r.fraction) + " %");
    style(done.lastChild.firstChild, "width", percent(r.fraction, 2) + "%");
    text(nodes, short(r.nodes));
    nodes.title = exact(r.nodes);
    text(objects, short(r.objects));
    objects.title = exact(r.objects);
    text(bytes, size(r.bytes));
    bytes.title = some(r.bytes, "byte");
    text(failures, r.failures ? exact(r.failures) : "–");
    failures.className = "n wide" + (r.failures ? " bad" : "");
    text(begun, moment(r.created));
  }
}

function born() {
  const e = row("name", "", "n done", "n wide", "n", "n wide", "n wide", "n wide");
  e.children[0].append(make("a", { class: "mono" }), make("small", { class: "mono muted" }));
  e.children[1].append(make("span", { class: "chip" }));
  e.children[2].append(make("span"), make("span", { class: "mini", "aria-hidden": "true" }, make("i")));
  return e;
}
