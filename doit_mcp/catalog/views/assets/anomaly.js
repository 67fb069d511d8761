// One anomaly: its cost beside what was expected, its SKUs, and the days around it.
function anomalyPicture(answer) {
  const { data } = answer;
  const currency = currencyOf(answer);
  const found = seriesNamed(answer, "time");
  const daily = found && markedDays(data, found);
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

// Daily costs with those of the anomaly as a group of their own.
function markedDays({ startTime = ALL_FINAL, endTime }, daily) {
  const [from, to] = [startTime, endTime || ALL_FINAL].map((time) => time.slice(0, ISO_DAY));
  const group = (name) => ({ role: "group", unit: "money", name });
  const rows = daily.rows.map(([period, cost]) => (period < from || period > to ? [period, cost, cost, null] : [period, cost, null, cost]));
  return { ...daily, columns: [...daily.columns.slice(0, 2), group("Other days"), group("Days of the anomaly")], rows };
}

// What the anomaly cost, beside the most that was expected for the same time.
function expectedBars({ actualCost, expectedMaxCost, open }, currency) {
  if (!isNumber(actualCost) || !isNumber(expectedMaxCost)) return null;
  const axis = barScale([actualCost, expectedMaxCost]);
  const row = (name, cost, kind) => ({ name, bar: zeroBar(cost, axis, kind), values: [money(cost, currency)] });
  return barTable(
    "Cost and expected cost",
    ["Measure", "Cost"],
    [row("Cost", actualCost, open ? "up hatched" : "up"), row("Expected maximum", expectedMaxCost, "base")],
  );
}
