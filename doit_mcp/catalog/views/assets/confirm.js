// The card of a prepared change: what changes, and the buttons that apply or cancel it.
function isPrepared({ data }) {
  return data.status === "approval_required" && Boolean(data.change);
}

function confirmCard(answer) {
  const { change, expiresAt } = answer.data;
  const { decision } = answer;
  const columns = ["Field", "Before", "After"].map((name) => ({ name, kind: "text" }));
  const rows = (change.fields ?? []).map(({ field, before, after, added, removed }) =>
    [added ? `${field} (removed, added)` : field, before ?? removed, after ?? added].map(valueText),
  );
  const notes = [...(change.notes ?? [])];
  if (change.affected) notes.push(`Affects: ${valueText(change.affected)}`);
  return [
    make(
      "header",
      {},
      make("h1", {}, phrase(change.title)),
      change.customer ? make("p", {}, named(change.customer)) : null,
      change.object ? make("p", "headline", named(change.object.name)) : null,
    ),
    rows.length ? valueTable("Change", columns, rows) : null,
    notes.map((note) => paragraph("notes", note)),
    change.irreversible ? paragraph("message error", "This cannot be undone.") : null,
    decision ? paragraph(`message ${decision.failed ? "error" : ""}`, decision.text) : waitingText(expiresAt),
    confirmButtons(answer),
  ];
}

function waitingText(expiresAt) {
  const until = expiresAt ? ` You can apply it until ${time(expiresAt)}.` : "";
  const how = can("call") ? "" : " Reply in the conversation to apply it.";
  return paragraph("notes", `Nothing has changed yet.${until}${how}`);
}

function confirmButtons(answer) {
  const { url } = answer.data.change.object ?? {};
  const open = url && can("open") ? actionButton(openAction("Open in console", url)) : null;
  if (answer.decision && !answer.decision.failed) return open && make("footer", {}, open);
  const disabled = Boolean(app.busy);
  return make(
    "footer",
    {},
    can("call") ? button("Apply", () => decide(answer), { class: "primary", disabled, "data-key": "apply" }) : null,
    button("Cancel", () => cancelChange(answer), { disabled, "data-key": "cancel" }),
  );
}

// The change is prepared again if its object has changed since.
async function decide(answer) {
  await whileBusy("Applying the change", async () => {
    const { approvalToken, change } = answer.data;
    const customerContext = answer.args.customerContext ?? answer.args.input?.customerContext;
    const args = { approvalToken, ...(customerContext && { customerContext }) };
    const { failed, text, ...found } = readAnswer(
      await perform("call", { name: "confirm_action", arguments: args }),
      "",
      {},
    );
    if (isPrepared(found)) answer.data = found.data;
    answer.decision = isPrepared(found)
      ? { failed: true, text: "The object has changed. Check it again." }
      : { failed, text: failed ? text : "Applied." };
    say(answer.decision.text);
    if (!answer.decision.failed) await tell(`The user applied this change: ${quoted(change.title)}.`);
  });
}

async function cancelChange(answer) {
  answer.decision = { failed: false, text: "Canceled. Nothing has changed." };
  say(answer.decision.text);
  render();
  await tell(`The user canceled this change: ${quoted(answer.data.change.title)}.`);
}

function valueText(value) {
  if ((value ?? "") === "") return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (isNumber(value)) return number(value);
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
