// Files for the user: rows as CSV. The host saves them, because the frame cannot.
// Spreadsheets ignore spaces before a formula, and take characters of full width for those of ASCII.
const FORMULA_START = /^(?:[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|[\t\r\n])/u;

// The rows of a series or table as a sheet: {name, columns, rows}. *partial* are periods with some of their days.
function sheetOf(series, partial = []) {
  const columns = series.columns.map(({ name, role }) => (name ? nameLabel(name) : role === "other" ? EVERYTHING_ELSE : role));
  const [part, name] = ["part", "name"].map((role) => columnOf(series, role));
  const isTime = columns[0] === "period";
  const notes = withCoverage(periodNotes(series), partial);
  const rows = series.rows.map((row) => [
    ...(part >= 0 && row[part] === "other" ? row.with(name, row[name] ?? EVERYTHING_ELSE) : isTime ? row.with(0, sheetPeriod(row[0])) : row),
    ...(notes.size ? [notes.get(row[0])] : []),
  ]);
  return { name: series.name, columns: notes.size ? [...columns, "note"] : columns, rows };
}

// The days of a forecast, and the months of a scenario.
function forecastSheet(series, scenario) {
  const sheet = sheetOf(series);
  if (!scenario) return sheet;
  const row = (month) => [
    daysText(month),
    ...sheet.columns.slice(1).map((name) => ({ expected: month.expected, note: "scenario" })[name]),
    month.scenario,
  ];
  const daily = sheet.rows.map((one) => [...one, null]);
  return { ...sheet, columns: [...sheet.columns, "with the changes"], rows: [...daily, ...scenario.months.map(row)] };
}

// The notes of periods, with how many of their days the rows cover.
function withCoverage(notes, partial) {
  for (const { period, covered, length } of partial)
    notes.set(period, [notes.get(period), `${covered} of ${length} days`].filter(Boolean).join(", "));
  return notes;
}

// A period as it is, or the days of a week.
function sheetPeriod(period) {
  return /W|\//.test(period) ? boundsOf(period).join(" to ") : period;
}

// The rows to save, with currency, period and basis in columns of their own, because spreadsheets drop other places.
function statedSheet(answer, { name, columns, rows, of }) {
  const period = periodOf(answer) ?? {};
  const compareTo = answer.set.compareTo ?? answer.data.secondaryPeriod;
  const basis = answer.set.basis ?? answer.data.basis ?? {};
  const stated = {
    currency: columns.includes("currency") ? null : currencyOf(answer),
    "period covered": period.from && daysText(period),
    "compared with": compareTo && daysText(compareTo),
    "final through": period.finalThrough ?? (period.finalThrough === null && "no day"),
    "as of": answer.data.asOf ?? answer.set.asOf,
    filters: filterTexts(answer.args).join("; "),
    "rows saved": of > rows.length && `${rows.length} of ${of}`,
    basis: basis.metric ? `${basis.metric}, credits ${basis.credits ?? "excluded"}` : null,
  };
  const known = Object.entries(stated).filter(([, value]) => value);
  const [labels, values] = [0, 1].map((index) => known.map((entry) => entry[index]));
  return { name, columns: [...labels, ...columns], rows: rows.map((row) => [...values, ...row]) };
}

function daysText({ from, to }) {
  return `${from} to ${to}`;
}

// A spreadsheet would run text that begins like a formula; numbers stay numbers.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (isNumber(value)) return String(value);
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
