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

// An element with *attributes*, or with the class that they name.
function make(tag, attributes, ...content) {
  const given = typeof attributes === "string" ? { class: attributes || null } : (attributes ?? {});
  return fill(document.createElement(tag), given, content);
}

function draw(tag, attributes, ...content) {
  return fill(document.createElementNS(SVG, tag), attributes, content);
}

// A name from the data, whose writing direction can differ from the page's.
function named(name, dimension) {
  return make("bdi", {}, nameLabel(name, dimension));
}

// A phrase of the view. It keeps its direction in a layout from right to left.
// Browsers take the direction of an isolated figure at its beginning for that of the whole phrase.
function phrase(text) {
  return make("bdi", { dir: /^[\u2066\u2068]/.test(text) ? "ltr" : null }, text);
}

// A phrase of several parts.
function sentence(...parts) {
  return make("bdi", { dir: "ltr" }, ...parts);
}

// A label is a phrase, unless it is an element already.
function labeled(label) {
  return typeof label === "string" ? phrase(label) : label;
}

function paragraph(kind, text) {
  return make("p", kind, phrase(text));
}

function section(title, ...content) {
  return make("section", {}, make("h2", {}, labeled(title)), ...content);
}

// The second line of a cell.
function detailLine(...content) {
  return make("span", "detail", ...content);
}

function swatch(kind) {
  return unspoken(`swatch ${kind}`);
}

// A mark that repeats what the text says.
function unspoken(kind, ...content) {
  return make("span", { class: kind || null, "aria-hidden": "true" }, ...content);
}

// A change: arrow and sign, so that color is never the only mark. What neither rises nor falls has none.
function changed(amount, text) {
  const arrow = { up: "▲ ", down: "▼ " }[direction(amount)];
  return make("bdi", { class: `change ${direction(amount)}`, dir: "ltr" }, arrow && unspoken("", arrow), text);
}

function button(label, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, labeled(label));
}
