// Lines over time, drawn by uPlot. All charts over the same time share one cursor.

/* global uPlot */
import { make, style, text } from "./dom.js";
import { span } from "./format.js";

const height = 112;

// Where the lines of a grid may be: at round times and, for bytes, at round IEC units.
const times = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000];
const bytes = Array.from({ length: 61 }, (_, i) => 2 ** i);

/** Colours as the theme has them now: a canvas does not follow it by itself. */
function colours() {
  const of = getComputedStyle(document.documentElement);
  const probe = make("i", { class: "probe", hidden: true });
  document.body.append(probe);
  const one = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const c = { accent: one("--accent"), fill: one("--accent-wash"), muted: one("--muted"), line: one("--line"), font: "11px " + of.fontFamily };
  probe.remove();
  return c;
}

let paint = null;

/** Reads the colours again, after the theme has changed. */
export function repaint() {
  paint = null;
}

const paints = () => (paint ??= colours());

/**
 * One line over time. points are [seconds…], [values…]; write says how a value is
 * written; mark, where there is one, is a second line to be compared with, dashed.
 */
export class Chart {
  #plot;
  #observer;
  #value;
  #caption;
  #last = "";

  constructor(parent, { name, write, mark, steps, binary, over = "the run's time" }) {
    this.write = write;
    this.name = name;
    this.over = over;
    this.#value = make("b");
    this.#caption = make("span", {}, name);
    const caption = make("figcaption", {}, this.#caption, this.#value);
    this.frame = make("div", { class: "plot", role: "img", "aria-label": name });
    this.figure = make("figure", { class: "chart" }, caption, this.frame);
    parent.append(this.figure);
    const line = (more) => ({ width: 1.5, points: { show: false }, ...more });
    const series = [{}, line({ stroke: () => paints().accent, fill: () => paints().fill, paths: steps ? uPlot.paths.stepped({ align: 1 }) : undefined })];
    if (mark) series.push(line({ stroke: () => paints().muted, dash: [4, 4], width: 1 }));
    const axis = {
      stroke: () => paints().muted, font: paints().font, ticks: { show: false }, gap: 4,
      grid: { stroke: () => paints().line, width: 1 },
    };
    this.#plot = new uPlot({
      width: this.#width(), height, padding: [8, 14, 0, 0], legend: { show: false }, pxAlign: 1,
      cursor: { sync: { key: over }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false },
        y: { range: (_, low, high) => [0, Math.max(high * 1.08, mark ? 1e-9 : 0, Number.MIN_VALUE) || 1] },
      },
      axes: [
        { ...axis, size: 20, space: 56, incrs: times, grid: { show: false }, values: (_, all) => all.map((v) => span(v)) },
        { ...axis, size: 46, space: 28, ...(binary && { incrs: bytes }), values: (_, all) => all.map((v) => write(v).replace("/s", "")) },
      ],
      series,
      hooks: { setCursor: [() => this.#tell()] },
    }, [[], [], ...(mark ? [[]] : [])], this.frame);
    // Its canvas has nothing to say to those who do not see it: its frame has.
    this.#observer = new ResizeObserver(() => {
      const width = this.#width();
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height });
    });
    this.#observer.observe(this.frame);
  }

  /** Gives the chart another name. */
  call(name) {
    this.name = name;
    text(this.#caption, name);
  }

  #width() {
    return Math.floor(this.frame?.clientWidth || 280);
  }

  /** Draws points; now is the value that is told while nobody points at one. */
  show(data, now, told) {
    this.#last = now;
    this.#plot.setData(data);
    const label = `${this.name} over ${this.over}: ${told}`;
    if (this.frame.getAttribute("aria-label") !== label) this.frame.setAttribute("aria-label", label);
    this.#tell();
  }

  repaint() {
    this.#plot.redraw(false, true);
  }

  #tell() {
    const i = this.#plot.cursor.idx;
    const x = this.#plot.data[0]?.[i];
    const y = this.#plot.data[1]?.[i];
    text(this.#value, x == null || y == null ? this.#last : `${this.write(y)} at ${span(x)}`);
  }

  close() {
    this.#observer.disconnect();
    this.#plot.destroy();
    this.figure.remove();
  }
}

/** Vertical bars; items are {label, value, told}. Labels are left out where there is no room. */
export class Bars {
  constructor(parent, name, readout) {
    this.readout = readout;
    this.name = name;
    this.frame = make("div", { class: "bars", role: "img", "aria-label": name });
    this.frame.addEventListener("pointerover", (e) => {
      const told = e.target.closest(".bin")?.dataset.told;
      if (told) text(this.readout, told);
    });
    this.frame.addEventListener("pointerleave", () => text(this.readout, this.summary ?? ""));
    parent.append(this.frame);
  }

  show(items, summary) {
    const most = Math.max(1, ...items.map((i) => i.value));
    const each = Math.ceil(items.length / 9);
    while (this.frame.children.length > items.length) this.frame.lastElementChild.remove();
    while (this.frame.children.length < items.length) {
      this.frame.append(make("div", { class: "bin" }, make("i"), make("span")));
    }
    items.forEach((item, i) => {
      const bin = this.frame.children[i];
      // What is there is seen, however little it is.
      style(bin.firstChild, "height", item.value ? `max(2px, ${((100 * item.value) / most).toFixed(2)}%)` : "0");
      text(bin.lastChild, i % each === 0 ? item.label : "");
      if (bin.dataset.told !== item.told) bin.dataset.told = item.told;
    });
    if (!this.frame.matches(":hover")) text(this.readout, summary);
    this.summary = summary;
    const label = `${this.name}: ${items.filter((i) => i.value).map((i) => i.told).join("; ")}`;
    if (this.frame.getAttribute("aria-label") !== label) this.frame.setAttribute("aria-label", label);
  }

  close() {
    this.frame.remove();
  }
}
