// Formats amounts, percentages and dates in the host's locale, and names in words.
const CLOUDS = {
  "amazon-web-services": "Amazon Web Services",
  "google-cloud": "Google Cloud",
  "microsoft-azure": "Microsoft Azure",
};
const DIMENSIONS = {
  cloud_provider: "cloud",
  service_description: "service",
  project_id: "project",
  project_name: "project",
  sku_description: "SKU",
  sku_id: "SKU",
  sku: "SKU",
};
const MAX_LABEL_CHARACTERS = 32;
const MAX_QUOTED_CHARACTERS = 80;
const HIDDEN_CHARACTERS = /(?![\u200c\u200d])\p{Cf}/gu; // joiners are part of words in some languages
const SHORT_DAY = { month: "short", day: "numeric" };
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

function number(value, options = {}) {
  if (value === null || value === undefined) return "–";
  return isolated(formatter("NumberFormat", options).format(value));
}

// A figure or date whose parts keep their order inside a text of another direction.
function isolated(text) {
  return isRightToLeft() ? `\u2068${text}\u2069` : text;
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
function day(iso, options = { year: "numeric", month: "short", day: "numeric" }) {
  const date = new Date(`${iso.slice(0, 10)}T00:00Z`);
  return isolated(formatter("DateTimeFormat", { timeZone: "UTC", ...options }).format(date));
}

function days(count) {
  return number(count, { style: "unit", unit: "day", unitDisplay: "long" });
}

// The time of an instant, in the time zone of the host.
function time(instant) {
  const zone = host.context.timeZone;
  const options = { hour: "numeric", minute: "2-digit" };
  try {
    return formatter("DateTimeFormat", { ...options, timeZone: zone }).format(new Date(instant));
  } catch {
    return formatter("DateTimeFormat", options).format(new Date(instant));
  }
}

// A period of an answer as a range of days.
function range({ from, to }) {
  const format = formatter("DateTimeFormat", { timeZone: "UTC", year: "numeric", month: "short", day: "numeric" });
  return isolated(format.formatRange(new Date(`${from}T00:00Z`), new Date(`${to}T00:00Z`)));
}

// The label of a period in a row: a day, a month, or as it is (2026-Q3, 2026-W40).
function periodLabel(period) {
  if (/^\d{4}-\d\d-\d\d/.test(period)) return day(period, { month: "short", day: "numeric" });
  if (/^\d{4}-\d\d$/.test(period)) return day(`${period}-01`, { year: "numeric", month: "short" });
  return String(period);
}

// A name that fits into the label of a button.
function shortName(name, dimension) {
  const label = nameLabel(name, dimension);
  return label.length > MAX_LABEL_CHARACTERS ? `${label.slice(0, MAX_LABEL_CHARACTERS - 1).trimEnd()}…` : label;
}

// A name from the data in a sentence for the model: one line, cut, and in quotation marks, so that it reads as a name.
function quoted(name, dimension) {
  const line = nameLabel(name, dimension)
    .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(HIDDEN_CHARACTERS, "")
    .replaceAll('"', "'")
    .trim();
  const characters = [...line];
  const isLong = characters.length > MAX_QUOTED_CHARACTERS;
  const shown = isLong ? `${characters.slice(0, MAX_QUOTED_CHARACTERS - 1).join("")}…` : line;
  return `"${shown}"`;
}

function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function dimensionLabel(id) {
  const known = DIMENSIONS[id] ?? String(id).replace(/^(label|tag|allocation):/, "");
  return known.replaceAll("_", " ");
}

function nameLabel(name, dimension = "") {
  if (name === null || name === undefined || name === "") return dimension ? `No ${dimension}` : "Not set";
  return CLOUDS[name] ?? String(name);
}
