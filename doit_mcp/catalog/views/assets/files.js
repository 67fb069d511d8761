// Files for the user: rows as CSV. The host saves them, because the frame cannot.
const FORMULA_START = /^[=+\-@\t\r]/;

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
