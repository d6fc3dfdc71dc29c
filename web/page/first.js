// Which colours a person chose, before anything is drawn: a page that turns dark
// after it was seen hurts the eye.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("ramify.theme");
  } catch {} // a browser may keep nothing
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();

// uPlot gives the browser's language to Intl as it is loaded, which throws where the
// system has none: a Chromium in the locale POSIX says en-US@posix.
(() => {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US" });
  }
})();
