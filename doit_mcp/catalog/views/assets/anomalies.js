// Anomalies: when they were.
const SEVERITIES = {
  critical: { mark: "▲", word: "Critical" },
  warning: { mark: "△", word: "Warning" },
  information: { mark: "•", word: "Information" },
};
const ISO_DAY = 10; // characters of a date without its time
const DAY_MILLISECONDS = 86_400_000;

function anomaliesPicture(answer) {
  const { data } = answer;
  const anomalies = data.anomalies ?? [];
  const [first] = [...anomalies].sort((a, b) => b.costOfAnomaly - a.costOfAnomaly);
  const open = data.openCount ?? anomalies.filter((one) => one.open).length;
  const total = data.totalCount ?? anomalies.length;
  const count = `${number(total)} ${total === 1 ? "anomaly" : "anomalies"}`;
  const currency = currencyOf(answer);
  return {
    title: "Anomalies",
    headline: { value: open ? `${count}, ${number(open)} open` : count },
    parts: [anomalyTimeline(answer, anomalies)],
    actions: first
      ? [
          askAction(
            `Explain ${shortName(first.serviceName)}`,
            `What caused the anomaly ${quoted(first.id)} in ${quoted(first.serviceName)}?`,
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

// What was searched for.
function searchTexts({ args: { minCreationTime: from, maxCreationTime: to, onlyOpen, filter } }) {
  const when = (time) => (isNumber(time) ? day(isoDay(time)) : time);
  const started = [from && `since ${when(from)}`, to && `until ${when(to)}`].filter(Boolean).join(" ");
  const texts = [(started || app.hasInput) && `Started ${started || "at any time"}`, onlyOpen && "only open", filter];
  return ["Cost above the expected range", ...texts.filter(Boolean)];
}

// One row for each anomaly; its bar is the time from start to end, or to the last day of the axis while it is open.
function anomalyTimeline(answer, anomalies) {
  const currency = currencyOf(answer);
  const startOf = ({ startTime }) => Date.parse(startTime);
  const latest = latestDay(answer, anomalies);
  const endOf = (one) => (one.endTime ? Date.parse(one.endTime) : Math.max(latest, startOf(one))) + DAY_MILLISECONDS;
  const axis = { min: Math.min(...anomalies.map(startOf)), max: Math.max(...anomalies.map(endOf)) };
  const row = (one) => ({
    name: [named(one.serviceName), detailLine(severityOf(one), " · ", named(one.scope))],
    bar: bar(span(startOf(one), endOf(one), axis), one.open ? "up" : "base"),
    values: [[money(one.costOfAnomaly, currency), detailLine(phrase(lasted(one)))]],
    ...openAnomaly(one),
  });
  const [shown, note] = fittingRows(anomalies, row);
  const ends = [axis.min, axis.max - DAY_MILLISECONDS].map((time) => phrase(day(isoDay(time))));
  const legend = [
    { kind: "up", name: "Open" },
    { kind: "base", name: "Ended" },
  ];
  return [barTable("Anomalies", ["Service", "Cost above the expected range"], shown, axisRow(ends)), legendOf(legend), note];
}

// The day of the answer, or the last day in its data: users can look at an answer later.
function latestDay({ set }, anomalies) {
  const times = anomalies.flatMap(({ startTime, endTime }) => [startTime, endTime || ""]);
  return Date.parse((set.asOf ?? times.sort().at(-1)).slice(0, ISO_DAY));
}

function severityOf({ severityLevel }) {
  const { mark, word } = SEVERITIES[severityLevel] ?? {
    mark: "•",
    word: capitalize(String(severityLevel ?? "unknown")),
  };
  return [unspoken(`state ${severityLevel}`, mark), ` ${word}`];
}

function lasted({ startTime, endTime }) {
  return endTime ? `${shortDay(startTime)} to ${shortDay(endTime)}` : `Open since ${shortDay(startTime)}`;
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
