// What costs are grouped by: full screen offers the dimensions that the tools accept.
const GROUPINGS = ["service", "project", "cloud", "region", "sku"];

// Buttons for the dimensions. A dimension whose value is selected has one group only, so it is left out.
function groupingSwitch(answer, current) {
  if (!can("call")) return null;
  const selected = (answer.args.filters ?? []).filter(({ values }) => values?.length === 1).map(({ id }) => id);
  const offered = GROUPINGS.filter((name) => !selected.includes(DRILL_DIMENSIONS[name]?.id));
  if (answer.tool === "cost_trend") offered.unshift("total");
  const choice = (name) =>
    actionButton({
      label: capitalize(dimensionLabel(name)),
      pressed: String(dimensionLabel(name) === current && !innerDimension(answer).length),
      run: () => regroup(answer, name),
    });
  return make("div", { class: "switch", role: "group", "aria-label": "Group by" }, offered.map(choice));
}

// Ask the tool for the same costs by another dimension. Until it answers, and if it fails, the old picture stays.
async function regroup({ tool, args, ahead }, name) {
  const { groupBy, ...kept } = args;
  const label = name === "total" ? "the total" : `costs by ${dimensionLabel(name)}`;
  const isDone = await whileBusy(`Loading ${label}`, async () => {
    const answer = await callTool(tool, name === "total" ? kept : { ...kept, groupBy: name });
    if (isEmpty(answer)) throw new Error("Nothing found.");
    answer.ahead = ahead;
    Object.assign(app, { answer, all: false });
    say(`Showing ${label}.`);
  });
  if (isDone) await tellView(label);
}
