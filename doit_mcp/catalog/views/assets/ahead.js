// The forecast of the running month in a trend. It takes a query more, so the view asks for it only if the user does.

// The running month of a trend by months, which is its last one, or null.
function runningMonth({ data }, { interval, rows }) {
  const last = rows.at(-1)?.[0];
  const isRunning = interval === "month" && data.period?.complete === false;
  return isRunning && data.partial?.at(-1)?.period === last ? last : null;
}

// Forecasts leave out credits, so they have no place beside costs with them.
function forecastAction(answer, series) {
  if (answer.ahead || answer.args.includeCredits || !runningMonth(answer, series)) return [];
  return [{ label: "Show the forecast", needs: "call", run: () => addForecast(answer, runningMonth(answer, series)) }];
}

async function addForecast(answer, period) {
  const { cloud, filters } = answer.args;
  const args = { currency: currencyOf(answer), ...(cloud && { cloud }), ...(filters && { filters }) };
  const isDone = await whileBusy("Loading the forecast", async () => {
    const { month, method, currency } = (await callTool("forecast_spend", args)).data;
    if (!isNumber(month?.expected)) throw new Error(method ?? "The tool returned none.");
    if (!month.from.startsWith(period) || currency !== args.currency)
      throw new Error("It is for another month or currency.");
    answer.ahead = month;
    say(aheadText(answer));
  });
  if (isDone) await tellView(`costs with the forecast of ${period}`);
}

function aheadText(answer) {
  const { from, expected } = answer.ahead;
  const currency = currencyOf(answer);
  const likely = likelyRange(answer.ahead, currency);
  return `Forecast for all of ${periodLabel(from.slice(0, 7))}: ${money(expected, currency)}${likely && ` (${likely})`}. Not included in the total.`;
}

// What is expected above what is spent, and the range as a line.
function aheadMarks(chart, series, { expected, low, high }) {
  const index = series.rows.length - 1;
  const spent = Math.max(0, series.rows[index][columnOf(series, "total")] ?? 0);
  const [top, bottom] = [expected, spent].map(chart.y);
  const size = { ...columnBox(chart, index), y: top, height: bottom - top };
  const x = `${chart.x(index)}%`;
  const hasRange = isNumber(low) && isNumber(high);
  return [
    ...(expected > spent
      ? [draw("rect", { class: "mark forecast", ...size }), draw("rect", { ...size, fill: chart.hatch })]
      : []),
    ...(hasRange ? [draw("line", { class: "limit-line", x1: x, x2: x, y1: chart.y(low), y2: chart.y(high) })] : []),
  ];
}
