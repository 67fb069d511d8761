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
  const currency = currencyOf(answer);
  const dimension = fallDimension(series);
  const rows = steps.map((step, index) => {
    const kind = step.isBound ? "base" : `${changeKind(answer, step)}${step.part === "other" ? " rest" : ""}`;
    const place = span(step.from, step.to, axis);
    const next = steps[index + 1];
    const link = next
      ? make("span", { class: "link", "--start": `${scale(axis.min, axis.max)(step.to) * 100}%` })
      : null;
    const breakMark = step.isBound && axis.cut !== null ? make("span", "break") : null;
    return {
      name: named(stepName(answer, step, dimension)),
      kind: step.isBound ? "bound" : null,
      bar: [bar(place, kind), breakMark, zeroLine(axis), link],
      values: [step.isBound ? money(step.amount, currency) : changeAmount(answer, step)],
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
function changeAmount(answer, { id, amount }, text = signedMoney(amount, currencyOf(answer))) {
  return isLate(answer, id) ? text : changed(amount, text);
}

function changeKind(answer, { id, amount }) {
  return isLate(answer, id) ? "flat hatched" : direction(amount);
}

// Whether a change is one of days whose costs still arrive.
function isLate(answer, id) {
  return id === "provisional" || !lastFinalDay(answer);
}

// The name of a step. *write* writes its days.
function stepName({ set }, { part, id, name }, dimension, write = range) {
  const bound = { start: set.compareTo, end: set.period }[part];
  if (bound) return write(bound);
  if (part !== "change") return part === "other" ? EVERYTHING_ELSE : capitalize(part);
  const cause = (dimension === "cause" || id === "provisional") && CAUSES[id];
  return cause || nameLabel(name, dimension);
}
