// The fields of a prepared change.
const MONEY_FIELD = /amount|cost|price/i;

// A field with its values before and after, or the items of a list that are removed and added. A value that the field
// did not have, and the end of one that is deleted, say nothing; a value that is removed does.
function fieldItem(row, currencyAt, marked) {
  const text = (value, side) =>
    isNumber(value) && MONEY_FIELD.test(row.field) ? money(value, currencyAt(side)) : valueText(value);
  const cell = (label, side, value) => {
    const lines = [value].flat();
    return lines.length ? [detailLine(label), make("div", {}, lines.map((one) => make("div", {}, marked(text(one, side)))))] : [];
  };
  const { field, before, after = [], added = [], removed = [] } = row;
  return make(
    "li",
    {},
    make("strong", {}, phrase(fieldLabel(field))),
    make(
      "div",
      {},
      cell("Before", "before", before ?? []),
      cell("After", "after", after),
      cell("Removed", "before", removed),
      cell("Added", "after", added),
    ),
  );
}

// The words of a field: growthPerPeriod is "Growth per period", and recipients[0] "Recipients 1".
function fieldLabel(field) {
  const words = field.replace(/\[(\d+)\]/g, (_, index) => ` ${Number(index) + 1}`).replace(/([a-z])([A-Z])/g, "$1 $2");
  return capitalize(words.replace(/[._]/g, " ").toLowerCase());
}

function valueText(value) {
  if ((value ?? "") === "") return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (isNumber(value)) return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
