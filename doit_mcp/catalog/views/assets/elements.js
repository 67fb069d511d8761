// Creates elements. Texts are text nodes, so names of customers are never HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...content.flat(2).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

function make(tag, attributes = {}, ...content) {
  return fill(document.createElement(tag), attributes, content);
}

function draw(tag, attributes = {}, ...content) {
  return fill(document.createElementNS(SVG, tag), attributes, content);
}

// Text that only screen readers say.
function spoken(text) {
  return make("span", { class: "spoken" }, text);
}

// A name from the data, whose writing direction can differ from the page's.
function named(name, dimension) {
  return make("bdi", {}, nameLabel(name, dimension));
}

// A phrase of the view. It keeps its direction in a layout from right to left.
// Browsers take the direction of an isolated figure at its beginning for that of the whole phrase.
function phrase(text) {
  return make("bdi", { dir: String(text).startsWith("\u2068") ? "ltr" : null }, text);
}

// A change: arrow and sign, so that color is never the only mark.
function changed(amount, text) {
  const arrow = { up: "▲", down: "▼", flat: "•" }[direction(amount)];
  return make(
    "span",
    { class: `change ${direction(amount)}` },
    make("span", { "aria-hidden": "true" }, `${arrow} `),
    text,
  );
}

function button(label, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, typeof label === "string" ? phrase(label) : label);
}
