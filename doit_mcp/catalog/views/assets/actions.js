// What users can do: ask a follow-up question, select a part of the cost, open the console, full screen, and files.
const DRILL_DIMENSIONS = {
  service: { id: "service_description", type: "fixed" },
  project: { id: "project_id", type: "fixed" },
  cloud: { id: "cloud_provider", type: "fixed" },
  region: { id: "region", type: "fixed" },
};
// What to look at inside one value of a dimension.
const NEXT_DIMENSION = { service: "sku", SKU: "project", cloud: "service" };
const DEFAULT_NEXT_DIMENSION = "service";

// An action: {label, needs, run}. Its button is hidden where the host lacks *needs*.
function askAction(label, question) {
  return {
    label,
    needs: "ask",
    run: () => perform("ask", { role: "user", content: [{ type: "text", text: question }] }),
  };
}

function openAction(label, url) {
  return { label, needs: "open", run: () => perform("open", { url }) };
}

function openLink(url) {
  const label = "Open in console";
  return button(label, () => attempt(openAction(label, url).run), { class: "name", "data-key": label });
}

function actionButton(action) {
  return button(action.label, () => attempt(action.run), { "data-key": action.label, "aria-pressed": action.pressed });
}

// Run what a user asked the host for. A control that the host turns out not to have disappears.
async function attempt(run) {
  if (host.closed) return;
  try {
    await run();
  } catch (error) {
    if (error.code !== METHOD_NOT_FOUND) say(error.message);
    render();
  }
}

// The click on a row that selects its value: {onclick, hint, key}, or nothing where that is not possible.
function drill(answer, { id, name, part }, dimension, filterDimension = DRILL_DIMENSIONS[dimension]) {
  const isValue = (part === "change" || part === "group") && typeof id === "string" && id !== "provisional";
  if (!filterDimension || !isValue || !can("call")) return {};
  const next = NEXT_DIMENSION[dimension] ?? DEFAULT_NEXT_DIMENSION;
  const filter = { ...filterDimension, values: [id] };
  const grouping = answer.tool === "explain_cost_change" ? { by: [next] } : { groupBy: next };
  const { groupBy, by, ...kept } = answer.args;
  const args = { ...kept, ...grouping, filters: [...(answer.args.filters ?? []), filter] };
  const label = nameLabel(name);
  return {
    onclick: () => reslice(args, label),
    hint: `Show ${label} by ${next === "sku" ? "SKU" : next}`,
    key: `row ${id}`,
  };
}

// Full screen and back. The host decides, and says so by host-context-changed or in its answer. Hosts without it show the
// same in the conversation.
function screenAction() {
  const wanted = isFullScreen() ? "inline" : "fullscreen";
  const labels = can("resize") ? ["Full screen", "Close full screen"] : ["More", "Less"];
  return {
    label: labels[Number(wanted === "inline")],
    run: async () => {
      const { mode } = can("resize") ? await perform("resize", { mode: wanted }) : { mode: wanted };
      if (mode) host.context.displayMode = mode;
      render();
    },
  };
}
