// Tables of query results, with pages and sorting. Results that are cut have a handle, which query_result reads.
const PAGE_ROWS = 50;
const MAX_INLINE_TABLE_ROWS = 8;

function pageRows() {
  return isFullScreen() || !can("resize") ? PAGE_ROWS : MAX_INLINE_TABLE_ROWS;
}

function pagedTable(answer, { columns, rows }) {
  const isFull = isFullScreen();
  const headings = columns.map((column) => ({
    ...column,
    name: capitalize(column.dimension),
    sorted:
      answer.page?.sortBy === column.name ? { asc: "ascending", desc: "descending" }[answer.page.sortOrder] : null,
    onsort: isFull ? () => sortBy(answer, column) : null,
  }));
  const [shown, note] = fittingRows(rows, (row) => columns.map(({ index }) => row[index]), MAX_INLINE_TABLE_ROWS);
  const of = answer.page?.rowCount ?? answer.data.rowCount ?? rows.length;
  const first = (answer.page?.skip ?? 0) + 1;
  const position =
    rows.length < of
      ? paragraph("axis", `Rows ${number(first)} to ${number(first + shown.length - 1)} of ${number(of)}.`)
      : note;
  return [valueTable("Rows", headings, shown, { currency: currencyOf(answer) }), position];
}

function pageActions(answer) {
  const of = answer.page?.rowCount ?? answer.data.rowCount ?? 0;
  if (!answer.data.handle || !answer.data.cut) return [];
  const skip = answer.page?.skip ?? 0;
  const turn = (label, to) => ({ label, needs: "call", run: () => loadPage(answer, { ...answer.page, skip: to }) });
  const actions = [];
  if (!answer.page) return [turn("Show the largest", 0)];
  if (skip > 0) actions.push(turn("Previous rows", Math.max(0, skip - pageRows())));
  const next = skip + Math.min(answer.page.rows.length, pageRows());
  if (next < of) actions.push(turn("Next rows", next));
  return actions;
}

// The server sorts what it has cut, and the view what it has whole. The first click sorts the largest first.
function sortBy(answer, { name, index, kind }) {
  const isDescending = answer.page?.sortBy === name ? answer.page.sortOrder !== "desc" : kind !== "text";
  const order = { sortBy: name, sortOrder: isDescending ? "desc" : "asc" };
  if (answer.data.handle && answer.data.cut) return attempt(() => loadPage(answer, { ...order, skip: 0 }));
  const { columns, schema, rows } = answer.data.result ?? answer.data;
  const compare = (a, b) =>
    isNumber(a) && isNumber(b) ? a - b : String(a ?? "").localeCompare(String(b ?? ""), locale());
  const sorted = [...rows].sort((a, b) => compare(a[index], b[index]) * (isDescending ? -1 : 1));
  answer.page = { ...order, columns: columns ?? schema, rows: sorted, rowCount: rows.length };
  render();
}

function loadPage(answer, { sortBy: column, sortOrder, skip }) {
  const order = column ? { sortBy: column, sortOrder } : {};
  const args = { handle: answer.data.handle, top: pageRows(), skip, ...order };
  return whileBusy("Loading rows", async () => {
    const { columns, rows, rowCount } = (await callTool("query_result", args)).data;
    answer.page = { columns, rows, rowCount, skip, sortBy: column, sortOrder };
    say(`Showing rows ${number(skip + 1)} to ${number(skip + rows.length)} of ${number(rowCount)}.`);
  });
}
