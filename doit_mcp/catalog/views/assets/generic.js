// Pictures of answers without a picture of their own, by the kinds of their series, or as a table.

function genericPicture(answer) {
  const series = answer.set.series.find((one) => one.kind === "waterfall") ?? answer.set.series[0];
  const title = toolTitle(answer.tool);
  if (!series) return { title, parts: [paragraph("message", plainText(answer))], actions: [] };
  if (series.kind === "waterfall") return explainPicture(answer);
  if (series.kind === "time") return trendPicture(answer);
  return { title, parts: [seriesTable(series, currencyOf(answer))], actions: [], sheet: sheetOf(series) };
}

// An answer in words, but not the JSON that is for models.
function plainText({ text }) {
  return text && !parsed(text) ? text : "Done. The conversation has the details.";
}

// Any series as a table of values.
function seriesTable(series, currency) {
  const kinds = { money: "money", moneyPerUnit: "money", percent: "percent", count: "count" };
  const notes = periodNotes(series);
  const columns = series.columns.map(({ role, unit, name }) => ({
    name: name ? nameLabel(name) : role === "other" ? EVERYTHING_ELSE : capitalize(role),
    kind: role === "period" ? "period" : (kinds[unit] ?? "text"),
    notes,
  }));
  return valueTable(capitalize(series.name), columns, series.rows, { currency });
}

// What to say of a period in a table: that it is a forecast, or not final.
function periodNotes(series) {
  const spent = series.columns.findIndex(({ role }) => role === "total" || role === "actual");
  const provisional = new Set(series.provisional ?? []);
  const noteOf = (row) => (spent >= 0 && !isNumber(row[spent]) ? "forecast" : "not final");
  const noted = series.rows.filter((row) => noteOf(row) === "forecast" || provisional.has(row[0]));
  return new Map(noted.map((row) => [row[0], noteOf(row)]));
}
