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
  provisional: "Incomplete days",
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
      : isProvisional
        ? "flat hatched"
        : `${direction(step.amount)}${step.part === "other" ? " rest" : ""}`;
    const place = span(step.from, step.to, axis);
    const next = steps[index + 1];
    const link = next
      ? make("span", { class: "link", "--start": `${scale(axis.min, axis.max)(step.to) * 100}%` })
      : null;
    const breakMark = step.isBound && axis.cut !== null ? make("span", "break") : null;
    return {
      name: stepName(step, dimension, { period, compareTo }),
      kind: step.isBound ? "bound" : null,
      bar: [bar(place, kind), breakMark, zeroLine(axis), link],
      values: [step.isBound ? money(step.amount, currency) : changeAmount(step, currency)],
      ...drill(answer, step, dimension),
    };
  });
  const whole = (amount) => money(amount, currency, { maximumFractionDigits: 0 });
  const note =
    axis.cut === null
      ? null
      : paragraph("axis", `Bars start at ${whole(axis.cut)}, not at ${whole(0)}.`);
  return [note, barTable(`Change by ${dimension}`, [capitalize(dimension), "Amount"], rows)];
}

// A change in words. Days whose costs still arrive are neither a saving nor a rise.
function changeAmount({ id, amount }, currency) {
  const text = signedMoney(amount, currency);
  return id === "provisional" ? text : changed(amount, text);
}

function stepName({ part, id, name }, dimension, { period, compareTo }) {
  if (part === "start") return compareTo ? range(compareTo) : "Before";
  if (part === "end") return period ? range(period) : "After";
  if (part === "other") return EVERYTHING_ELSE;
  return id === "provisional" ? CAUSES.provisional : named(name, dimension);
}
