// Savings: three tables, because what is saved, wasted and at stake has three bases that must not share a scale.
const MAX_INLINE_SAVINGS = 3;
const SAVINGS = { save: "You can save", waste: "Paid for but unused", at_stake: "At stake" };

function savingsPicture(answer) {
  const { data } = answer;
  return {
    title: "Savings",
    parts: [
      data.asOf ? paragraph("statement", `As of ${day(data.asOf)}`) : null,
      ...Object.entries(SAVINGS).map(([list, title]) => savingsTable(answer, list, title)),
      overlapNote(data, savingsRows(answer, "save")),
    ],
    actions: savingsActions(data),
    sheet: savingsSheet(answer),
  };
}

// All rows of a list: those of the series, with what only the answer says about the first ones.
function savingsRows({ data, set }, list) {
  const details = new Map((data[list] ?? []).map((row) => [row.id, row]));
  const series = set.series.find(({ name }) => name === list);
  if (!series) return data[list] ?? [];
  return records(series).map(({ id, name, cost, currency }) => ({
    id,
    title: name,
    amount: cost,
    currency,
    ...details.get(id),
  }));
}

function savingsTable(answer, list, title) {
  const all = savingsRows(answer, list);
  if (!all.length) return null;
  // Amounts of other currencies have a scale of their own.
  const axes = Object.fromEntries(
    Object.entries(Object.groupBy(all, ({ currency }) => currency)).map(([currency, rows]) => [
      currency,
      barScale(rows.map(({ amount }) => amount)),
    ]),
  );
  const rowOf = (row) => ({
    name: [phrase(row.title), savingDetail(row)],
    bar: [zeroBar(row.amount, axes[row.currency], list === "save" ? "down" : list === "waste" ? "base" : "up")],
    values: [money(row.amount, row.currency)],
  });
  const [shown, note] = fittingRows(all, rowOf, MAX_INLINE_SAVINGS);
  return section(
    title,
    paragraph("axis", `${basisText(answer, list)} · ${[...new Set(all.map(({ currency }) => currency))].join(", ")}`),
    make("div", "wide-names", barTable(title, ["What", "Amount"], shown)),
    note,
  );
}

function basisText({ data }, list) {
  return capitalize(data.basis?.[list] ?? "");
}

function savingDetail({ periodEnds, since, ends, utilizationPercent }) {
  const parts = [];
  if (isNumber(utilizationPercent)) parts.push(`${percent(utilizationPercent)} used`);
  if (ends) parts.push(`ends ${day(ends)}`);
  if (periodEnds) parts.push(`period ends ${day(periodEnds)}`);
  if (since) parts.push(`since ${day(since)}`);
  return parts.length ? detailLine(phrase(parts.join(" · "))) : null;
}

// The overlaps of the rows that are shown.
function overlapNote({ overlaps = [] }, saved) {
  const [shown] = fittingRows(saved, ({ id, title }) => [id, title], MAX_INLINE_SAVINGS);
  const titles = new Map(shown);
  const text = ({ ids, why }) => `Overlap: ${ids.map((id) => titles.get(id)).join(" and ")}: ${why}.`;
  const found = overlaps.filter(({ ids }) => ids.every((id) => titles.has(id)));
  return found.length
    ? make(
        "div",
        "notes",
        found.map((one) => paragraph("", text(one))),
      )
    : null;
}

function savingsActions({ save = [] }) {
  const [first] = save;
  return first
    ? [askAction("How do I apply the first recommendation?", `How do I do this, step by step: ${quoted(first.title)}?`)]
    : [];
}

function savingsSheet(answer) {
  const rows = Object.keys(SAVINGS).flatMap((list) =>
    savingsRows(answer, list).map(({ title, amount, currency }) => [SAVINGS[list], title, amount, currency, basisText(answer, list)]),
  );
  return { name: "savings", columns: ["list", "title", "amount", "currency", "amounts are"], rows };
}
