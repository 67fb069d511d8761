// The shapes of query results: bars, pairs of bars, a series over time, or a heat table.
const MAX_HEAT_COLUMNS = 13;

// A picture for one value over time, one dimension or two; null for other tables, or ones that are cut.
function shaped(answer, { columns, rows, complete }) {
  const texts = columns.filter(({ kind }) => kind === "text");
  const values = columns.filter(({ kind }) => kind === "money" || kind === "count");
  const period = columns.find(({ kind }) => kind === "period");
  if (!complete || values.length !== 1 || texts.length + (period ? 1 : 0) > 2) return null;
  const [value] = values;
  const forecast = answer.data.result?.forecastRows ?? [];
  if (period && texts.length < 2 && value.kind === "money")
    return timeShape(answer, { period, group: texts[0], value, rows, forecast });
  if (texts.length === 2) return heatShape(answer, texts, value, rows);
  if (texts.length === 1 && value.kind === "money") return barShape(answer, texts[0], value, rows);
  return null;
}

function barShape(answer, group, value, rows) {
  const sorted = [...rows].sort((a, b) => b[value.index] - a[value.index]);
  const earlier = answer.data.result?.secondaryRows;
  if (earlier?.length) return pairShape(answer, group, value, sorted, earlier);
  const groups = sorted.map((row) => ({ name: row[group.index], cost: row[value.index], part: "value" }));
  return { parts: costBars(answer, groups, group.dimension) };
}

// The rows of a report and of the period that it is compared with.
function pairShape(answer, group, value, rows, earlier) {
  const [before, now] = [earlier, rows].map((some) => new Map(some.map((row) => [row[group.index], row[value.index]])));
  const axis = barScale([...before.values(), ...now.values()]);
  const amount = (found) => money(found ?? 0, currencyOf(answer));
  const row = (name) => ({
    name: named(name, group.dimension),
    bar: pairBars(before.get(name), now.get(name), axis),
    values: [
      [swatch("base"), amount(before.get(name))],
      [swatch("series-1"), amount(now.get(name))],
    ],
  });
  const [shown, note] = fittingRows([...new Set([...now.keys(), ...before.keys()])], row);
  const headings = [capitalize(group.dimension), "Cost before", "Cost"];
  return {
    parts: [
      pairLegend(answer.data.period, answer.data.secondaryPeriod),
      barTable(`Cost by ${group.dimension}`, headings, shown),
      note,
    ],
  };
}

// Rows as one series over time: a column for each group, the largest first, and one for all others.
function timeShape(answer, { period, group, value, rows, forecast }) {
  const totals = new Map();
  const cells = new Map();
  // Forecasts are never added to costs of the same period: they have a column of their own.
  const expected = new Map();
  for (const row of forecast) {
    const when = row[period.index];
    expected.set(when, (expected.get(when) ?? 0) + (row[value.index] ?? 0));
  }
  for (const row of rows) {
    const [when, name, amount] = [row[period.index], group ? row[group.index] : null, row[value.index] ?? 0];
    totals.set(name, (totals.get(name) ?? 0) + amount);
    if (!cells.has(when)) cells.set(when, new Map());
    cells.get(when).set(name, (cells.get(when).get(name) ?? 0) + amount);
  }
  const names = [...totals.keys()].sort((a, b) => totals.get(b) - totals.get(a));
  const shown = group ? names.slice(0, MAX_SERIES) : [];
  const cents = (amount) => Math.round(amount * 100) / 100;
  const hasOther = group && names.length > shown.length;
  const seriesRows = [...new Set([...cells.keys(), ...expected.keys()])].sort().map((when) => {
    const byName = cells.get(when);
    const ahead = expected.size ? [expected.has(when) ? cents(expected.get(when)) : null] : [];
    if (!byName) return [when, null, ...shown.map(() => null), ...(hasOther ? [null] : []), ...ahead];
    const total = [...byName.values()].reduce((sum, amount) => sum + amount, 0);
    const parts = shown.map((name) => byName.get(name) ?? 0);
    const other = total - parts.reduce((sum, amount) => sum + amount, 0);
    return [when, cents(total), ...parts.map(cents), ...(hasOther ? [cents(other)] : []), ...ahead];
  });
  const columns = [
    { role: "period" },
    { role: "total", unit: "money" },
    ...shown.map((name) => ({ role: "group", unit: "money", id: name, name })),
    ...(hasOther ? [{ role: "other", unit: "money" }] : []),
    ...(expected.size ? [{ role: "forecast", unit: "money" }] : []),
  ];
  const series = {
    name: queryTitle({ columns: [value, group, period].filter(Boolean) }),
    kind: "time",
    interval: period.dimension,
    columns,
    rows: seriesRows,
    provisional: provisionalPeriods(answer, cells.keys()),
  };
  return timeParts(answer, series, group?.dimension ?? "");
}

// The periods of which some day that the answer covers is not final.
function provisionalPeriods(answer, periods) {
  const { to } = periodOf(answer) ?? {};
  return [...periods].filter((period) => [boundsOf(period)[1], to].sort()[0] > lastFinalDay(answer));
}

function heatShape(answer, dimensions, value, rows) {
  // The dimension with fewer values makes the columns, so that the table stays narrow.
  const counts = new Map(
    dimensions.map((dimension) => [dimension, new Set(rows.map((row) => row[dimension.index])).size]),
  );
  const [columnDimension, rowDimension] = [...dimensions].sort((a, b) => counts.get(a) - counts.get(b));
  const columnNames = [...new Set(rows.map((row) => row[columnDimension.index]))];
  if (columnNames.length > MAX_HEAT_COLUMNS) return null;
  const byRow = Map.groupBy(rows, (row) => row[rowDimension.index]);
  const cells = [...byRow].map(([name, found]) => {
    const at = new Map(found.map((row) => [row[columnDimension.index], row[value.index]]));
    return [name, ...columnNames.map((column) => at.get(column) ?? null)];
  });
  const columns = [
    { name: capitalize(rowDimension.dimension), kind: "text", dimension: rowDimension.dimension },
    ...columnNames.map((name) => ({ name: nameLabel(name, columnDimension.dimension), kind: value.kind })),
  ];
  return {
    parts: [
      heatTable(queryTitle({ columns: [value, rowDimension, columnDimension] }), columns, cells, currencyOf(answer)),
    ],
  };
}
