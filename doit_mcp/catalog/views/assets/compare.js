// Two periods side by side: a pair of bars for each group, by absolute change, or its change in percent.
function comparePicture(answer) {
  const { data } = answer;
  if (!Array.isArray(data.groups)) return explainPicture(answer);
  const { period1, period2 } = data.compared ?? data;
  const dimension = dimensionOf(answer);
  const dimensions = [dimension, ...innerDimension(answer)].join(" and ");
  const isPercent = app.unit === "percent" && isFullScreen();
  const groups = comparedGroups(data);
  const series = seriesNamed(answer, "waterfall");
  const axis = barScale(groups.flatMap((one) => (isPercent ? one.changePercent : [one.period1, one.period2])));
  const row = (group) => ({
    name: group.kind ? group.name : named(group.name, dimension),
    ...(isPercent ? percentRow : pairRow)(answer, group, axis),
    ...comparedDrill(answer, group, dimension),
  });
  const [rows, note] = fittingRows(
    groups.filter(({ kind }) => !kind),
    row,
  );
  rows.push(...groups.filter(({ kind }) => kind).map(row));
  const headings = [capitalize(dimensions), "Change", isPercent ? "Cost" : "Percent"];
  const unit = {
    label: isPercent ? "Show amounts" : "Show percent",
    run: () => {
      app.unit = isPercent ? "amount" : "percent";
      render();
    },
  };
  const largest = groups.find(({ kind, change }) => !kind && change);
  return {
    title: `Cost by ${dimensions}, compared`,
    headline: changeHeadline(answer),
    parts: [
      isPercent ? null : pairLegend(period1, period2),
      barTable(`Change by ${dimensions}`, headings, rows),
      note,
      throughNote(answer),
    ],
    isHatched: true,
    deep: () => (series ? [section("From one period to the other", waterfallTable(answer, series))] : []),
    actions: largest ? [whyAction(largest.name, largest.change, currencyOf(answer))] : [],
    switches: dimension,
    fullActions: [unit],
    sheet: {
      name: `costs compared by ${dimensions}`,
      columns: [dimensions, daysText(period1), daysText(period2), "change", "change in percent"],
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

function pairRow(answer, group, axis) {
  const { kind, period1, period2, change, changePercent } = group;
  const hatch = isLate(answer, kind) ? " hatched" : kind && " rest";
  return {
    bar: pairBars(period2, period1, axis, hatch),
    values: [changeAmount(answer, { id: kind, amount: change }), signedPercent(changePercent)],
  };
}

function percentRow(answer, { kind, period1, changePercent }, axis) {
  const step = { id: kind, amount: changePercent };
  return {
    bar: isNumber(changePercent) ? [zeroBar(changePercent, axis, changeKind(answer, step)), zeroLine(axis)] : [],
    values: [changeAmount(answer, step, signedPercent(changePercent)), money(period1, currencyOf(answer))],
  };
}

function comparedDrill(answer, group, dimension) {
  if (group.kind) return {};
  // A group of two dimensions has an id of each. A selection filters by both.
  const [ids, names] = [[group.id].flat(), [answer.args.groupBy].flat()];
  const filters = ids.map((id, index) => ({ ...DRILL_DIMENSIONS[names[index] ?? dimension], values: [id] }));
  const outer = filters.slice(0, -1);
  if (!outer.every(({ id, values }) => id && values[0])) return {};
  const args = { ...answer.args, filters: [...(answer.args.filters ?? []), ...outer] };
  const { values, ...last } = filters.at(-1);
  return drill({ ...answer, args }, { ...group, id: values[0], part: "group" }, dimension, last.id && last);
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
