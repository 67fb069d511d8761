// The card of a prepared change: what changes, and the buttons that apply or cancel it.
const OUTSIDE = "outside the customer's domains";
const MAX_WAIT_MS = 3_600_000; // longer timers can overflow

function isPrepared({ data }) {
  return data.status === "approval_required" && Boolean(data.change && data.expiresAt);
}

function isDeletion(change) {
  return change.title.startsWith("Delete ");
}

function confirmCard(answer) {
  const { change } = answer.data;
  const { decision } = answer;
  const { affected = [], notes: remarks = [] } = change;
  const fields = (change.fields ?? []).map((row) => (isDeletion(change) ? { ...row, after: undefined } : row));
  const currencyAt = (side) => fields.find(({ field }) => field === "currency")?.[side] ?? change.currency;
  const addresses = affected.flatMap((line) => (line.includes(OUTSIDE) && line.match(/[^\s,;()]+@[^\s,;()]+/g)) || []);
  const outside = [OUTSIDE, ...addresses];
  const marked = (text) => [outside.some((one) => text.includes(one)) && unspoken("state warning", "⚠ "), phrase(text)];
  return [
    make(
      "header",
      {},
      make("h1", {}, phrase(change.title)),
      change.customer ? make("p", {}, named(change.customer)) : null,
      change.object ? make("p", "headline", named(change.object.name)) : null,
    ),
    make("ul", "fields", fields.map((row) => fieldItem(row, currencyAt, marked))),
    affected.length ? section("Affects", make("ul", "affected", affected.map((line) => make("li", {}, marked(line))))) : null,
    remarks.map((note) => paragraph("notes", note)),
    change.irreversible ? paragraph("message error", "This cannot be undone.") : null,
    decision
      ? paragraph(`message ${decision.failed ? "error" : ""}`, decision.text)
      : paragraph("notes", waitingText(answer.data)),
    confirmButtons(answer),
  ];
}

function isExpired({ expiresAt }) {
  return Date.parse(expiresAt) <= Date.now();
}

function waitingText({ expiresAt }) {
  const at = time(expiresAt, LONG_DAY);
  if (isExpired({ expiresAt })) return `This approval expired at ${at}. Ask again to prepare it.`;
  return `Nothing has changed yet. You can apply it until ${at}.${can("call") ? "" : " Reply in the conversation to apply it."}`;
}

// Draw the card again when its token expires.
function watchExpiry({ data }) {
  setTimeout(render, Math.min(Date.parse(data.expiresAt) - Date.now(), MAX_WAIT_MS));
}

// Hosts that cannot call tools leave the decision to the conversation.
function confirmButtons(answer) {
  const { data, decision } = answer;
  const url = decision?.done !== "deleted" && data.change.object?.url;
  if ((decision && !decision.failed) || isExpired(data))
    return url && can("open") ? make("footer", {}, actionButton(openAction("Open in console", url))) : null;
  const control = (label, cancel) =>
    button(label, () => decide(answer, cancel), {
      class: cancel ? null : "primary",
      disabled: Boolean(app.busy),
      "data-key": label,
    });
  return can("call")
    ? make("footer", {}, control(isDeletion(data.change) ? "Delete" : "Apply"), control("Cancel", true))
    : null;
}

// Apply or cancel the change. It is prepared again if its object has changed since.
async function decide(answer, cancel) {
  const { approvalToken, change } = answer.data;
  const customerContext = answer.args.customerContext ?? answer.args.input?.customerContext;
  const args = { approvalToken, ...(cancel && { cancel }), ...(customerContext && { customerContext }) };
  const changing = isDeletion(change) ? ["Deleting", "deleted"] : ["Applying the change", "applied"];
  const [doing, done] = cancel ? ["Canceling", "canceled"] : changing;
  await whileBusy(doing, async () => {
    const unknown = `It is not known whether this was ${done}. Check the current state.`;
    const { failed, text, data } = await perform("call", { name: "confirm_action", arguments: args })
      .then((result) => readAnswer(result, "", {}))
      .catch(({ message: why }) => ({ failed: true, text: `${unknown} (${why})`, data: {} }));
    if (isPrepared({ data })) {
      answer.data = data;
      answer.decision = { failed: true, text: "The object has changed. Check it again." };
      watchExpiry(answer);
    } else {
      const outcome = cancel ? "Canceled. Nothing has changed." : `${capitalize(done)}.`;
      answer.decision = { failed, done, text: failed ? text : outcome };
    }
    say(answer.decision.text);
    if (!answer.decision.failed) await tell(`The user ${done} this change: ${quoted(change.title)}.`);
  });
}
