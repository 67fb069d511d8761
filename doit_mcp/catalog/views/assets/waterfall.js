// Waterfalls: from the cost before, over what changed, to the cost after.
const CAUSES = {
  calendar: "Number of days",
  usage: "Usage",
  price: "Unit prices",
  new: "New resources",
  gone: "Ended resources",
  credits: "Credits",
  commitments: "Commitments",
  fees: "Taxes, fees and support",
  untold: "Not explained",
  provisional: "Days that are not final",
};
const CAUSE_SERIES = /by cause$/;

// The dimension of a waterfall is in its name.
function fallDimension(series) {
  return dimensionLabel(series.name.replace(/^change by /, ""));
}

// The steps of a waterfall: rows with the cost before and after each of them.
function waterfallSteps(series) {
  let level = 0;
  return records(series).map((record) => {
    const isBound = record.part === "start" || record.part === "end";
    const from = isBound ? 0 : level;
    level = isBound ? record.amount : level + record.amount;
    return { ...record, isBound, from, to: level };
  });
}

function waterfallTable(answer, series) {
  const steps = waterfallSteps(series);
  const axis = cutScale(steps.map((step) => step.to));
  const { period, compareTo } = answer.set;
  const currency = currencyOf(answer);
  const dimension = fallDimension(series);
  const rows = steps.map((step, index) => {
    const isProvisional = step.id === "provisional";
    const kind = step.isBound
      ? "base"
      : `${direction(step.amount)}${step.part === "other" || isProvisional ? " hatched" : ""}`;
    const place = span(step.from, step.to, axis);
    const next = steps[index + 1];
    const link = next
      ? make("span", { class: "link", "--start": `${scale(axis.min, axis.max)(step.to) * 100}%` })
      : null;
    const breakMark = step.isBound && axis.cut !== null ? make("span", { class: "break" }) : null;
    return {
      name: stepName(step, dimension, { period, compareTo }),
      kind: step.isBound ? "bound" : null,
      bar: [bar(place, kind), breakMark, zeroLine(axis), link],
      values: [step.isBound ? money(step.amount, currency) : changed(step.amount, signedMoney(step.amount, currency))],
      ...drill(answer, step, dimension),
    };
  });
  const note =
    axis.cut === null
      ? null
      : make(
          "p",
          { class: "axis" },
          phrase(`The axis begins at ${money(axis.cut, currency, { maximumFractionDigits: 0 })}.`),
        );
  return [barTable(`Change by ${dimension}`, [capitalize(dimension), "Amount"], rows), note];
}

function stepName({ part, id, name }, dimension, { period, compareTo }) {
  if (part === "start") return compareTo ? range(compareTo) : "Before";
  if (part === "end") return period ? range(period) : "After";
  if (part === "other") return "Everything else";
  return id === "provisional" ? CAUSES.provisional : named(name, dimension);
}

// Why the cost changed: one bar for each cause, to the left or right of zero.
function causeTable(answer, series) {
  const causes = records(series).filter(({ part, amount }) => part === "change" && amount !== 0);
  causes.sort((a, b) => Math.abs(b.amount) - Math.abs(a.amount));
  if (!causes.length) return null;
  const axis = barScale(causes.map((cause) => cause.amount));
  const currency = currencyOf(answer);
  const rows = causes.map(({ id, amount }) => {
    const kind = `${direction(amount)}${id === "provisional" ? " hatched" : ""}`;
    return {
      name: CAUSES[id] ?? capitalize(String(id)),
      bar: [zeroBar(amount, axis, kind), zeroLine(axis)],
      values: [changed(amount, signedMoney(amount, currency))],
    };
  });
  return make("section", {}, make("h2", {}, "Causes"), barTable("Change by cause", ["Cause", "Amount"], rows));
}

// The total of a comparison: cost and change, and then the change of final days or the cost of a day.
function changeHeadline({ total, final, currency }) {
  const after = total.after ?? total.period1;
  if (final) {
    const change = `${signedMoney(final.change, currency)} (${signedPercent(final.changePercent)})`;
    const detail = `Up to ${day(final.to)}: ${change}`;
    return { value: money(after, currency), change: changeText(total, currency), detail };
  }
  const [perDayBefore, perDayAfter] = [total.perDayBefore ?? total.perDay2, total.perDayAfter ?? total.perDay1];
  const daily = perDayAfter ? `${money(perDayAfter, currency)} per day, before ${money(perDayBefore, currency)}` : null;
  return { value: money(after, currency), change: changeText(total, currency), detail: daily };
}

function changeText({ change, changePercent }, currency) {
  const rate = typeof changePercent === "number" ? ` (${signedPercent(changePercent)})` : "";
  return changed(change, `${signedMoney(change, currency)}${rate}`);
}

function explainPicture(answer) {
  const falls = answer.set.series.filter((one) => one.kind === "waterfall" && !CAUSE_SERIES.test(one.name));
  const causes = seriesNamed(answer, CAUSE_SERIES);
  const first = falls[0];
  if (!first) return { title: "What changed", parts: [], actions: [] };
  const driver = records(first).find(
    (record) => record.part === "change" && record.id !== "provisional" && record.amount,
  );
  const dimension = fallDimension(first);
  return {
    title: `What changed, by ${dimension}`,
    headline: answer.data.total ? changeHeadline({ ...answer.data, currency: currencyOf(answer) }) : null,
    parts: [waterfallTable(answer, first), causes && causeTable(answer, causes)],
    deep: () =>
      falls.slice(1).map((series) => {
        const title = `By ${fallDimension(series)}`;
        return make("section", {}, make("h2", {}, phrase(title)), waterfallTable(answer, series));
      }),
    actions: driver ? [whyAction(driver.name, driver.amount, currencyOf(answer))] : [],
    sheet: sheetOf(first),
  };
}

function whyAction(name, amount, currency) {
  const change = signedMoney(amount, currency);
  const question = `Why did the cost of ${quoted(name)} change by ${change} in this comparison?`;
  return askAction(`Why did ${shortName(name)} change?`, question);
}
