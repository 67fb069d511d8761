// Names of clouds, dimensions and what they contain, for labels and for sentences to the model.
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
const EVERYTHING_ELSE = "Everything else"; // the name of what is left
const MAX_LABEL_CHARACTERS = 32;
const MAX_QUOTED_CHARACTERS = 80;
const HIDDEN_CHARACTERS = /(?![\u200c\u200d])\p{Cf}/gu; // joiners are part of words in some languages

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

function dimensionLabel(id) {
  const known = DIMENSIONS[id] ?? String(id).replace(/^(label|tag|allocation):/, "");
  return known.replaceAll("_", " ");
}

function nameLabel(name, dimension = "") {
  if (name === null || name === undefined || name === "") return dimension ? `No ${dimension}` : "Not set";
  return CLOUDS[name] ?? String(name);
}
