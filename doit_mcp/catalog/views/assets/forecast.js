// The forecast of a month: what is spent up to each day, what is expected, and the budgets of the same costs.
const MAX_INLINE_BUDGETS = 3;
const MIN_DIFFERENCE = 0.5; // in the currency of the budget: less is rounding

function forecastPicture(answer) {
  const series = seriesNamed(answer, /^month to date$/);
  const { month } = answer.data;
  if (!series || !month) return genericPicture(answer);
  const currency = currencyOf(answer);
  const name = day(month.from, { year: "numeric", month: "long" });
  const budgets = seriesNamed(answer, "budgets");
  const budget = budgets && budgetOfTotal(records(budgets), month, currency);
  return {
    title: `Forecast for ${name}`,
    headline: { value: money(month.expected, currency), change: monthChange(month), detail: likelyRange(month, currency) },
    parts: [
      cumulativeFigure(answer, series, budget),
      answer.data.scenario && scenarioSection(answer.data.scenario, currency),
      budgets?.rows.length ? budgetSection(answer, budgets, budget) : null,
    ],
    deep: () => [quarterText(answer.data.quarter, currency), valuesSection(answer, series), dailyColumns(answer)],
    actions: [budgetsAction("Which budgets will be exceeded?")],
    sheet: forecastSheet(series, answer.data.scenario),
    isHatched: isFullScreen(),
  };
}

// The forecast is for the whole month, of which the costs of the first days are known.
function forecastPeriodTexts({ data: { month }, ...answer }) {
  if (!month) return null;
  const spent = periodOf({ data: {}, ...answer });
  const through = spent?.to && spent.to < month.to ? [`spent through ${shortDay(spent.to)}`] : [];
  return [`${range(month)} (${days(month.days)})`, ...through];
}

// How the month differs from the month before, and the same for each day. Months of different length can disagree.
function monthChange({ changePercent, perDayChangePercent }) {
  if (!isNumber(changePercent)) return null;
  const text = `${signedPercent(changePercent)} from the month before`;
  if (!isNumber(perDayChangePercent)) return changed(changePercent, text);
  const agrees = direction(changePercent) === direction(perDayChangePercent);
  return changed(agrees ? changePercent : 0, `${text} (cost per day: ${signedPercent(perDayChangePercent)})`);
}

// The budget whose spend is the cost of this month, or null: only its limit has a place on the axis of the total.
function budgetOfTotal(budgets, month, currency) {
  const isSame = (one) =>
    one.from === month.from && one.to === month.to && one.currency === currency && one.actual === month.spent;
  return budgets.find(isSame) ?? null;
}

function cumulativeFigure(answer, series, budget) {
  const currency = currencyOf(answer);
  const rows = records(series);
  const periods = rows.map(({ period }) => period);
  const limit = budget?.limit ?? 0;
  const amounts = rows.flatMap(({ actual, expected, low, high }) => [actual, expected, low, high]);
  const chart = timeChart(capitalize(series.name), periods, [...amounts, limit], currency);
  const points = (role) => rows.flatMap((row, index) => (isNumber(row[role]) ? [{ index, value: row[role] }] : []));
  const [actual, expected, low, high] = ["actual", "expected", "low", "high"].map(points);
  const finalThrough = periodOf(answer)?.finalThrough ?? periods.at(-1);
  const final = actual.filter(({ index }) => periods[index] <= finalThrough);
  const late = actual.filter(({ index }) => index >= (final.at(-1)?.index ?? 0));
  chart.svg.append(
    lineLayer(
      low.length ? draw("path", { class: "band", d: `${linePath([...high, ...low.toReversed()], chart)}Z` }) : null,
      line("actual", final, chart),
      late.length > 1 ? line("actual late", late, chart) : null,
      line("expected", [...final.slice(-1), ...expected], chart),
    ),
    ...(budget ? limitMarks(chart, budget, periods) : []),
  );
  const legend = [
    { kind: "series-1", name: "Spent", value: money(answer.data.month.spent, currency) },
    ...(late.length > 1 ? [{ kind: "series-1 dotted", name: "Not final" }] : []),
    { kind: "series-1 dashed", name: "Expected", value: money(answer.data.month.expected, currency) },
    ...(low.length ? [{ kind: "series-1 likely", name: "80% range" }] : []),
    ...(budget ? [{ kind: "level", name: sentence("Budget: ", named(budget.name)), value: money(budget.limit, currency) }] : []),
    ...(budget?.crossesOn ? [{ kind: "dot", name: "Budget exceeded" }] : []),
  ];
  return figure(chart, legendOf(legend), seriesTable(series, currency));
}

// The limit of a budget, and the day on which the cost crosses it.
function limitMarks({ x, y }, { limit, crossesOn }, periods) {
  const level = { x1: 0, x2: "100%", y1: y(limit), y2: y(limit) };
  const index = crossesOn ? periods.indexOf(crossesOn) : -1;
  const crossing = index < 0 ? null : draw("circle", { class: "crossing", cx: `${x(index)}%`, cy: y(limit), r: 4 });
  return [draw("line", { class: "limit-line", ...level }), crossing].filter(Boolean);
}

// The budget of the same total has a forecast of its own, which can differ from this one.
function budgetSection(answer, series, budget) {
  const { month: { expected }, budgetsChecked: checked } = answer.data;
  const shown = series.rows.length;
  const differs = isNumber(budget?.forecast) && Math.abs(budget.forecast - expected) >= MIN_DIFFERENCE;
  const note = differs
    ? make(
        "p",
        "axis",
        sentence(
          named(budget.name),
          `: DoiT's forecast of the budget is ${money(budget.forecast, budget.currency)}; `,
          `this forecast of the month is ${money(expected, currencyOf(answer))}.`,
        ),
      )
    : null;
  return section("Budgets", budgetBars(answer, series, MAX_INLINE_BUDGETS), checked > shown && paragraph("axis", `${number(shown)} of ${number(checked)} checked budgets.`), note);
}

// The expected costs with the changes of a scenario, beside those without them.
function scenarioSection({ months = [], total, changes = [] }, currency) {
  const axis = barScale(months.flatMap(({ expected, scenario }) => [expected, scenario]));
  const amount = (change) => changed(change, signedMoney(change, currency));
  const rows = [...months, ...(total ? [total] : [])].map(({ from, to, expected, scenario, change }, index) => ({
    name: months[index] ? range({ from, to }) : "Total",
    bar: months[index] ? pairBars(expected, scenario, axis) : [],
    values: [amount(change), money(scenario, currency)],
  }));
  return section(
    "With the changes",
    barTable("With the changes", ["Period", "Change", "Cost"], rows),
    legendOf([
      { kind: "base", name: "Expected" },
      { kind: "series-1", name: "With the changes" },
    ]),
    barTable("Changes", ["Change", "Amount"], changes.map((one) => ({ name: named(one.change), bar: [], values: [amount(one.amount)] }))),
  );
}

function quarterText(quarter, currency) {
  if (!quarter) return null;
  const change = isNumber(quarter.changePercent)
    ? `, ${signedPercent(quarter.changePercent)} from the quarter before`
    : "";
  const text = `Quarter, ${range(quarter)}: ${money(quarter.expected, currency)} expected${change}.`;
  return paragraph("axis", text);
}

function dailyColumns(answer) {
  const series = seriesNamed(answer, /^daily costs$/);
  if (!series) return null;
  return section("Daily costs", stackedColumns(answer, series, ""));
}
