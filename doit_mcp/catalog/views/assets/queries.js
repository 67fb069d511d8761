// Results of run_query and get_report_results: the picture follows from the columns.
const MONEY_COLUMN = /cost|savings|amount|margin|price|credit/i;

// The table of an answer: {columns, rows, period, complete}. Columns: {name, kind, dimension, index}. An id beside its name,
// and a period that is the same in all rows, are left out.
function queryTable({ data, page }) {
  const source = page ?? data.result ?? data;
  const rows = source.rows ?? [];
  const all = (source.columns ?? source.schema ?? data.columns ?? []).map(({ name, type }, index) => {
    const kind = columnKind(name, type);
    return { name, index, dimension: kind === "period" ? intervalOf(rows[0]?.[index]) : dimensionLabel(name), kind };
  });
  const names = new Set(all.map(({ name }) => name));
  const columns = all.filter(({ name, kind, index }) => {
    if (names.has(name.replace(/_id$/, "_name")) && name.endsWith("_id")) return false;
    return kind !== "period" || rows.length < 2 || rows.some((row) => row[index] !== rows[0][index]);
  });
  return { columns, rows, period: all.findIndex(({ kind }) => kind === "period"), complete: !data.cut && !page };
}

// The interval of a period: 2026-10-31, 2026-10-25/2026-10-31, 2026-W44, 2026-10, 2026-Q4 or 2026.
function intervalOf(period) {
  const [, found] = /^\d{4}(-\d\d-\d\d\/?|-W|-\d\d$|-Q|$)/.exec(period ?? "") ?? [];
  return { "-W": "week", "-Q": "quarter", "": "year" }[found] ?? { 3: "month", 6: "day", 7: "week" }[found?.length] ?? "period";
}

function columnKind(name, type) {
  if (name === "period") return "period";
  if (type === "string" || type === "timestamp" || type === "boolean") return "text";
  if (/percent/i.test(name)) return "percent";
  return MONEY_COLUMN.test(name) ? "money" : "count";
}

function queryPicture(answer) {
  const { data } = answer;
  const table = queryTable(answer);
  const total = Object.entries(data.total ?? {})[0];
  const title = data.reportName ?? queryTitle(table);
  return {
    title,
    headline: total
      ? {
          value: MONEY_COLUMN.test(total[0]) ? money(total[1], currencyOf(answer)) : number(total[1]),
          detail: data.result?.forecastRows?.length ? spentDetail(answer) : null,
        }
      : null,
    ...(shaped(answer, table) ?? { parts: [pagedTable(answer, table)] }),
    url: data.urlUI,
    actions: [...pageActions(answer), askAction("What stands out?", `What stands out in the result of ${quoted(title)}?`)],
    sheet: querySheet(answer, table),
  };
}

// The rows with those of the forecast and of the compared period, which a note tells apart.
function querySheet(answer, { columns, rows, period }) {
  const { reportName, rowCount, result } = answer.data;
  const late = period < 0 ? [] : provisionalPeriods(answer, rows.map((row) => row[period]));
  const notes = withCoverage(new Map(late.map((one) => [one, "not final"])), partialPeriods(answer));
  const noted = (some, note) =>
    (some ?? []).map((row) => [...columns.map(({ index }) => (index === period ? sheetPeriod(row[index]) : row[index])), note ?? notes.get(row[period])]);
  const more = [...noted(result?.forecastRows, "forecast"), ...noted(result?.secondaryRows, "compared period")];
  const all = [...noted(rows), ...more];
  const hasNotes = all.some((row) => row.at(-1));
  return {
    name: reportName ?? "query",
    of: (answer.page?.rowCount ?? rowCount) + more.length,
    columns: [...columns.map(({ name }) => name), ...(hasNotes ? ["note"] : [])],
    rows: hasNotes ? all : all.map((row) => row.slice(0, -1)),
  };
}

// The total of a report leaves out its forecast.
function spentDetail(answer) {
  const period = periodOf(answer);
  return period ? `spent ${range(period)}, without the forecast` : "without the forecast";
}

function queryTitle({ columns }) {
  const words = (kinds) => columns.filter(({ kind }) => kinds.includes(kind)).map(({ dimension }) => dimension);
  const [values, dimensions] = [words(["money", "count", "percent"]), words(["text", "period"])];
  return capitalize(
    `${values.join(", ")}${dimensions.length ? ` by ${dimensions.join(", ").replace(/, ([^,]*)$/, " and $1")}` : ""}`,
  );
}
