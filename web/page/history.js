// How a run came to where it is: the server's points, and those that came since. Both
// are bounded: what is too much is thinned, the old points as the new.

const most = 900;

export class History {
  #points = []; // [seconds, nodes, objects, bytes, requests, failures, fraction]

  /** Takes the server's points; those that came later stay. */
  load({ points }) {
    const last = points.at(-1)?.[0] ?? -1;
    this.#points = [...points, ...this.#points.filter((p) => p[0] > last)];
    this.#thin();
  }

  /** Adds a reading. */
  add(r) {
    const requests = Object.values(r.requests).reduce((a, b) => a + b, 0);
    const point = [r.seconds, r.nodes, r.objects, r.bytes, requests, r.failures, r.fraction];
    const last = this.#points.at(-1);
    if (last && r.seconds <= last[0]) {
      // Nobody worked since, or the figures of the end came in.
      if (r.seconds === last[0]) this.#points[this.#points.length - 1] = point;
      return;
    }
    this.#points.push(point);
    this.#thin();
  }

  #thin() {
    while (this.#points.length > most) this.#points = this.#points.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
  }

  get length() {
    return this.#points.length;
  }

  /**
   * Speeds: [[seconds…], [of column 1…], [2…], [3…], [4…]], one for each stretch
   * between points that is long enough to be drawn.
   */
  speeds() {
    const out = [[], [], [], [], []];
    const points = this.#points;
    if (points.length < 2) return out;
    // A stretch of a pixel or less only makes lines that jump.
    const least = Math.max(0.4, (points.at(-1)[0] - points[0][0]) / 240);
    let from = points[0];
    for (const p of points) {
      const dt = p[0] - from[0];
      if (dt < least) continue;
      out[0].push(p[0]);
      // Workers that died take back what they had not committed: no speed is negative.
      for (let c = 1; c <= 4; c++) out[c].push(Math.max(0, (p[c] - from[c]) / dt));
      from = p;
    }
    return out;
  }
}

/** Points of one line or two over time, of which the last so many are kept. */
export class Ring {
  constructor(columns, kept = 600) {
    this.kept = kept;
    this.data = Array.from({ length: columns }, () => []);
  }

  add(...values) {
    if (this.data[0].at(-1) >= values[0]) return;
    values.forEach((v, i) => this.data[i].push(v));
    if (this.data[0].length > this.kept) {
      this.data = this.data.map((c) => c.filter((_, i) => i % 2 === 0 || i === c.length - 1));
    }
  }
}
