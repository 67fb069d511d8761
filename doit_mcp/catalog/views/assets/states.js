// What the view shows while there is no picture: waiting, asking, empty, error, canceled.
const SKELETON_ROWS = 5;
const WIDER_PERIOD = "last_3_months";

function toolTitle(tool) {
  return PICTURES[tool]?.[0] ?? "DoiT";
}

// The arguments of a call in words: "by service · last month · cloud is aws".
function askedText(args) {
  const grouping = [args.groupBy ?? args.by ?? []].flat().map(dimensionLabel).join(" and ");
  const periods = [args.period ?? args.after, args.compareTo ?? args.before].filter((one) => typeof one === "string");
  const months = args.months ? [`last ${number(args.months)} months`] : [];
  const parts = [
    grouping && `by ${grouping}`,
    periods.map((one) => one.replaceAll("_", " ")).join(" compared with "),
    ...months,
  ];
  return [...parts, ...filterTexts(args)].filter(Boolean).join(" · ");
}

// Bars of no data, as high as a usual picture, so that the conversation does not jump.
function skeleton() {
  const asked = app.phase === "asking" ? askedText(app.args) : "";
  const rows = Array.from({ length: SKELETON_ROWS }, (_, index) => make("span", { "--size": `${88 - index * 15}%` }));
  return [
    make(
      "header",
      {},
      make("h1", {}, phrase(toolTitle(app.tool))),
      paragraph("statement", asked || "Waiting for the answer …"),
    ),
    make("div", { class: "skeleton", "aria-hidden": "true" }, rows),
  ];
}

function message(kind, title, text, actions = []) {
  const shown = actions.filter(({ needs }) => !needs || can(needs));
  return [
    trail(),
    make("header", {}, make("h1", {}, phrase(title))),
    paragraph(`message ${kind}`, text),
    shown.length ? make("footer", {}, shown.map(actionButton)) : null,
  ];
}

function failure(answer) {
  return message("error", toolTitle(answer.tool), answer.text || "The tool returned an error.");
}

function canceled() {
  return message("canceled", toolTitle(app.tool), "This call was canceled.");
}

// No rows: say for what, and offer one wider question.
function empty(answer) {
  const [filters, period] = [filterTexts(answer.args), periodOf(answer)];
  const where = filters.length ? ` where ${filters.join(" and ")}` : "";
  const when = period ? ` from ${range(period)}` : "";
  return message("empty", toolTitle(answer.tool), `Nothing found${when}${where}.`, widerActions(answer, filters));
}

function widerActions({ tool, args }, filters) {
  if (filters.length) {
    const { filters: _, cloud, ...others } = args;
    return [{ label: "Show without filters", needs: "call", run: () => reslice(others, "everything", tool) }];
  }
  if (!("period" in args || "months" in args) || args.period === WIDER_PERIOD) return [];
  const { months, ...others } = args;
  return [
    {
      label: "Show the last 3 months",
      needs: "call",
      run: () => reslice({ ...others, period: WIDER_PERIOD }, "the last 3 months", tool),
    },
  ];
}
