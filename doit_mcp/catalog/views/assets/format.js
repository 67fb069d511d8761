// Formats amounts, percentages and dates in the locale of the host.
const LONG_DAY = { year: "numeric", month: "short", day: "numeric" };
const RIGHT_TO_LEFT = new Set(["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

const formatters = new Map(); // creating one takes longer than formatting a thousand numbers

function locale() {
  try {
    return Intl.getCanonicalLocales(host.context.locale ?? navigator.language)[0] ?? "en-US";
  } catch {
    return "en-US";
  }
}

function isRightToLeft() {
  return RIGHT_TO_LEFT.has(new Intl.Locale(locale()).language);
}

function formatter(kind, options) {
  const key = `${locale()} ${kind} ${JSON.stringify(options)}`;
  if (!formatters.has(key)) formatters.set(key, new Intl[kind](locale(), options));
  return formatters.get(key);
}

function isNumber(value) {
  return typeof value === "number";
}

function number(value, options = {}) {
  if (value === null || value === undefined) return "–";
  // Locales that write a hyphen get the minus sign. Marks of direction inside of a figure part its sign from it.
  const text = formatter("NumberFormat", options).format(value).replace("-", "−");
  return isolated(text.replace(/[\u200e\u200f\u061c]/g, ""), "\u2066");
}

// A figure or date whose parts keep their order inside a text of another direction: that of its first letter, or
// for figures from left to right.
function isolated(text, mark = "\u2068") {
  return isRightToLeft() ? `${mark}${text}\u2069` : text;
}

// A currency that is unknown to Intl, or none, leaves a number.
function money(amount, currency, options = {}) {
  if (!/^[A-Z]{3}$/.test(currency ?? "")) return number(amount, { maximumFractionDigits: 2, ...options });
  return number(amount, { style: "currency", currency, ...options });
}

function shortMoney(amount, currency) {
  return money(amount, currency, { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 });
}

function percent(value, options = {}) {
  return number(value === null || value === undefined ? value : value / 100, {
    style: "percent",
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    ...options,
  });
}

function signedMoney(amount, currency) {
  return money(amount, currency, { signDisplay: "exceptZero" });
}

function signedPercent(value) {
  return percent(value, { signDisplay: "exceptZero" });
}

function direction(change) {
  return change > 0 ? "up" : change < 0 ? "down" : "flat";
}

// Days of costs have no time zone of the user: they are days of the bill.
function day(iso, options = LONG_DAY) {
  const date = new Date(`${iso.slice(0, 10)}T00:00Z`);
  return isolated(formatter("DateTimeFormat", { timeZone: "UTC", ...options }).format(date));
}

function shortDay(iso) {
  return day(iso, { month: "short", day: "numeric" });
}

// A number of days, weeks or months.
function lengthOf(count, unit) {
  return `${number(count)} ${unit}${count === 1 ? "" : "s"}`;
}

function days(count) {
  return lengthOf(count, "day");
}

// The range in which an amount is in 8 of 10 cases, or "".
function likelyRange({ low, high }, currency) {
  return isNumber(low) && isNumber(high) ? `80% range: ${money(low, currency)}–${money(high, currency)}` : "";
}

// The time of an instant, in the time zone of the host.
function time(instant, more = {}) {
  const zone = host.context.timeZone;
  const options = { hour: "numeric", minute: "2-digit", ...more };
  try {
    return formatter("DateTimeFormat", { ...options, timeZone: zone }).format(new Date(instant));
  } catch {
    return formatter("DateTimeFormat", options).format(new Date(instant));
  }
}

// A period of an answer as a range of days.
function range({ from, to }) {
  const format = formatter("DateTimeFormat", { timeZone: "UTC", ...LONG_DAY });
  return isolated(format.formatRange(new Date(`${from}T00:00Z`), new Date(`${to}T00:00Z`)));
}

function isoDay(time) {
  return new Date(time).toISOString().slice(0, ISO_DAY);
}

// The first and the last day of a period: 2026-10-31, 2026-10-25/2026-10-31, 2026-W44, 2026-10, 2026-Q4 or 2026.
function boundsOf(period) {
  if (!/^\d{4}[^/]*$/.test(period)) return String(period).split("/");
  const [, year, unit, count, date] = /^(\d{4})-?([QW]?)(\d*)-?(\d*)/.exec(period);
  const bounds = (month, first, end, last) => [Date.UTC(year, month, first), Date.UTC(year, end, last)].map(isoDay);
  if (unit === "W") {
    // Weeks begin on Monday, and the first one contains January 4.
    const first = 4 - ((new Date(Date.UTC(year, 0, 4)).getUTCDay() + 6) % 7) + (count - 1) * 7;
    return bounds(0, first, 0, first + 6);
  }
  if (date) return bounds(count - 1, date, count - 1, date);
  const months = unit ? 3 : count ? 1 : 12;
  const month = ((count || 1) - 1) * months;
  return bounds(month, 1, month + months, 0);
}

// The label of a period in a row: a day, also for weeks; a month, or as it is (2026-Q3).
function periodLabel(period) {
  if (/^\d{4}-W/.test(period)) return shortDay(boundsOf(period)[0]);
  if (/^\d{4}-\d\d-\d\d/.test(period)) return shortDay(period);
  if (/^\d{4}-\d\d$/.test(period)) return day(`${period}-01`, { year: "numeric", month: "short" });
  return String(period);
}

function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
