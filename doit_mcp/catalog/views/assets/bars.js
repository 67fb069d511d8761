// Sorted bars: the cost of each group, what is left, and the months or inner groups in full screen.
const MAX_INLINE_ROWS = 10;
const MAX_FULL_ROWS = 200;
const MAX_GROUPS = 25; // of cost_breakdown
const MAX_ROWS_WITHOUT_FULL_SCREEN = 50;

// The rows that fit, drawn by *row*, and a note on others. Full screen shows more rows, and all of them on request.
function fittingRows(rows, row, max = MAX_INLINE_ROWS) {
  const isFull = isFullScreen();
  const limit = isFull ? (app.all ? Infinity : MAX_FULL_ROWS) : can("resize") ? max : MAX_ROWS_WITHOUT_FULL_SCREEN;
  if (rows.length <= limit) return [rows.map(row), null];
  const left = number(rows.length - limit);
  const showAll = () => {
    app.all = true;
    render();
  };
  const note = isFull
    ? button(`Show ${left} more rows`, showAll, { class: "more", "data-key": "more" })
    : phrase(can("resize") ? `${left} more in full screen.` : `${left} more rows; ask for them in the conversation.`);
  return [rows.slice(0, limit).map(row), make("p", "axis", note)];
}

// Bars of *groups*: {id, name, part, cost, share}. What is left is the last row, and hatched.
function costBars(answer, groups, dimension, filterDimension) {
  const axis = barScale(groups.map((group) => group.cost));
  const currency = currencyOf(answer);
  const hasShare = groups.some((group) => isNumber(group.share));
  const isOther = ({ part }) => part === "other";
  const row = (group) => ({
    name: isOther(group) ? EVERYTHING_ELSE : named(group.name, dimension),
    bar: [zeroBar(group.cost, axis, isOther(group) ? "base rest" : `series-1${lastFinalDay(answer) ? "" : " hatched"}`), zeroLine(axis)],
    values: [money(group.cost, currency), ...(hasShare ? [percent(group.share)] : [])],
    ...(isOther(group) ? moreGroups(answer) : drill(answer, group, dimension, filterDimension)),
  });
  const [shown, note] = fittingRows(
    groups.filter((group) => !isOther(group)),
    row,
  );
  const rest = groups.filter((group) => isOther(group) && group.cost !== 0).map(row);
  const headings = [capitalize(dimension), "Cost", ...(hasShare ? ["Share"] : [])];
  return [barTable(`Cost by ${dimension}`, headings, [...shown, ...rest]), note];
}

// The click on what is left: the same breakdown with as many groups as the tool returns.
function moreGroups({ tool, args }) {
  if (tool !== "cost_breakdown" || args.topN >= MAX_GROUPS || !can("call")) return {};
  const onclick = () => reslice({ ...args, topN: MAX_GROUPS }, EVERYTHING_ELSE, tool);
  return { onclick, hint: `Show ${number(MAX_GROUPS)} groups`, key: "rest" };
}

function breakdownPicture(answer) {
  const series = seriesNamed(answer, "bars");
  const dimension = dimensionOf(answer, series);
  const groups = series
    ? records(series)
    : answer.data.groups.map(({ sharePercent, ...group }) => ({ ...group, part: "group", share: sharePercent }));
  const months = seriesNamed(answer, "time");
  const largest = groups.find(({ part }) => part === "group");
  return {
    title: `Cost by ${[dimension, ...innerDimension(answer)].join(" and ")}`,
    headline: { value: money(answer.data.total?.all, currencyOf(answer)) },
    switches: dimension,
    parts: costBars(answer, groups, dimension, series?.dimension),
    deep: () => [months && monthSection(answer, months, dimension), ...innerBars(answer)],
    isHatched: !lastFinalDay(answer) || (Boolean(months) && isFullScreen()),
    actions: largest
      ? [
          askAction(
            `Why does ${shortName(largest.name, dimension)} cost this much?`,
            `What drives the cost of ${quoted(largest.name, dimension)} in this period?`,
          ),
        ]
      : [],
    sheet: series && breakdownSheet(answer, series),
  };
}

// Groups with their months or inner groups as rows of their own, and what is left.
function breakdownSheet({ data: { columns, rows, rowCount, groups, total } }, series) {
  if (!(rows?.length > groups.length)) return sheetOf(series);
  const others = [...groups.map(({ name, other }) => [other, name]), [total.other]].filter(([cost]) => cost);
  const rest = others.map(([cost, ...names]) => columns.map((_, index) => (index === columns.length - 1 ? cost : [...names, EVERYTHING_ELSE][index])));
  return { name: series.name, columns: columns.map(({ name }) => name), rows: [...rows, ...rest], of: rowCount + rest.length };
}

// The months of a breakdown: columns, and a table with groups as rows and months as columns, shaded by cost.
function monthSection(answer, series, dimension) {
  const provisional = new Set(series.provisional ?? []);
  const columns = series.rows.map((row) => {
    const label = periodLabel(row[0]);
    return { name: provisional.has(row[0]) ? `${label} (not final)` : label, kind: "money" };
  });
  const groups = groupColumns(series).filter(({ isOther, index }) => !isOther || series.rows.some((row) => row[index]));
  const rows = groups.map(({ name, index, isOther }) => {
    return [isOther ? EVERYTHING_ELSE : nameLabel(name, dimension), ...series.rows.map((row) => row[index])];
  });
  const title = `By ${series.interval} and ${dimension}`;
  return section(
    title,
    stackedColumns(answer, series, dimension),
    heatTable(title, [{ name: capitalize(dimension), kind: "text" }, ...columns], rows, currencyOf(answer)),
  );
}

function heatTable(caption, columns, rows, currency) {
  const values = rows.flat().filter((value) => isNumber(value) && value > 0);
  const at = scale(0, Math.max(...values, 0));
  return valueTable(caption, columns, rows, { currency, heat: (value) => Math.max(0, at(value)).toFixed(3) });
}

function innerDimension({ args }) {
  return Array.isArray(args.groupBy) ? args.groupBy.slice(1).map(dimensionLabel) : [];
}

// The inner groups of a breakdown by two dimensions: one section for each outer group.
function innerBars(answer) {
  const [dimension] = innerDimension(answer);
  if (!dimension) return [];
  return answer.data.groups
    .filter((group) => group.groups?.length)
    .map((group) => {
      const rows = group.groups.map(({ name, cost, sharePercent }) => ({
        name,
        cost,
        share: sharePercent,
        part: "inner",
      }));
      if (group.other) rows.push({ part: "other", cost: group.other });
      return section(named(group.name), costBars(answer, rows, dimension));
    });
}
