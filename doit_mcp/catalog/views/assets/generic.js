// Pictures of answers without a picture of their own, by the kinds of their series, or as a table.

function genericPicture(answer) {
  const series = answer.set.series.find((one) => one.kind === "waterfall") ?? answer.set.series[0];
  const title = toolTitle(answer.tool);
  if (!series) return { title, parts: [make("p", { class: "message" }, phrase(plainText(answer)))], actions: [] };
  if (series.kind === "waterfall") return explainPicture(answer);
  if (series.kind === "time") return trendPicture(answer);
  return { title, parts: [seriesTable(series, currencyOf(answer))], actions: [], sheet: sheetOf(series) };
}

// An answer in words, but not the JSON that is for models.
function plainText({ text }) {
  return text && !parsed(text) ? text : "There is no picture of this answer. The conversation has its figures.";
}

// Any series as a table of values.
function seriesTable(series, currency) {
  const kinds = { money: "money", moneyPerUnit: "money", percent: "percent", count: "count" };
  const columns = series.columns.map(({ role, unit, name }) => ({
    name: name ? nameLabel(name) : capitalize(role),
    kind: role === "period" ? "period" : (kinds[unit] ?? "text"),
  }));
  return valueTable(capitalize(series.name), columns, series.rows, { currency });
}
