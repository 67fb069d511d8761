// One anomaly: its cost beside what was expected, its SKUs, and the days around it.
function anomalyPicture(answer) {
  const { data } = answer;
  const currency = currencyOf(answer);
  const daily = seriesNamed(answer, "time");
  const skus = seriesNamed(answer, /^top SKUs$/);
  return {
    title: `Anomaly in ${nameLabel(data.serviceName)}, ${nameLabel(data.scope)}`,
    headline: { value: money(data.costOfAnomaly, currency), detail: `more than expected. ${lasted(data)}` },
    parts: [
      expectedBars(data, currency),
      skus && section("Top SKUs", costBars(answer, records(skus), "SKU")),
      daily && section(dailyHeading(answer, daily), stackedColumns(answer, daily, "")),
    ],
    actions: [
      askAction(
        "Explain this anomaly",
        `What caused the anomaly ${quoted(data.id)} in ${quoted(data.serviceName)}, who owns it, and what should we do?`,
      ),
    ],
    url: data.url,
    sheet: daily && sheetOf(daily),
    isHatched: Boolean(daily),
  };
}

// The excess is that of the anomaly's own days, not of the days in the chart.
function anomalyPeriodTexts(answer) {
  const { startTime, endTime } = answer.data;
  if (!startTime) return null;
  const from = startTime.slice(0, ISO_DAY);
  const to = (endTime || periodOf(answer)?.to || startTime).slice(0, ISO_DAY);
  return [`Excess cost, ${range({ from, to: to > from ? to : from })}${endTime ? "" : " (ongoing)"}`];
}

// The heading of the daily costs, with the days that they cover.
function dailyHeading(answer, daily) {
  const period = periodOf(answer);
  const covered = period ? `, ${range(period)} (${days(period.days)})` : "";
  return `${capitalize(daily.name)}${covered}`;
}

// What the anomaly cost, beside the most that was expected for the same time.
function expectedBars({ actualCost, expectedMaxCost }, currency) {
  if (!isNumber(actualCost) || !isNumber(expectedMaxCost)) return null;
  const axis = barScale([actualCost, expectedMaxCost]);
  const row = (name, cost, kind) => ({ name, bar: zeroBar(cost, axis, kind), values: [money(cost, currency)] });
  return barTable(
    "Cost and expected cost",
    ["Measure", "Cost"],
    [row("Cost", actualCost, "up"), row("Expected maximum", expectedMaxCost, "base")],
  );
}
