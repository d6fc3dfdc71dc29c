// What the page asks its server. The token comes with the address's fragment, which
// browsers do not send, and goes out as a header; it lives as long as the tab.

const place = "ramify.token";
let token = "";

/** Takes the token out of the fragment's parameters, or the one that was kept. */
export function takeToken(parameters) {
  const given = parameters.get("token");
  if (given) keepToken(given);
  else {
    try {
      token = sessionStorage.getItem(place) ?? "";
    } catch {} // kept for this page alone
  }
  return Boolean(given);
}

export function keepToken(t) {
  token = t.trim();
  try {
    sessionStorage.setItem(place, token);
  } catch {}
}

/** An answer that is no success: status 0 where there was none. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = "Bearer " + token;
  let answer;
  try {
    answer = await fetch("/api/" + path, { cache: "no-store", credentials: "same-origin", redirect: "error", ...options, headers });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused(0, "the server does not answer");
  }
  if (!answer.ok) {
    let message = answer.statusText || "refused";
    try {
      message = (await answer.json()).error || message;
    } catch {} // not of our server
    throw new Refused(answer.status, message);
  }
  return answer;
}

/** Reads something. */
export const get = async (path, signal) => (await ask(path, { signal })).json();

/** Presses a button. */
export const post = async (path, body = {}) =>
  (await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

export const runPath = (run, rest = "") => "runs/" + encodeURIComponent(run) + (rest && "/" + rest);

const silence = 45_000; // three heartbeats
const longest = 4 << 20; // of an event

/**
 * Reads a stream of server-sent events until it ends: EventSource cannot send the
 * token. onevent gets the data of each event named "reading".
 */
export async function stream(path, signal, onevent) {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener("abort", stop, { once: true });
  let timer = setTimeout(stop, silence);
  try {
    const answer = await ask(path, { headers: { Accept: "text/event-stream" }, signal: own.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, silence);
      rest += value;
      if (rest.length > longest) throw new Refused(0, "an event is too long");
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        let name = "message";
        let data = "";
        for (const line of rest.slice(0, end).split("\n")) {
          if (line.startsWith("event: ")) name = line.slice(7);
          else if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (name === "reading" && data) onevent(JSON.parse(data));
      }
    }
  } catch (e) {
    if (signal.aborted) return;
    if (e instanceof Refused) throw e;
    throw new Refused(0, "the connection was lost");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    own.abort(); // whatever ended it, nothing is read any more
  }
}
