// Charts over time as SVG. Positions along the time axis are percentages, so that texts keep their size in any width.
const CHART_HEIGHT = 190;
const PLOT_TOP = 16; // room for the label of the highest line
const PLOT_BOTTOM = 24; // room for the labels of the periods
const HATCH_SIZE = 5;
const CHARACTER_WIDTH = 8; // of the labels of the amounts
const MAIN_PADDING = 32; // of both sides

let charts = 0;

// A chart: {svg, x, y, width}. *x* maps the middle of the period at an index to percent, *y* an amount to pixels, and
// *width* is the percentage of one period. Callers append their marks to *svg*.
function timeChart(label, periods, values, currency) {
  const { min, max } = barScale(values);
  const levels = ticks(min, max || 1, 3);
  const at = scale(levels[0], levels.at(-1));
  const bottom = CHART_HEIGHT - PLOT_BOTTOM;
  const y = (value) => bottom - at(value) * (bottom - PLOT_TOP);
  const texts = levels.map((level) => shortMoney(level, currency));
  const pixels = (place.clientWidth || 640) - MAIN_PADDING;
  const start = (textWidth(texts) / pixels) * 100;
  const width = (100 - start) / Math.max(1, periods.length);
  const x = (index) => start + (index + 0.5) * width;
  const pattern = `hatch-${(charts += 1)}`;
  const svg = draw(
    "svg",
    { class: "chart", height: CHART_HEIGHT, role: "img", "aria-label": label },
    hatchPattern(pattern),
    levels.map((level) =>
      draw("line", { class: level === 0 ? "zero-line" : "grid", x1: 0, x2: "100%", y1: y(level), y2: y(level) }),
    ),
    levels.map((level, index) => draw("text", { class: "level", x: 0, y: y(level) - 4 }, texts[index])),
    periodTexts(periods, x, (pixels * width) / 100),
  );
  return { svg, x, y, width, hatch: `url(#${pattern})` };
}

function hatchPattern(id, angle = 45) {
  const size = { width: HATCH_SIZE, height: HATCH_SIZE, patternUnits: "userSpaceOnUse" };
  const stripe = draw("line", { class: "stripe", x1: 0, x2: 0, y1: 0, y2: HATCH_SIZE });
  return draw("defs", {}, draw("pattern", { id, ...size, patternTransform: `rotate(${angle})` }, stripe));
}

// About how many pixels the longest of *texts* needs.
function textWidth(texts) {
  return (Math.max(...texts.map((text) => text.replace(/[\u2066-\u2069]/g, "").length)) + 1) * CHARACTER_WIDTH;
}

// As many labels as fit, if each period has *pixels*. The last period always has one, which stays inside of the frame
// if it is wider than its period.
function periodTexts(periods, x, pixels) {
  const texts = periods.map(periodLabel);
  const step = Math.max(1, Math.ceil(textWidth(texts) / pixels));
  return texts.flatMap((text, index) => {
    const rest = texts.length - 1 - index;
    const at = step > 1 && !rest ? { class: "period last", x: "100%", dx: 12 } : { class: "period", x: `${x(index)}%` };
    return rest % step ? [] : [draw("text", { ...at, y: CHART_HEIGHT - 6 }, text)];
  });
}

// A chart with its legend, and a table of the same figures for screen readers.
function figure({ svg }, legend, table) {
  return make("figure", {}, svg, legend, make("div", "spoken", table.querySelector("table")));
}

// The legend: {kind, name, value} for each mark. *kind* is the class of its swatch.
function legendOf(entries) {
  if (!entries.length) return null;
  return make(
    "ul",
    "legend",
    entries.map(({ kind, name, value }) => {
      return make("li", {}, swatch(kind), name, value ? make("span", "amount", value) : null);
    }),
  );
}

// The path of a line through {index, value} points, in a drawing whose unit is one percent of the width.
function linePath(points, { x, y }) {
  return points.map(({ index, value }, i) => `${i ? "L" : "M"}${x(index).toFixed(3)} ${y(value).toFixed(2)}`).join("");
}

// Lines need one unit in both directions, so they are in a drawing that is stretched to the width.
function lineLayer(...marks) {
  const box = { width: "100%", height: CHART_HEIGHT, viewBox: `0 0 100 ${CHART_HEIGHT}`, preserveAspectRatio: "none" };
  return draw("svg", box, marks);
}

function line(kind, points, chart) {
  return draw("path", { class: `line ${kind}`, d: linePath(points, chart), "vector-effect": "non-scaling-stroke" });
}
