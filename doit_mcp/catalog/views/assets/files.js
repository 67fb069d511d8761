// Files for the user: rows as CSV, charts as PNG. The host saves them, because the frame cannot.
const FORMULA_START = /^[=+\-@\t\r]/;
const PNG_SCALE = 2;

// The rows of a series or table as a sheet: {name, columns, rows}.
function sheetOf(series) {
  const columns = series.columns.map((column) => column.name ?? column.role);
  return { name: series.name, columns, rows: series.rows };
}

// A spreadsheet would run text that begins like a formula; numbers stay numbers.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = String(value);
  const safe = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csv({ columns, rows }) {
  return [columns, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n");
}

function fileName(name, ending) {
  return `file:///${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.${ending}`;
}

function saveAction(sheet) {
  const resource = () => ({ uri: fileName(sheet.name, "csv"), mimeType: "text/csv", text: csv(sheet) });
  return {
    label: "Save as CSV",
    needs: "save",
    run: () => perform("save", { contents: [{ type: "resource", resource: resource() }] }),
  };
}

function imageAction(name, chart) {
  const run = async () => {
    const resource = { uri: fileName(name, "png"), mimeType: "image/png", blob: await pngOf(chart) };
    return perform("save", { contents: [{ type: "resource", resource }] });
  };
  return { label: "Save as PNG", needs: "save", run };
}

// The base64 of an SVG as PNG. Its colors come from the style sheet, so a copy gets them as attributes.
async function pngOf(chart) {
  const copy = chart.cloneNode(true);
  const { width, height } = chart.getBoundingClientRect();
  const originals = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, index) => {
    const style = getComputedStyle(originals[index]);
    for (const name of [
      "fill",
      "stroke",
      "stroke-width",
      "stroke-dasharray",
      "font-family",
      "font-size",
      "font-weight",
      "text-anchor",
      "opacity",
    ]) {
      element.style.setProperty(name, style.getPropertyValue(name));
    }
  });
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const canvas = make("canvas", { width: width * PNG_SCALE, height: height * PNG_SCALE });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png").split(",")[1];
}
