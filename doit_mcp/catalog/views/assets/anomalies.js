// Anomalies: when they were, and one of them with the days before it.
const SEVERITIES = {
  critical: { mark: "▲", word: "Critical" },
  warning: { mark: "△", word: "Warning" },
  information: { mark: "•", word: "Information" },
};
const DAY_MILLISECONDS = 86_400_000;

function anomaliesPicture(answer) {
  const { data } = answer;
  const anomalies = data.anomalies ?? [];
  const [first] = [...anomalies].sort((a, b) => b.costOfAnomaly - a.costOfAnomaly);
  const open = data.openCount ?? anomalies.filter((one) => one.open).length;
  const total = data.totalCount ?? anomalies.length;
  const currency = currencyOf(answer);
  return {
    title: "Anomalies",
    headline: { value: number(total), detail: `${number(open)} still open` },
    parts: [anomalyTimeline(anomalies, currency)],
    actions: first
      ? [
          askAction(
            `Explain ${shortName(first.serviceName)}`,
            `What caused the anomaly ${first.id} in ${first.serviceName}?`,
          ),
        ]
      : [],
    sheet: {
      name: "anomalies",
      columns: ["id", "cloud", "service", "scope", "severity", "start", "end", "excess cost", "currency"],
      rows: anomalies.map((one) => [
        one.id,
        one.platform,
        one.serviceName,
        one.scope,
        one.severityLevel,
        one.startTime,
        one.endTime || null,
        one.costOfAnomaly,
        currency,
      ]),
    },
  };
}

// One row for each anomaly; its bar is the time from start to end, or to the last day of the axis while it is open.
function anomalyTimeline(anomalies, currency) {
  const startOf = ({ startTime }) => Date.parse(startTime);
  const today = Date.now();
  const endOf = (one) => (one.endTime ? Date.parse(one.endTime) : Math.max(today, startOf(one))) + DAY_MILLISECONDS;
  const axis = { min: Math.min(...anomalies.map(startOf)), max: Math.max(...anomalies.map(endOf)) };
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const row = (one) => ({
    name: [named(one.serviceName), make("span", { class: "detail" }, severityOf(one), " · ", named(one.scope))],
    bar: bar(span(startOf(one), endOf(one), axis), one.open ? "up hatched" : "base"),
    values: [[money(one.costOfAnomaly, currency), make("span", { class: "detail" }, phrase(lasted(one)))]],
    ...openAnomaly(one),
  });
  const [shown, note] = fittingRows(anomalies, row);
  const ends = `${day(iso(axis.min))} to ${day(iso(axis.max - DAY_MILLISECONDS))}`;
  return [
    barTable("Anomalies", ["Service", "Excess cost"], shown),
    make("p", { class: "axis" }, phrase(`The axis runs from ${ends}.`)),
    note,
  ];
}

function severityOf({ severityLevel }) {
  const { mark, word } = SEVERITIES[severityLevel] ?? {
    mark: "•",
    word: capitalize(String(severityLevel ?? "unknown")),
  };
  return [make("span", { class: `state ${severityLevel}`, "aria-hidden": "true" }, mark), ` ${word}`];
}

function lasted({ startTime, endTime }) {
  const options = { month: "short", day: "numeric" };
  return endTime ? `${day(startTime, options)} to ${day(endTime, options)}` : `Open since ${day(startTime, options)}`;
}

// The click on an anomaly shows its days.
function openAnomaly({ id, serviceName, scope }) {
  if (!can("call")) return {};
  const label = `${serviceName}, ${scope}`;
  return {
    onclick: () => reslice({ id }, label, "get_anomaly"),
    hint: `Show the days of ${label}`,
    key: `anomaly ${id}`,
  };
}

function anomalyPicture(answer) {
  const { data } = answer;
  const currency = currencyOf(answer);
  const daily = seriesNamed(answer, "time");
  const skus = seriesNamed(answer, /^top SKUs$/);
  const chart = daily ? stackedColumns(answer, daily, "") : null;
  return {
    title: `Anomaly in ${nameLabel(data.serviceName)}, ${nameLabel(data.scope)}`,
    headline: { value: money(data.costOfAnomaly, currency), detail: `more than expected. ${lasted(data)}` },
    parts: [
      expectedBars(data, currency),
      skus && make("section", {}, make("h2", {}, "Top SKUs"), costBars(answer, records(skus), "SKU")),
      chart && make("section", {}, make("h2", {}, phrase(capitalize(daily.name))), chart.figure),
    ],
    actions: [
      askAction(
        "Explain this anomaly",
        `What caused the anomaly ${data.id} in ${data.serviceName}, who owns it, and what should we do?`,
      ),
      ...(data.url ? [openAction("Open in console", data.url)] : []),
    ],
    sheet: daily && sheetOf(daily),
    chart: chart?.chart,
    isHatched: Boolean(chart),
  };
}

// What the anomaly cost, beside the most that was expected for the same time.
function expectedBars({ actualCost, expectedMaxCost }, currency) {
  if (typeof actualCost !== "number" || typeof expectedMaxCost !== "number") return null;
  const axis = barScale([actualCost, expectedMaxCost]);
  const row = (name, cost, kind) => ({ name, bar: zeroBar(cost, axis, kind), values: [money(cost, currency)] });
  return barTable(
    "Cost and expected cost",
    ["Measure", "Cost"],
    [row("Cost", actualCost, "up"), row("Expected at most", expectedMaxCost, "base")],
  );
}
