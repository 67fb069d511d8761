// Reads the result of a tool: its structured content, its series, and what its amounts are about.
const SERIES_KEY = "doit/series";
const VIEW_KEY = "doit/view";
const ALL_FINAL = "9999"; // later than any day

// An answer: {tool, args, data, set, failed, text}. *data* is the structured content, *set* the series.
function readAnswer(result, tool, args) {
  const text = (result.content ?? []).find((block) => block.type === "text")?.text ?? "";
  const data = result.structuredContent ?? parsed(text) ?? {};
  const set = result._meta?.[SERIES_KEY] ?? { series: [] };
  return { tool: result._meta?.[VIEW_KEY]?.tool ?? tool, args, data, set, failed: Boolean(result.isError), text };
}

// Clients of old revisions get no structured content; the text is the same JSON.
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

// Arguments that ask about the same periods, for hosts that do not pass those of the call.
function impliedArguments({ period, compareTo }) {
  const asText = ({ from, to }) => `${from}/${to}`;
  return { ...(period && { period: asText(period) }), ...(compareTo && { compareTo: asText(compareTo) }) };
}

function seriesNamed(answer, test) {
  return answer.set.series.find((one) => (test instanceof RegExp ? test.test(one.name) : one.kind === test));
}

// The rows of a series as objects by role. Time series have several columns "group", so use groupColumns for them.
function records(series) {
  const roles = series.columns.map((column) => column.role);
  return series.rows.map((row) => Object.fromEntries(roles.map((role, index) => [role, row[index]])));
}

function columnOf(series, role) {
  return series.columns.findIndex((column) => column.role === role);
}

// The columns of a time series that add up to its total: {id, name, index, isOther}.
function groupColumns(series) {
  return series.columns.flatMap((column, index) => {
    if (column.role !== "group" && column.role !== "other") return [];
    return [{ id: column.id, name: column.name, index, isOther: column.role === "other" }];
  });
}

function currencyOf(answer) {
  return answer.set.currency ?? answer.data.currency;
}

function periodOf(answer) {
  return answer.set.period ?? answer.data.period;
}

// The dimension of a series, or of the arguments, as a word: service, project, team.
function dimensionOf(answer, series) {
  const asked = answer.args.groupBy;
  return dimensionLabel(series?.dimension?.id ?? (Array.isArray(asked) ? asked[0] : asked) ?? "service");
}

// Filters in words. *write* writes names: as they are, or quoted.
function filterTexts(args, write = nameLabel) {
  const texts = (args.filters ?? []).map((filter) => {
    const values = (filter.values ?? []).map((value) => write(value)).join(", ");
    const verb = filter.inverse ? "is not" : (filter.mode ?? "is").replaceAll("_", " ");
    return `${write(dimensionLabel(filter.id))} ${verb} ${values}`;
  });
  return args.cloud ? [`cloud is ${write(args.cloud)}`, ...texts] : texts;
}

// What the amounts are: period, currency and basis. A picture always shows it.
function statement(answer, write = nameLabel) {
  const [period, compareTo, basis] = [
    periodOf(answer),
    answer.set.compareTo ?? answer.data.secondaryPeriod,
    answer.set.basis ?? answer.data.basis,
  ];
  const parts = coveredTexts(answer, period, compareTo);
  if (currencyOf(answer)) parts.push(currencyOf(answer));
  if (basis?.metric) parts.push(`${basis.metric.replaceAll("_", " ")}, credits ${basis.credits ?? "excluded"}`);
  return [...parts, ...filterTexts(answer.args, write)];
}

// Tools whose amounts are not those of the period of their series, with functions that return their period as texts.
const PERIOD_TEXTS = { forecast_spend: forecastPeriodTexts, get_anomaly: anomalyPeriodTexts, get_anomalies: searchTexts };

function coveredTexts(answer, period, compareTo) {
  const own = PERIOD_TEXTS[answer.tool]?.(answer);
  if (own) return own;
  if (!period) return [];
  const lengths =
    compareTo && compareTo.days !== period.days
      ? `${days(period.days)} vs. ${days(compareTo.days)}`
      : days(period.days);
  const text = compareTo ? `${range(period)} compared with ${range(compareTo)}` : range(period);
  return [period.days ? `${text} (${lengths})` : text];
}

// The words for days whose costs still arrive, or "".
function provisionalText(answer) {
  const last = lastFinalDay(answer);
  if (last >= periodOf(answer)?.to || last === ALL_FINAL) return "";
  if (!last) return "All costs of this period are still arriving.";
  return `Costs after ${day(last, { month: "long", day: "numeric" })} are still arriving.`;
}

// The last day whose costs are final: "" if no day is final.
function lastFinalDay(answer) {
  const { finalThrough = ALL_FINAL } = periodOf(answer) ?? {};
  return finalThrough ?? "";
}

// Periods of which the answer has only some days: {period, covered, length}, both in days.
function partialPeriods({ data }) {
  return (data.partial ?? data.partialPeriods ?? []).flatMap(({ period, days: covered }) => {
    const [from, to] = boundsOf(period).map(Date.parse);
    const length = (to - from) / DAY_MILLISECONDS + 1;
    return covered < length ? [{ period, covered, length }] : [];
  });
}

// What the picture lacks, as sentences.
function missingTexts(answer) {
  const texts = (answer.set.missing ?? []).map(({ part, why }) => `Not shown: ${part} (${why}).`);
  for (const { name, cut } of answer.set.series) {
    if (cut) texts.push(`${capitalize(name)}: ${number(cut.shown)} of ${number(cut.of)} rows shown.`);
  }
  return texts;
}

// Whether the answer has nothing to draw: an answer, but no rows.
function isEmpty({ data, set }) {
  if (set.series.some((series) => series.rows.length > 0)) return false;
  const { groups, rows, result, budgets, anomalies, months, by, costByCloud, save, waste, at_stake } = data;
  const lists = [groups, rows, result?.rows, budgets, anomalies, months, by, costByCloud?.rows, save, waste, at_stake];
  const known = lists.filter(Array.isArray);
  return known.length > 0 && known.every((list) => list.length === 0);
}
