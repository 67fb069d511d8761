// Tables: with a bar in the middle cell of each row, or with values only.

// A table whose rows have a name, a bar and values. *rows*: {name, bar, values, onclick, hint, kind}. The bar is an
// element or a list of them, and *last* a row below the others; hosts and screen readers see a table, because display: grid alone would remove its roles.
function barTable(caption, headings, rows, last) {
  const heading = (text) => make("th", { role: "columnheader", scope: "col" }, text);
  const [first, ...others] = headings;
  return make(
    "table",
    { class: `bars values-${others.length}`, role: "table" },
    make("caption", "spoken", caption),
    make(
      "thead",
      { class: "spoken", role: "rowgroup" },
      make("tr", { role: "row" }, heading(first), make("td", { role: "cell" }), others.map(heading)),
    ),
    make("tbody", { role: "rowgroup" }, rows.map(barRow), last),
  );
}

// The last row of a table with bars: what both ends of the axis are.
function axisRow(ends) {
  return make("tr", { class: "ends", "aria-hidden": "true" }, make("td", "axis", ends.map((end) => make("span", {}, end))));
}

function barRow({ name, bar, values, onclick, hint, kind, key }) {
  const label = onclick ? button(name, onclick, { class: "name", title: hint, "data-key": key }) : name;
  return make(
    "tr",
    { role: "row", class: kind ?? null },
    make("th", { role: "rowheader", scope: "row" }, label),
    make("td", { role: "cell", class: "track", "aria-hidden": "true" }, bar),
    values.map((value) => make("td", { role: "cell", class: "value" }, value)),
  );
}

// A bar from *start* over *size* percent of its track. *kind*: base, up, down, other, hatched, series-1 to series-7.
function bar({ start, size }, kind) {
  return make("span", { class: `bar ${kind}`, "--start": `${start}%`, "--size": `${size}%` });
}

// A bar that begins at zero, on the side of its sign. Zero has none.
function zeroBar(value, axis, kind) {
  return value ? bar(span(0, value, axis), value < 0 ? `${kind} below` : kind) : null;
}

// A line at zero, for axes with negative values.
function zeroLine(axis) {
  return axis.min < 0 ? make("span", { class: "zero", "--start": `${scale(axis.min, axis.max)(0) * 100}%` }) : null;
}

// A table of values. *columns*: {name, kind: text|money|count|percent|period, sort}. Cells are formatted by column.
function valueTable(caption, columns, rows, { currency, heat = null } = {}) {
  const formats = columns.map((column) => cellFormat(column, currency));
  const cell = (value, index) => {
    if (index === 0) return make("th", { scope: "row", class: columns[0].kind }, formats[0](value));
    const shade = heat && isNumber(value) ? { "--heat": heat(value) } : {};
    const isText = columns[index].kind === "text";
    return make("td", { class: isText ? "text" : `value${heat ? " heat" : ""}`, ...shade }, formats[index](value));
  };
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      "values",
      make("caption", "spoken", caption),
      make("thead", {}, make("tr", {}, columns.map(columnHeading))),
      make(
        "tbody",
        {},
        rows.map((row) => make("tr", {}, row.map(cell))),
      ),
    ),
  );
}

function columnHeading(column, index) {
  const attributes = { scope: "col", class: index === 0 || column.kind === "text" ? null : "value" };
  if (!column.onsort) return make("th", attributes, column.name);
  const order = column.sorted ? { "aria-sort": column.sorted } : {};
  const mark = { ascending: " ↑", descending: " ↓" }[column.sorted] ?? "";
  const label = [column.name, unspoken("", mark)];
  return make(
    "th",
    { ...attributes, ...order },
    button(label, column.onsort, { class: "name", "data-key": `sort ${column.name}` }),
  );
}

function cellFormat({ kind, dimension, notes }, currency) {
  if (kind === "money") return (value) => money(value, currency);
  if (kind === "percent") return (value) => percent(value);
  if (kind === "count") return (value) => number(value);
  const note = (value) => (notes?.has(value) ? ` (${notes.get(value)})` : "");
  if (kind === "period") return (value) => (value === null ? "–" : `${periodLabel(value)}${note(value)}`);
  return (value) => named(value, dimension);
}
