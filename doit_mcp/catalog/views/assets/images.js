// Charts as PNG: the drawing with its title, what the amounts are, and its legend.
const PNG_SCALE = 2;
const PNG_MARGIN = 16;
const PNG_LINE = 20;
// Properties by their long names: the short form "font" is empty where digits have one width.
const PNG_STYLES = [
  ...["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity"],
  ...["font-family", "font-size", "font-weight", "text-anchor"],
];

function imageAction(answer, { title, chart }) {
  const run = async () => {
    const blob = await pngOf(chart, title, statement(answer).join(" · "), provisionalText(answer));
    const resource = { uri: fileName(title, "png"), mimeType: "image/png", blob };
    return perform("save", { contents: [{ type: "resource", resource }] });
  };
  return { label: "Save as PNG", needs: "save", run };
}

// The base64 of the picture. Its texts are drawn on a canvas around the chart.
async function pngOf(chart, title, stated, note) {
  const image = await imageOf(chart);
  const legend = [...(chart.closest("figure")?.querySelectorAll(".legend > *") ?? [])];
  const { width, height } = chart.getBoundingClientRect();
  const top = PNG_MARGIN + 2 * PNG_LINE;
  const canvas = make("canvas", {
    width: (width + 2 * PNG_MARGIN) * PNG_SCALE,
    height: (top + height + (legend.length + 2) * PNG_LINE + PNG_MARGIN) * PNG_SCALE,
  });
  const context = canvas.getContext("2d");
  const { backgroundColor, color, fontFamily } = getComputedStyle(document.body);
  const write = (text, x, y, weight = 400) => {
    context.font = `${weight} 13px ${fontFamily}`;
    context.fillStyle = color;
    context.fillText(text, x, y, width);
  };
  context.scale(PNG_SCALE, PNG_SCALE);
  context.fillStyle = backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  write(title, PNG_MARGIN, PNG_MARGIN + 12, 600);
  write(stated, PNG_MARGIN, PNG_MARGIN + PNG_LINE + 12);
  context.drawImage(image, PNG_MARGIN, top, width, height);
  legend.forEach((entry, index) => {
    const y = top + height + (index + 1) * PNG_LINE;
    const swatch = entry.querySelector(".swatch");
    if (swatch) context.fillStyle = getComputedStyle(swatch).backgroundColor;
    if (swatch) context.fillRect(PNG_MARGIN, y, 12, 12);
    write(entry.textContent.trim(), PNG_MARGIN + 20, y + 11);
  });
  write(note, PNG_MARGIN, top + height + (legend.length + 1) * PNG_LINE + 11);
  return canvas.toDataURL("image/png").split(",")[1];
}

// An SVG as an image. Its colors come from the style sheet, so a copy gets them as properties of its elements.
async function imageOf(chart) {
  const copy = chart.cloneNode(true);
  const originals = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, index) => {
    const style = getComputedStyle(originals[index]);
    for (const name of PNG_STYLES) element.style.setProperty(name, style.getPropertyValue(name));
  });
  const { width, height } = chart.getBoundingClientRect();
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}
