// Holds the state of the view, and draws it again when it changes.

// The title and the function of each tool with a picture.
const PICTURES = {
  get_cloud_overview: ["Cloud costs", overviewPicture],
  cost_breakdown: ["Costs", breakdownPicture],
  cost_trend: ["Cost trend", trendPicture],
  compare_spend: ["Costs compared", comparePicture],
  explain_cost_change: ["What changed", explainPicture],
  forecast_spend: ["Forecast", forecastPicture],
  list_budgets: ["Budgets", budgetsPicture],
  get_budget: ["Budget", budgetsPicture],
  get_anomalies: ["Anomalies", anomaliesPicture],
  get_anomaly: ["Anomaly", anomalyPicture],
  run_query: ["Query", queryPicture],
  get_report_results: ["Report", queryPicture],
  get_savings_summary: ["Savings", savingsPicture],
};

// phase: waiting, asking, answered, canceled. trail: the answers to go back to. busy: what is done now, or "".
// problem: what failed last. unit and all: how full screen shows an answer.
const app = {
  tool: "",
  args: {},
  hasInput: false,
  phase: "waiting",
  answer: null,
  trail: [],
  busy: "",
  problem: "",
  unit: "amount",
  all: false,
};
const place = document.getElementById("view");
const status = document.getElementById("status");

function say(text) {
  status.textContent = text;
}

function pictureOf(answer) {
  return (PICTURES[answer.tool]?.[1] ?? genericPicture)(answer);
}

function content() {
  if (app.phase === "canceled") return canceled();
  if (!app.answer) return skeleton();
  if (app.answer.failed) return failure(app.answer);
  if (isPrepared(app.answer)) return confirmCard(app.answer);
  if (isEmpty(app.answer)) return empty(app.answer);
  return framed(app.answer, pictureOf(app.answer));
}

function render() {
  if (host.closed) return;
  const key = document.activeElement?.getAttribute("data-key");
  const problem = app.problem ? paragraph("message error", app.problem) : null;
  const isBusy = app.phase !== "canceled" && (Boolean(app.busy) || !app.answer);
  place.setAttribute("aria-busy", String(isBusy));
  place.className = isFullScreen() ? "full" : "";
  place.replaceChildren(...[problem, ...content()].flat(3).filter(Boolean));
  if (key) focusOn(key);
}

// Focus the control with this key, or the way back.
function focusOn(key) {
  const found = [...place.querySelectorAll("[data-key]")].find((one) => one.getAttribute("data-key") === key);
  (found ?? place.querySelector('[data-key="back"]'))?.focus({ preventScroll: true });
}

// Theme, fonts and sizes of the host. Those that it does not give stay those of the style sheet.
function applyContext() {
  const root = document.documentElement;
  const { theme, styles, safeAreaInsets } = host.context;
  root.lang = locale();
  root.dir = isRightToLeft() ? "rtl" : "ltr";
  if (theme) root.dataset.theme = theme;
  for (const [name, value] of Object.entries(styles?.variables ?? {})) {
    if (name.startsWith("--") && value) root.style.setProperty(name, value);
  }
  for (const side of ["top", "right", "bottom", "left"])
    root.style.setProperty(`--inset-${side}`, `${safeAreaInsets?.[side] ?? 0}px`);
  const tool = host.context.toolInfo?.tool?.name;
  if (tool && !app.tool) app.tool = tool;
  render();
}

function showInput({ arguments: args }) {
  app.args = args ?? {};
  app.hasInput = true;
  if (app.phase === "waiting") app.phase = "asking";
  if (!app.answer) render();
}

function showResult(result) {
  app.answer = readAnswer(result, app.tool, app.args);
  if (!app.hasInput) app.answer.args = impliedArguments(app.answer.set);
  app.tool = app.answer.tool;
  Object.assign(app, { phase: "answered", trail: [], busy: "", problem: "", all: false });
  if (isPrepared(app.answer)) watchExpiry(app.answer);
  say("");
  render();
}

function showFailure(error) {
  if (window.openai || app.answer) return;
  app.phase = "canceled";
  place.replaceChildren(make("p", "message error", `The host could not show this picture: ${error.message}`));
}

function reportHeight() {
  const height = Math.ceil(place.getBoundingClientRect().height);
  notify("ui/notifications/size-changed", { height });
  if (!host.connected) window.openai?.notifyIntrinsicHeight?.(height);
}

// Full screen changes the padding, which other boxes leave out.
new ResizeObserver(reportHeight).observe(place, { box: "border-box" });

render();
connect({
  "tool-input": showInput,
  "tool-input-partial": showInput,
  "tool-result": showResult,
  "tool-cancelled": () => {
    app.phase = "canceled";
    say("This call was canceled.");
    render();
  },
  "resource-teardown": () => {
    for (const control of place.querySelectorAll("button")) control.disabled = true;
  },
  "host-context-changed": () => {
    applyContext();
    // The observer reports changes, and the first height is older than the connection.
    reportHeight();
  },
}).catch(showFailure);
