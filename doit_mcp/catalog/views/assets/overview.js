// The overview: one number, its clouds, the largest services, and what needs attention.
const MAX_TOP = 5;
const MIN_LABELED_SHARE = 9; // percent of the bar that a text fits into

function overviewPicture(answer) {
  const { data } = answer;
  const clouds = seriesNamed(answer, /by cloud$/);
  const daily = seriesNamed(answer, /^daily costs$/);
  return {
    title: "Cloud costs",
    headline: overviewHeadline(answer),
    parts: [
      clouds && cloudBar(answer, clouds),
      topBars(answer, data.topServices, "service", MAX_TOP),
      chips(data, currencyOf(answer)),
    ],
    deep: () => [
      topBars(answer, data.topProjects, "project", Infinity),
      daily && section("Costs by day", stackedColumns(answer, daily, "cloud")),
    ],
    actions: [askAction("What changed?", "What changed in our cloud costs compared with the period before, and why?")],
    sheet: daily ? sheetOf(daily) : clouds && sheetOf(clouds),
    isHatched: !lastFinalDay(answer) || (Boolean(daily) && isFullScreen()),
  };
}

// The total, and how it differs from the same number of days before. Only the series has the days before.
function overviewHeadline(answer) {
  const currency = currencyOf(answer);
  const cost = answer.data.totalCost;
  const value = money(cost, currency);
  const earlier = seriesNamed(answer, /^daily costs of the period before$/);
  const daily = seriesNamed(answer, /^daily costs$/);
  if (!daily || !earlier || earlier.rows.length !== daily.rows.length) return { value };
  const final = lastFinalDay(answer);
  const known = daily.rows.filter(([period]) => period <= final).length;
  if (!known) return { value };
  // Days that are not final are left out on both sides, so that they do not look like a saving. Both sums are stated.
  const [now, then] = [daily, earlier].map((series) => sumOf(series, series.rows.slice(0, known)));
  if (!then) return { value };
  const change = { change: now - then, changePercent: then > 0 ? ((now - then) / then) * 100 : null };
  const ends = range({ from: earlier.rows[0][0], to: earlier.rows[known - 1][0] });
  const isPart = known < daily.rows.length;
  return {
    value,
    change: [changeText(change, currency), isPart && ` through ${shortDay(final)}`],
    detail: `${isPart ? `${money(now, currency)} ` : ""}compared with ${money(then, currency)} in the same days before (${ends})`,
  };
}

function sumOf(series, rows) {
  const total = columnOf(series, "total");
  return rows.reduce((sum, row) => sum + (row[total] ?? 0), 0);
}

// One bar of 100 percent, and its legend. Negative costs have no share of a whole, so they make it sorted bars.
function cloudBar(answer, series) {
  const groups = records(series);
  if (groups.some(({ cost, share }) => !(cost >= 0) || !isNumber(share)))
    return costBars(asBreakdown(answer), groups, "cloud", series.dimension);
  const color = (index) => `series-${(index % 7) + 1}`;
  const segment = ({ cost, share }, index) =>
    make(
      "span",
      { class: color(index), "--part": cost },
      share >= MIN_LABELED_SHARE ? percent(share, { minimumFractionDigits: 0, maximumFractionDigits: 0 }) : "",
    );
  const row = (group, index) => ({
    name: [swatch(color(index)), named(group.name)],
    values: [money(group.cost, currencyOf(answer)), percent(group.share)],
    ...drill(asBreakdown(answer), group, "cloud"),
  });
  return [
    make("div", { class: "whole", "aria-hidden": "true" }, groups.filter(({ cost }) => cost > 0).map(segment)),
    barTable("Cost by cloud", ["Cloud", "Cost", "Share"], groups.map(row)),
  ];
}

// A table of the answer, {columns, rows}, as records by column name.
function tableRecords({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
}

function topBars(answer, table, dimension, max) {
  if (!table?.rows?.length) return null;
  const sorted = tableRecords(table).sort((a, b) => b.cost - a.cost);
  const groups = sorted.slice(0, max).map(({ cost, sharePercent, project_id, project_name, service_description }) => {
    const id = service_description ?? project_id;
    return { id, name: project_name ?? id, part: "group", cost, share: sharePercent };
  });
  const title = Number.isFinite(max) ? `Top ${dimension}s` : `${capitalize(dimension)}s`;
  return section(title, costBars(asBreakdown(answer), groups, dimension));
}

// What a selection in the overview asks for: a breakdown of the same days.
function asBreakdown(answer) {
  const { from, to } = periodOf(answer) ?? {};
  const { topN, ...kept } = answer.args;
  return { ...answer, args: from ? { ...kept, period: `${from}/${to}` } : kept, tool: "cost_breakdown" };
}

// What needs attention: open anomalies and incidents. Each asks about itself where the host takes messages.
function chips({ anomalies = [], incidents = [] }, currency) {
  const found = [
    ...(anomalies ?? [])
      .filter(({ status }) => status === "active")
      .map((one) => {
        const what = `${one.serviceName} in ${one.scope}`;
        return {
          text: `Anomaly: ${what}, ${money(one.costOfAnomaly, one.currency ?? currency)}`,
          question: `Explain the open cost anomaly of ${quoted(one.serviceName)} in ${quoted(one.scope)}.`,
        };
      }),
    ...(incidents ?? [])
      .filter(({ status }) => status === "active")
      .map(({ product, title }) => {
        return {
          text: `Incident: ${product}, ${title}`,
          question: `Which of our costs and resources can the incident of ${quoted(product)} (${quoted(title)}) affect?`,
        };
      }),
  ];
  if (!found.length) return null;
  const chip = ({ text, question }) => {
    const label = [unspoken("", "! "), phrase(text)];
    const { run } = askAction(text, question);
    return make(
      "li",
      {},
      can("ask") ? button(label, () => attempt(run), { class: "chip" }) : make("span", "chip", label),
    );
  };
  return make("ul", { class: "chips", "aria-label": "Needs attention" }, found.map(chip));
}
