// Budgets as bullet bars. All have one axis, the percentage of each budget, because their amounts can differ in currency.
const MAX_BUDGET_PERCENT = 200;
const BUDGET_STATES = {
  exceeded: { rank: 0, mark: "✕", word: "Exceeded" },
  at_risk: { rank: 1, mark: "!", word: "At risk" },
  unknown: { rank: 2, mark: "?", word: "Unknown" },
  on_track: { rank: 3, mark: "✓", word: "On track" },
};

function budgetsPicture(answer) {
  const series = seriesNamed(answer, "budgets");
  if (!series) return genericPicture(answer);
  const budgets = records(series);
  const first = budgets.length === 1 ? budgets[0] : null;
  const url = answer.data.url ?? answer.data.budgets?.[0]?.url;
  const question = first
    ? askAction("What drives this budget?", `What drives the spend of the budget ${quoted(first.name)}?`)
    : budgetsAction("Which will be exceeded?");
  return {
    title: first && answer.tool === "get_budget" ? first.name : "Budgets",
    headline: first
      ? { value: money(first.actual, first.currency), detail: `of ${money(first.limit, first.currency)}` }
      : null,
    parts: [budgetBars(answer, series)],
    url: first && url,
    actions: [question],
    sheet: sheetOf(series),
  };
}

function budgetsAction(label) {
  return askAction(label, "Which of our budgets will be exceeded, when, and what drives them?");
}

function budgetBars(answer, series, max = MAX_INLINE_ROWS) {
  const percentOf = ({ limit }, amount) => (limit > 0 && isNumber(amount) ? (amount / limit) * 100 : null);
  const budgets = records(series).sort(byRisk);
  const percents = budgets.flatMap((budget) => [percentOf(budget, budget.actual), percentOf(budget, budget.forecast)]);
  const axis = { min: 0, max: Math.min(MAX_BUDGET_PERCENT, Math.max(100, ...percents)) };
  const isSame = new Set(budgets.map(({ from, to }) => `${from} ${to}`)).size === 1;
  const thresholds = new Map(budgets.map(({ id }) => [id, thresholdsOf(answer, id)]));
  const row = (budget) => {
    const [spent, forecast] = [percentOf(budget, budget.actual), percentOf(budget, budget.forecast)];
    return {
      name: [named(budget.name), detailLine(stateOf(budget), isSame ? "" : [" · ", phrase(periodOfBudget(budget))])],
      bar: bulletMarks(budget, { spent, forecast, thresholds: thresholds.get(budget.id) }, axis),
      values: [spendText(budget), spent === null || isAhead(budget) ? "–" : phrase(`${percent(spent)} used`)],
      ...openBudget(answer, budget),
    };
  };
  const [shown, note] = fittingRows(budgets, row, max);
  return [
    isSame && periodOf(answer)?.to !== budgets[0].to ? paragraph("axis", periodOfBudget(budgets[0])) : null,
    barTable("Budgets", ["Budget", "Spent", "Of budget"], shown),
    legendOf([
      { kind: "base", name: "Spent" },
      ...(budgets.some(({ status }) => status === "exceeded") ? [{ kind: "up", name: "Exceeded" }] : []),
      { kind: "tick", name: "Forecast for the whole period" },
      { kind: "limit", name: "Budget" },
      ...([...thresholds.values()].flat().length ? [{ kind: "alert", name: "Alert threshold" }] : []),
    ]),
    percents.some((value) => value > axis.max)
      ? paragraph("axis", `Bars are cut off at ${percent(axis.max, { minimumFractionDigits: 0 })}.`)
      : null,
    note,
    paragraph("axis", "The DoiT API does not report whether budgets include credits."),
    unfinishedNote(answer, budgets),
  ];
}

// Budgets without the last final day of their costs: those of running periods are not final.
function unfinishedNote(answer, budgets) {
  if (answer.tool === "forecast_spend" || provisionalText(answer)) return null;
  return budgets.some((budget) => !isAhead(budget) && budget.to >= isoDay(Date.now()))
    ? paragraph("axis", "Costs of the last days are still arriving.")
    : null;
}

function byRisk(a, b) {
  const rank = ({ status }) => (BUDGET_STATES[status] ?? BUDGET_STATES.unknown).rank;
  const use = ({ forecast, actual, limit }) => (limit > 0 ? Math.max(forecast ?? 0, actual ?? 0) / limit : 0);
  return rank(a) - rank(b) || use(b) - use(a);
}

// The state by mark and word, and the day on which the budget is exceeded.
function stateOf({ status, crossesOn, from }) {
  if (isAhead({ from })) return phrase(`Begins ${day(from)}`);
  const { mark, word } = BUDGET_STATES[status] ?? BUDGET_STATES.unknown;
  const on = crossesOn ? ` on ${shortDay(crossesOn)}` : "";
  return [unspoken(`state ${status}`, mark), " ", phrase(`${word}${on}`)];
}

function periodOfBudget({ from, to, currency }) {
  return `${from && to ? `${range({ from, to })} · ` : ""}${currency}`;
}

function isAhead({ from }) {
  return from > isoDay(Date.now());
}

function bulletMarks({ status }, { spent, forecast, thresholds }, axis) {
  if (spent === null) return [];
  const kind = status === "exceeded" ? "up" : "base";
  const at = (value) => `${span(0, value, axis).size}%`;
  return [
    bar(span(0, 100, axis), "budget"),
    spent > 0 ? bar(span(0, spent, axis), kind) : null,
    thresholds.map((value) => make("span", { class: "threshold", "--start": at(value) })),
    forecast === null ? null : make("span", { class: "forecast-mark", "--start": at(forecast) }),
    make("span", { class: "limit-mark", "--start": at(100) }),
    Math.max(spent, forecast) > axis.max ? make("span", "break end") : null,
  ];
}

function spendText({ actual, forecast, limit, currency }) {
  const ahead = isNumber(forecast) ? detailLine(phrase(`${money(forecast, currency)} forecast`)) : null;
  return [phrase(`${money(actual, currency)} of ${money(limit, currency, { minimumFractionDigits: 0 })}`), ahead];
}

function thresholdsOf({ data }, id) {
  const budget = data.budgets?.find((one) => one.id === id) ?? data;
  return (budget.alertThresholds ?? budget.alerts ?? []).map(({ percentage }) => percentage).filter((value) => value < 100);
}

// The click on a budget opens it in the console, where the host can.
function openBudget({ data }, { id, name }) {
  const url = data.budgets?.find((one) => one.id === id)?.url;
  if (!url || !can("open")) return {};
  return { onclick: () => attempt(openAction("", url).run), hint: `Open ${name} in the console`, key: `budget ${id}` };
}
