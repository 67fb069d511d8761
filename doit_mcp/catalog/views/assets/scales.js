// Maps values to positions on an axis: linear scales, nice ticks, and axes that do not begin at zero.
const NICE_STEPS = [1, 2, 2.5, 5, 10];
const MIN_CUT_SHARE = 0.5; // of the largest value: below it, bars keep their zero baseline
const MAX_SERIES = 6; // colors of groups; others are one more series
const CUT_MARGIN = 0.35; // of the range of values, left below the smallest one

function niceStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * NICE_STEPS.find((step) => step * power >= rough * (1 - 1e-9));
}

// Values of about *count* ticks that include *min* and *max*.
function ticks(min, max, count = 4) {
  if (min === max) return [min];
  const step = niceStep(max - min, count);
  const first = Math.floor(min / step);
  const last = Math.ceil(max / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

// A scale from *min* to *max* onto 0 to 1. A scale of one value maps it to 0.
function scale(min, max) {
  const span = max - min || 1;
  return (value) => (value - min) / span;
}

// A scale of bars, which begin at zero even if all values are negative.
function barScale(values) {
  const known = values.filter(isNumber);
  return { min: Math.min(0, ...known), max: Math.max(0, ...known) };
}

// A scale for changes between two large amounts: {min, max, cut}. It begins above zero if the changes would be too
// small to see; *cut* is then where it begins.
function cutScale(values) {
  const { min: lowest, max } = barScale(values);
  const smallest = Math.min(...values);
  if (lowest < 0 || smallest < max * MIN_CUT_SHARE) return { min: lowest, max, cut: null };
  const range = max - smallest || max * 0.1;
  const step = niceStep(range, 4);
  const cut = Math.max(0, Math.floor((smallest - range * CUT_MARGIN) / step) * step);
  return { min: cut, max, cut: cut > 0 ? cut : null };
}

// Where a bar between two values begins and how long it is, in percent of the axis.
function span(from, to, { min, max }) {
  const at = scale(min, max);
  const [start, end] = [from, to].map((value) => at(Math.min(max, Math.max(min, value))) * 100).sort((a, b) => a - b);
  return { start, size: end - start };
}
