// The page's door: the fragment says which run and which prefix is shown. It holds no
// more than that, so that an address can be passed on; the token is taken out of it.

import { $, attribute, show, text } from "./dom.js";
import { visible } from "./format.js";
import { get, keepToken, takeToken } from "./api.js";
import { RunPage } from "./run.js";
import { RunsPage } from "./runs.js";

let page = null; // what is shown now
let single = false; // whether the one run there is was opened by itself

const parameters = () => new URLSearchParams(location.hash.slice(1));

/** The fragment of a view. */
export function address(run, more = {}) {
  const p = new URLSearchParams();
  if (run) p.set("run", run);
  for (const [name, value] of Object.entries(more)) if (value) p.set(name, value);
  return "#" + p;
}

function open(p) {
  const run = p.get("run");
  if (page?.run === run && page) {
    page.move?.(p);
    return;
  }
  page?.close();
  notice("", noticed);
  show($("run"), Boolean(run));
  show($("runs"), !run);
  text($("where"), run ? visible(run) : "");
  show($("all"), Boolean(run));
  page = run ? new RunPage(run, p, { notice, refused, address }) : new RunsPage({ notice, refused, address });
  document.documentElement.dataset.view = run ? "run" : "runs";
  window.scrollTo(0, 0);
}

let noticed = ""; // what the notice is about
let fading = 0;

/**
 * Tells what is wrong, above all. "" takes away what was told about the same thing. What
 * somebody did and was refused stays for a while, for the figures go on.
 */
function notice(what, about = "figures") {
  if (what === "" && about !== noticed) return;
  clearTimeout(fading);
  noticed = what === "" ? "" : about;
  text($("notice"), what);
  show($("notice"), what !== "");
  if (what !== "" && about === "order") fading = setTimeout(() => notice("", "order"), 15_000);
}

/** Tells why the server refused. Without a token it asks for one. */
function refused(e, doing, about) {
  if (e.name === "AbortError") return;
  if (e.status === 401) {
    if (!$("ask").open) $("ask").showModal();
    return;
  }
  notice(`${doing}: ${visible(e.message)}`, about);
}

$("ask-form").addEventListener("submit", (e) => {
  e.preventDefault();
  keepToken($("ask-token").value);
  $("ask-token").value = "";
  $("ask").close();
  page?.close();
  page = null;
  begin();
});

const themes = ["", "light", "dark"];
const called = { "": "as the system has them", light: "light", dark: "dark" };

function theme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  attribute($("theme"), "aria-label", "Colours: " + called[chosen]);
  attribute($("theme"), "title", "Colours: " + called[chosen]);
  page?.repaint?.();
}

$("theme").addEventListener("click", () => {
  const chosen = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "") + 1) % themes.length];
  try {
    if (chosen) localStorage.setItem("ramify.theme", chosen);
    else localStorage.removeItem("ramify.theme");
  } catch {} // chosen for this page alone
  theme(chosen);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.repaint?.());

window.addEventListener("hashchange", () => {
  const p = parameters();
  if (takeToken(p)) clean(p);
  const before = page;
  open(p);
  // Who hears the page hears that it is another.
  if (page !== before) document.querySelector("main:not([hidden]) h1").focus({ preventScroll: true });
});

function clean(p) {
  p.delete("token");
  history.replaceState(null, "", p.size ? "#" + p : location.pathname);
}

/** Opens what the address says; where it says nothing and there is one run, that. */
async function begin() {
  const p = parameters();
  if (takeToken(p)) clean(p);
  if (!p.get("run") && !single) {
    single = true;
    try {
      const { runs } = await get("runs");
      if (runs.length === 1) {
        p.set("run", runs[0].run);
        history.replaceState(null, "", "#" + p);
      }
    } catch (e) {
      if (e.status === 401) {
        single = false;
        refused(e, "");
        return;
      }
    }
  }
  open(p);
}

theme(document.documentElement.dataset.theme ?? "");
begin();
