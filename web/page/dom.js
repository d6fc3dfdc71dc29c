// The page's hands: elements by id, text that is written only when it differs, and
// lists whose elements are used again, so that hours of updates leave nothing behind.

export const $ = (id) => document.getElementById(id);

/** Makes an element. Text goes in as text, never as markup. */
export function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) e.setAttribute(name, "");
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}

/** Sets an element's text, if it is another. */
export function text(e, value) {
  if (e.textContent !== value) e.textContent = value;
}

/** Sets an attribute, if it is another; null takes it away. */
export function attribute(e, name, value) {
  if (value == null) {
    if (e.hasAttribute(name)) e.removeAttribute(name);
  } else if (e.getAttribute(name) !== String(value)) {
    e.setAttribute(name, value);
  }
}

/** Shows an element, or hides it. */
export function show(e, yes) {
  if (e.hidden === yes) e.hidden = !yes;
}

/** Sets a property of an element's style by script, which the page's policy allows. */
export function style(e, name, value) {
  if (e.style.getPropertyValue(name) !== value) e.style.setProperty(name, value);
}

/** Makes the children of a list those of items: one element each, made by born, told by fill. */
export function list(parent, items, born, fill) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    let e = parent.children[i];
    if (!e) {
      e = born();
      parent.append(e);
    }
    fill(e, item, i);
  });
}

/** A row of a table whose cells have these classes. */
export const row = (...classes) => make("tr", {}, ...classes.map((c) => make("td", { class: c || null })));

/** Says something to those who listen instead of looking. */
export function say(what) {
  text(document.getElementById("said"), what);
}
