// Saves what the picture shows as PNG: an SVG with the texts, marks and charts where they are on the screen.
const PNG_SCALE = 2;
const PNG_MARGIN = 16;
const MAX_PNG_SIDE = 16_000; // pixels of a canvas
const NOT_DRAWN = "nav, footer, .switch, .spoken, svg *";
const TRANSPARENT = "rgba(0, 0, 0, 0)";
const DASHES = { dashed: "4 3", dotted: "2 2" }; // of swatches
const MIN_PATTERN_WIDTH = 6; // a smaller bar could vanish in its pattern
// Properties by their long names: the short form "font" is empty where digits have one width.
const SVG_STYLES = [
  ...["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "overflow"],
  ...["font-family", "font-size", "font-weight", "text-anchor"],
];

function imageAction({ title }) {
  const run = async () => {
    const resource = { uri: fileName(title, "png"), mimeType: "image/png", blob: await pngOf(pictureSvg()) };
    return perform("save", { contents: [{ type: "resource", resource }] });
  };
  return { label: "Save as PNG", needs: "save", run };
}

// The base64 of the picture.
async function pngOf(svg) {
  const [width, height] = ["width", "height"].map((name) => Number(svg.getAttribute(name)));
  const factor = Math.min(PNG_SCALE, MAX_PNG_SIDE / Math.max(width, height));
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  const canvas = make("canvas", { width: width * factor, height: height * factor });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png").split(",")[1];
}

// Controls take no room in it: they are hidden while it is measured, which the screen does not show.
function pictureSvg() {
  place.classList.add("saved");
  const svg = measuredSvg();
  place.classList.remove("saved");
  return svg;
}

function measuredSvg() {
  const { x, y, right } = place.getBoundingClientRect();
  const shown = [...place.querySelectorAll("*")].filter((each) => !each.closest(NOT_DRAWN));
  const edge = (name) => Math.ceil(Math.max(...shown.map((each) => each.getBoundingClientRect()[name]))) + PNG_MARGIN;
  const height = edge("bottom") - y;
  const width = Math.max(right, edge("right")) - x;
  const { backgroundColor } = getComputedStyle(document.body);
  const patterns = [hatchPattern("hatched"), hatchPattern("rest", 0)];
  for (const one of patterns)
    one.querySelector("line").style.cssText = `stroke: ${backgroundColor}; stroke-width: 4px`;
  return draw(
    "svg",
    { width, height },
    patterns,
    draw("rect", { width, height, fill: backgroundColor }),
    draw("g", { transform: `translate(${-x} ${-y})` }, shown.flatMap(drawn)),
  );
}

function drawn(element) {
  const { x, y, width, height } = element.getBoundingClientRect();
  if (element.localName === "svg") return [chartCopy(element, { x, y, width, height })];
  const { backgroundColor, color, opacity, transform } = getComputedStyle(element);
  const path = (d, fill, more) => draw("path", { d, fill, opacity, ...more });
  const box = `M${x} ${y}h${width}v${height}h${-width}z`;
  const [middle, half] = [y + height / 2, width / 2];
  const diamond = `M${x} ${middle}l${half} ${-half}l${half} ${half}l${-half} ${half}z`;
  const pattern = ["hatched", "rest"].find((name) => element.matches(`.${name}`));
  const dashes = Object.keys(DASHES).find((name) => element.matches(`.${name}`));
  const follows = element.matches(".statement > * + *") && element.offsetTop === element.previousSibling.offsetTop;
  return [
    backgroundColor !== TRANSPARENT && path(transform.startsWith("matrix(0.7") ? diamond : box, backgroundColor),
    pattern && width >= MIN_PATTERN_WIDTH && path(box, `url(#${pattern})`),
    dashes && path(`M${x} ${middle}h${width}`, "none", { stroke: color, "stroke-width": 2, "stroke-dasharray": DASHES[dashes] }),
    follows && draw("circle", { cx: isRightToLeft() ? x + width + 8 : x - 8, cy: y + 9, r: 1.5, fill: color }),
    ...[...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).flatMap(textLines),
  ];
}

// The text of a node, a line for each one on the screen.
function textLines(node) {
  const { color, fontFamily, fontSize, fontWeight } = getComputedStyle(node.parentElement);
  const style = `fill: ${color}; font: ${fontWeight} ${fontSize} ${fontFamily}; dominant-baseline: text-before-edge`;
  const range = document.createRange();
  const lines = new Map();
  for (const { 0: word, index } of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.trimEnd().length);
    const { x, y } = range.getBoundingClientRect();
    const line = lines.get(y) ?? { x, text: "" };
    lines.set(y, { x: Math.min(x, line.x), text: line.text + word });
  }
  return [...lines].map(([y, { x, text }]) => draw("text", { x, y, style }, text.trimEnd()));
}

// The colors of a chart come from the style sheet, so a copy gets them as properties of its elements.
function chartCopy(chart, box) {
  const copy = chart.cloneNode(true);
  const originals = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, index) => {
    const style = getComputedStyle(originals[index]);
    for (const name of SVG_STYLES) element.style.setProperty(name, style.getPropertyValue(name));
  });
  return fill(copy, box, []);
}
