// Costs over time: columns, stacked by group. Periods that are not final are hatched.
const COLUMN_GAP = 0.24; // of the width of a period

// The layers of the columns: {name, kind, values}, the largest group first, and what is left last.
function layersOf(series, dimension) {
  const groups = groupColumns(series);
  const ofRow = (index) => series.rows.map((row) => row[index] ?? 0);
  if (!groups.length) {
    return [{ name: "Cost", kind: "series-1", values: ofRow(columnOf(series, "total")) }, ...forecastLayer(series)];
  }
  const shown = groups.filter(({ isOther }) => !isOther).slice(0, MAX_SERIES);
  const layers = shown.map(({ name, index }, order) => ({
    name: named(name, dimension),
    kind: `series-${order + 1}`,
    values: ofRow(index),
  }));
  const merged = groups.filter((group) => !shown.includes(group));
  const rest = series.rows.map((row) => merged.reduce((sum, { index }) => sum + (row[index] ?? 0), 0));
  if (rest.some((value) => Math.abs(value) >= 0.005))
    layers.push({ name: EVERYTHING_ELSE, kind: "base", values: rest });
  return [...layers, ...forecastLayer(series)];
}

function forecastLayer(series) {
  const index = columnOf(series, "forecast");
  return index < 0 ? [] : [{ name: "Forecast", kind: "forecast", values: series.rows.map((row) => row[index] ?? 0) }];
}

// The amount of a period in words: what is spent, and apart from it what is forecast.
function periodAmounts(series, row, currency) {
  const [spent, ahead] = ["total", "forecast"].map((role) => row[columnOf(series, role)]);
  const isLate = (series.provisional ?? []).includes(row[0]);
  const parts = isNumber(spent) || !isNumber(ahead) ? [money(spent, currency)] : [];
  if (isLate) parts.push("not final");
  if (isNumber(ahead)) parts.push(`forecast ${money(ahead, currency)}`);
  return `${periodLabel(row[0])}: ${parts.join(", ")}`;
}

// The figure with the columns of a time series, and above the last one what is forecast for it.
function stackedColumns(answer, series, dimension, ahead) {
  const currency = currencyOf(answer);
  const layers = layersOf(series, dimension);
  const periods = series.rows.map((row) => row[0]);
  const late = new Set([...(series.provisional ?? []), ...partialPeriods(answer).map(({ period }) => period)]);
  const sums = [Math.max, Math.min].flatMap((pick) =>
    periods.map((_, index) => layers.reduce((sum, { values }) => sum + pick(0, values[index]), 0)),
  );
  const label = `${capitalize(series.name)}, ${periodLabel(periods[0] ?? "")} to ${periodLabel(periods.at(-1) ?? "")}`;
  const chart = timeChart(label, periods, [...sums, ahead?.expected, ahead?.high], currency);
  periods.forEach((period, index) => {
    const title = draw("title", {}, periodAmounts(series, series.rows[index], currency));
    chart.svg.append(draw("g", {}, title, columnMarks(chart, layers, index, late.has(period))));
  });
  if (ahead) chart.svg.append(...aheadMarks(chart, series, ahead));
  const table = seriesTable(series, currency);
  const entries = ahead ? [...layers, { kind: "forecast", name: "Forecast of the month" }] : layers;
  const legend = entries.length > 1 ? legendOf(entries) : null;
  return figure(chart, legend, table);
}

function columnBox(chart, index) {
  const width = chart.width * (1 - COLUMN_GAP);
  return { x: `${chart.x(index) - width / 2}%`, width: `${width}%` };
}

// The segments of one column: positive ones up from zero, negative ones down.
function columnMarks(chart, layers, index, isProvisional) {
  const box = columnBox(chart, index);
  let [up, down] = [0, 0];
  return layers.flatMap(({ kind, values }) => {
    const value = values[index];
    const from = value < 0 ? down : up;
    if (value < 0) down += value;
    else up += value;
    const [top, bottom] = [from, from + value].map(chart.y).sort((a, b) => a - b);
    if (bottom - top < 0.2) return [];
    const size = { ...box, y: top, height: bottom - top };
    return [
      draw("rect", { class: `mark ${kind}`, ...size }),
      isProvisional && kind !== "forecast" ? draw("rect", { ...size, fill: chart.hatch }) : null,
    ];
  });
}

// What a time series shows: its columns, and in full screen its table.
function timeParts(answer, series, dimension) {
  const shown = stackedColumns(answer, series, dimension, answer.ahead);
  return { parts: [shown, partialNote(answer)], isHatched: true, deep: () => [valuesSection(answer, series)] };
}

function valuesSection(answer, series) {
  return section(capitalize(series.name), seriesTable(series, currencyOf(answer)));
}

function trendPicture(answer) {
  const series = seriesNamed(answer, "time");
  if (!series) return genericPicture(answer);
  const isGrouped = groupColumns(series).length > 0;
  const dimension = isGrouped ? dimensionOf(answer, series) : "";
  const shown = timeParts(answer, series, dimension);
  const title = `Cost by ${series.interval}${isGrouped ? ` and ${dimension}` : ""}`;
  return {
    title,
    headline: trendHeadline(answer, isGrouped, series),
    ...shown,
    switches: dimension || "total",
    parts: [...shown.parts, answer.ahead ? paragraph("axis", aheadText(answer)) : null],
    fullActions: forecastAction(answer, series),
    actions: [askAction("What changed?", trendQuestion(series))],
    sheet: sheetOf(series, partialPeriods(answer)),
  };
}

// How much the answer covers of periods that it has only in part.
function partialNote(answer) {
  const texts = partialPeriods(answer).map(({ period, covered, length }) => `${periodLabel(period)}: ${number(covered)} of ${days(length)}.`);
  return texts.length ? make("p", "axis", swatch("hatched"), texts.map((text) => [phrase(text), " "])) : null;
}

function trendQuestion({ interval, rows }) {
  const last = periodLabel(rows.at(-1)?.[0] ?? "");
  return `What changed in our cloud costs in the last ${interval} (${last}) compared with the ${interval} before, and why?`;
}

// The total, and how the last month compares with the same days of the month before it.
function trendHeadline(answer, isGrouped, { interval, rows }) {
  const { data } = answer;
  const currency = currencyOf(answer);
  const value = money(data.total?.all, currency);
  const covered = `Total of ${lengthOf(rows.length, interval)}`;
  const last = isGrouped ? null : data.months?.at(-1);
  const { likeForLike: same, period } = last ?? {};
  const rate = same ? (same.final ?? same).changePercent : last?.changePercent;
  if (!isNumber(rate)) return { value, detail: covered };
  const which = same?.final ? ` (same days through ${shortDay(same.final.to)})` : same ? " (same days)" : "";
  return { value, detail: `${covered}. ${periodLabel(period)}: ${signedPercent(rate)} from the month before${which}` };
}
