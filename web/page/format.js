// How figures are written: as the terminal writes them (console/number.go), so that
// both can be compared at a glance.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A count with a comma between thousands: 1,234,567. */
export const exact = (n) => whole.format(n);

function scale(n, base, units) {
  let sign = "";
  if (n < 0) [sign, n] = ["-", -n];
  let i = 0;
  while (Math.round(n) >= base && i < units.length - 1) {
    n /= base;
    i++;
  }
  return sign + (i > 0 && n < 9.95 ? n.toFixed(1) : Math.round(n)) + units[i];
}

/** A count in two or three digits: 950, 1.2k, 81k, 3.4M. */
export const short = (n) => scale(n, 1000, ["", "k", "M", "G", "T", "P", "E"]);

/** Bytes in IEC units: 512 B, 3.4 GiB. */
export const size = (n) => scale(n, 1024, [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"]);

/** A speed: 81k/s, 3.5/s. */
export const perSecond = (v) => (v > 0 && v < 9.95 ? v.toFixed(1) : short(v)) + "/s";

/** A speed in bytes: 3.4 MiB/s. */
export const sizePerSecond = (v) => size(v) + "/s";

/** A fraction in per cent, rounded down: nothing looks done that is not. */
export const percent = (fraction, decimals = 1) => {
  const p = 10 ** decimals;
  return (Math.floor(fraction * 100 * p + 1e-9) / p).toFixed(decimals);
};

const pair = (a, unit, b, rest) => (b === 0 ? a + unit : a + unit + String(b).padStart(2, "0") + rest);

/** Seconds to two units at most: 14s, 2m10s, 3h20m, 5d4h. */
export function span(seconds) {
  const s = Math.round(seconds);
  if (s < 100) return s + "s";
  if (s < 3600) return pair(Math.floor(s / 60), "m", s % 60, "s");
  if (s < 48 * 3600) {
    const m = Math.floor((s + 30) / 60);
    return pair(Math.floor(m / 60), "h", m % 60, "m");
  }
  const h = Math.floor((s + 1800) / 3600);
  return s < 1000 * 24 * 3600 ? pair(Math.floor(h / 24), "d", h % 24, "h") : "years";
}

/** Seconds of one thing: 3 ms, 0.42s, 14s, 2m10s. */
export function took(seconds) {
  if (seconds < 0.0995) return Math.round(seconds * 1000) + " ms";
  if (seconds < 9.995) return seconds.toFixed(2) + "s";
  return span(seconds);
}

/** US dollars: $1234.50, and more decimals where it is less than a dollar. */
export function dollars(v) {
  if (v >= 1 || v === 0) return "$" + v.toFixed(2).replace(/\.00$/, "");
  return "$" + Math.max(v, 1e-6).toFixed(6).replace(/0+$/, "");
}

/** A moment: 14:03:11, with its day where that is another. */
export function moment(iso, now = new Date()) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "—";
  const two = (n) => String(n).padStart(2, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return clock;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock.slice(0, 5)}`;
}

/** One noun or many: 1 object, 2 objects. */
export const some = (n, noun) => `${exact(n)} ${n === 1 ? noun : noun + "s"}`;

// Controls of both widths, marks that turn the direction of writing or have no width,
// selectors and fillers that nobody sees, separators other than the space, halves of
// surrogate pairs, what is not assigned.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

/**
 * Text from outside, made harmless to the eye: what cannot be printed is written as
 * Go escapes it, as the terminal has it (internal/legible).
 */
export function visible(text) {
  return String(text ?? "").replace(unprintable, spell);
}

function spell(c) {
  const r = c.codePointAt(0);
  if (c === "\n") return "\\n";
  if (c === "\r") return "\\r";
  if (c === "\t") return "\\t";
  if (r < 0x80) return "\\x" + r.toString(16).padStart(2, "0");
  if (r <= 0xffff) return "\\u" + r.toString(16).padStart(4, "0");
  return "\\U" + r.toString(16).padStart(8, "0");
}

/**
 * Names among which somebody chooses, no two of which look alike: backslashes are doubled
 * where they could be taken for an escape, and what is there in several normal forms of
 * Unicode is spelled out (internal/legible).
 */
export function apart(names) {
  const doubled = (n) => n.replaceAll("\\", "\\\\");
  const looks = names.map((n) => (n.includes("\\") && (visible(n) !== n || /\\[\\nrtxuU]/.test(n)) ? visible(doubled(n)) : visible(n)));
  const keys = looks.map((l) => l.normalize("NFC"));
  const seen = new Map();
  for (const k of keys) seen.set(k, (seen.get(k) ?? 0) + 1);
  // Such as the sign of Kelvin, which is a K.
  const alike = (i) => keys[i] !== looks[i] && /^[\0-\x7f]*$/.test(keys[i]);
  return looks.map((l, i) => (seen.get(keys[i]) > 1 || alike(i) ? visible(doubled(names[i])).replace(/[^\0-\x7f]/gu, spell) : l));
}

/** A name that fits: its middle is left out, since its end says most. */
export function fitted(text, most) {
  const all = [...visible(text)];
  if (all.length <= most) return all.join("");
  const head = Math.floor((most - 1) / 3);
  return all.slice(0, head).join("") + "…" + all.slice(all.length - (most - 1 - head)).join("");
}
