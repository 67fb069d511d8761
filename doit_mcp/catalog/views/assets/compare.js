// Two periods side by side: a pair of bars for each group, by absolute change, or its change in percent.
function comparePicture(answer) {
  const { data } = answer;
  if (!Array.isArray(data.groups)) return explainPicture(answer);
  const dimension = dimensionOf(answer);
  const isPercent = app.unit === "percent" && isFullScreen();
  const groups = comparedGroups(data);
  const series = seriesNamed(answer, "waterfall");
  const row = (group) => (isPercent ? percentRow : pairRow)(answer, group, groups, dimension);
  const [rows, note] = fittingRows(
    groups.filter(({ kind }) => !kind),
    row,
  );
  rows.push(...groups.filter(({ kind }) => kind).map(row));
  const headings = [capitalize(dimension), "Change", isPercent ? "Cost" : "Percent"];
  const unit = {
    label: isPercent ? "Show amounts" : "Show percent",
    run: () => {
      app.unit = isPercent ? "amount" : "percent";
      render();
    },
  };
  const largest = groups.find(({ kind, change }) => !kind && change);
  return {
    title: `Cost by ${dimension}, compared`,
    headline: changeHeadline({ ...data, currency: currencyOf(answer) }),
    parts: [
      isPercent ? null : pairLegend(data.period1, data.period2),
      barTable(`Change by ${dimension}`, headings, rows),
      note,
    ],
    deep: () => (series ? [section("From one period to the other", waterfallTable(answer, series))] : []),
    actions: largest ? [whyAction(largest.name, largest.change, currencyOf(answer))] : [],
    switches: dimension,
    fullActions: [unit],
    sheet: {
      name: `costs compared by ${dimension}`,
      columns: [dimension, "period1", "period2", "change", "changePercent"],
      rows: groups.map((one) => [one.name, one.period1, one.period2, one.change, one.changePercent]),
    },
  };
}

// The groups, what is left, and days that are not final, which groups leave out.
function comparedGroups({ groups, other, provisional }) {
  const rest = other && (other.period1 || other.period2) ? [{ ...other, name: EVERYTHING_ELSE, kind: "other" }] : [];
  const late = provisional ? [{ ...provisional, name: CAUSES.provisional, kind: "provisional" }] : [];
  const known = groups.filter(({ change }) => isNumber(change));
  return [...known.sort((a, b) => Math.abs(b.change) - Math.abs(a.change)), ...rest, ...late];
}

function pairRow(answer, group, groups, dimension) {
  const axis = barScale(groups.flatMap(({ period1, period2 }) => [period1, period2]));
  const hatch = { other: " rest", provisional: " hatched" }[group.kind];
  return {
    name: comparedName(group, dimension),
    bar: pairBars(group.period2, group.period1, axis, hatch),
    values: [
      changeAmount({ id: group.kind, amount: group.change }, currencyOf(answer)),
      signedPercent(group.changePercent),
    ],
    ...comparedDrill(answer, group, dimension),
  };
}

function percentRow(answer, group, groups, dimension) {
  const axis = barScale(groups.map(({ changePercent }) => changePercent));
  const { changePercent } = group;
  const isLate = group.kind === "provisional";
  return {
    name: comparedName(group, dimension),
    bar: isNumber(changePercent)
      ? [zeroBar(changePercent, axis, isLate ? "flat hatched" : direction(changePercent)), zeroLine(axis)]
      : [],
    values: [
      isLate ? signedPercent(changePercent) : changed(changePercent, signedPercent(changePercent)),
      money(group.period1, currencyOf(answer)),
    ],
    ...comparedDrill(answer, group, dimension),
  };
}

function comparedName({ name, kind }, dimension) {
  return kind ? name : named(name, dimension);
}

function comparedDrill(answer, group, dimension) {
  return group.kind ? {} : drill(answer, { ...group, part: "group" }, dimension);
}

function pairBars(before, now, axis, hatch = "") {
  return [
    zeroBar(before, axis, `thin base${hatch}`),
    zeroBar(now, axis, `thin second series-1${hatch}`),
    zeroLine(axis),
  ];
}

function pairLegend(later, earlier) {
  const item = (kind, period) => make("span", {}, swatch(kind), range(period));
  return make("p", "legend", item("base", earlier), item("series-1", later));
}
