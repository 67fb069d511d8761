// The card of a prepared change: what changes, and the buttons that apply or cancel it.
const CONFIRM_TOOL = "confirm_action";

function isPrepared({ data }) {
  return data.status === "approval_required" && typeof data.approvalToken === "string";
}

function confirmCard(answer) {
  const { change = {}, expiresAt } = answer.data;
  const decision = answer.decision;
  const rows = (change.fields ?? []).map(({ field, before, after }) => [field, valueText(before), valueText(after)]);
  const columns = ["Field", "Before", "After"].map((name) => ({ name, kind: "text" }));
  return [
    make(
      "header",
      {},
      make("h1", {}, phrase(change.title ?? "Confirm this change")),
      change.object ? make("p", { class: "headline" }, named(change.object.name)) : null,
    ),
    rows.length ? valueTable("Change", columns, rows) : null,
    change.affected ? make("p", { class: "notes" }, phrase(`Affects: ${valueText(change.affected)}`)) : null,
    change.irreversible ? make("p", { class: "message error" }, phrase("This cannot be undone.")) : null,
    decision
      ? make("p", { class: `message ${decision.failed ? "error" : ""}` }, phrase(decision.text))
      : waitingText(expiresAt),
    confirmButtons(answer),
  ];
}

function waitingText(expiresAt) {
  const until = expiresAt ? ` You can apply it until ${time(expiresAt)}.` : "";
  const how = can("call") ? "" : " This app cannot apply it from here. Reply in the conversation instead.";
  return make("p", { class: "notes" }, phrase(`Nothing has changed yet.${until}${how}`));
}

function confirmButtons(answer) {
  const { change, approvalToken } = answer.data;
  const open =
    change?.object?.url && can("open") ? actionButton(openAction("Open in console", change.object.url)) : null;
  if (answer.decision && !answer.decision.failed) return open && make("footer", {}, open);
  const isBusy = Boolean(app.busy);
  const apply = () => decide(answer, approvalToken);
  return make(
    "footer",
    {},
    can("call") ? button("Apply", apply, { class: "primary", disabled: isBusy, "data-key": "apply" }) : null,
    button("Cancel", () => cancelChange(answer), { disabled: isBusy, "data-key": "cancel" }),
  );
}

async function decide(answer, approvalToken) {
  await whileBusy("Applying the change", async () => {
    const found = readAnswer(
      await perform("call", { name: CONFIRM_TOOL, arguments: { approvalToken } }),
      CONFIRM_TOOL,
      {},
    );
    const text = found.failed ? found.text : "Applied.";
    answer.decision = { failed: found.failed, text };
    say(text);
  });
  if (answer.decision && !answer.decision.failed)
    await tell(`The user applied this change: ${quoted(answer.data.change?.title)}.`);
}

async function cancelChange(answer) {
  answer.decision = { failed: false, text: "Canceled. Nothing has changed." };
  say(answer.decision.text);
  render();
  await tell(`The user canceled this change: ${quoted(answer.data.change?.title)}. It is not applied.`);
}

function valueText(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
