"use strict";
// Renders the event stream. Values from calls are inserted as text, never as HTML.
const SIDES = { identity: "Identity", api: "DoiT API" };
const KINDS = { access: "Access token", refresh: "Refresh token", exchanged: "Exchanged token" };
const RETRY_MS = 5000;
const TICK_MS = 5000;
const COPIED_MS = 2000;
const ARRIVALS_MS = 2000;

const at = (id) => document.getElementById(id);
const rows = at("rows");
const filter = at("filter");
const pause = at("pause");

let source = null;
let reconnectTimer = 0;
let last = "";
let maxRows = 200;
let connectedAt = 0; // when the stream began: earlier calls are not highlighted
let clockOffset = 0; // seconds by which the server's clock is ahead of the browser's
let customers = {};
let items = []; // the listed tokens with their expiry
let held = []; // calls that arrived while the list was paused
let paused = false;
const groups = new Map(); // the tool calls in the list, by trace and tool

function make(tag, name, ...content) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...content);
  return element;
}

function cell(name, ...content) {
  const element = make("td", name, ...content);
  element.setAttribute("role", "cell");
  return element;
}

function setState(text, live) {
  const state = at("state");
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("live", live);
}

function customerName(id) {
  return customers[id] ?? id;
}

function fingerprint(token) {
  const button = make("button", "print", token);
  button.type = "button";
  button.title = "Show the calls made with this token";
  button.addEventListener("click", () => {
    filter.value = filter.value === token ? "" : token;
    applyFilter();
  });
  return button;
}

function clock(seconds) {
  const when = new Date(seconds * 1000);
  const time = make("time", "", when.toLocaleTimeString([], { hour12: false }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  return time;
}

function duration(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function status(code) {
  const name = code === 0 || code >= 500 ? "failed" : code >= 400 ? "refused" : code >= 300 ? "elsewhere" : "ok";
  return make("span", `badge ${name}`, code === 0 ? "disconnected" : String(code));
}

function target(text) {
  const [path, query] = text.split(/\?(.*)/s);
  const parameters = (query ?? "").split("&").filter(Boolean);
  return [make("span", "target", path), ...parameters.map((each) => make("span", "parameter", each))];
}

function row(call) {
  const what = cell("call", make("span", "method", call.method), ...target(call.target));
  if (call.note) what.append(make("span", "note", call.note));
  const who = call.user ? cell("who", make("span", "user", call.user)) : cell("who empty", "\u2013");
  const details = make("span", "customer", customerName(call.customer));
  if (call.token) details.append(call.customer ? " \u00b7 " : "", fingerprint(call.token));
  if (details.hasChildNodes()) who.append(details);
  const element = make(
    "tr", "",
    cell("time", clock(call.at)), cell("to", make("span", `badge ${call.side}`, SIDES[call.side])), what, who,
    cell("status", status(call.status)), cell("took number", duration(call.ms)),
  );
  element.setAttribute("role", "row");
  const words = [call.method, call.target, call.user, customerName(call.customer), call.customer, call.token, call.note];
  const more = [SIDES[call.side], call.status || "disconnected", call.tool, call.client];
  element.dataset.words = [...words, ...more].join(" ").toLowerCase();
  return element;
}

// A tool call: one row that opens the rows of its API calls.
function groupRow(first) {
  const toggle = make("button", "toggle", make("span", "strong", first.tool));
  toggle.type = "button";
  toggle.setAttribute("aria-expanded", "false");
  const size = make("span", "fine", "");
  const what = cell("call", toggle, size);
  if (first.client) what.append(make("span", "note", first.client));
  const who = cell("who", make("span", "user", first.user), make("span", "customer", customerName(first.customer)));
  const state = cell("status");
  const took = cell("took number");
  const element = make("tr", "group", cell("time", clock(first.at)), cell("to", make("span", "badge mcp", "Tool call")), what, who, state, took);
  element.setAttribute("role", "row");
  const group = { element, toggle, size, state, took, members: [], start: first.at, end: 0, worst: 200 };
  toggle.addEventListener("click", () => {
    toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") !== "true"));
    applyFilter();
  });
  return group;
}

function addToGroup(group, call, element) {
  element.classList.add("member");
  group.element.after(element);
  group.members.push(element);
  group.start = Math.min(group.start, call.at);
  group.end = Math.max(group.end, call.at + call.ms / 1000);
  group.worst = call.status === 0 || group.worst === 0 ? 0 : Math.max(group.worst, call.status);
  group.size.textContent = ` ${group.members.length} API call${group.members.length === 1 ? "" : "s"}`;
  group.state.replaceChildren(status(group.worst));
  group.took.textContent = duration((group.end - group.start) * 1000);
}

function add(call) {
  const element = row(call);
  if (!call.tool) {
    rows.prepend(element);
    return element;
  }
  const key = `${call.trace} ${call.tool}`;
  if (!groups.has(key)) {
    groups.set(key, groupRow(call));
    rows.prepend(groups.get(key).element);
  }
  addToGroup(groups.get(key), call, element);
  return element;
}

function removeOldest() {
  const oldest = rows.lastElementChild;
  oldest.remove();
  for (const [key, group] of groups) {
    group.members = group.members.filter((member) => member !== oldest);
    if (group.members.length > 0) continue;
    group.element.remove();
    groups.delete(key);
  }
}

function matches(element, words) {
  return words.every((word) => element.dataset.words.includes(word));
}

function filterWords() {
  return filter.value.toLowerCase().split(/\s+/).filter(Boolean);
}

function count() {
  const all = rows.querySelectorAll("tr:not(.group)").length;
  const shown = rows.querySelectorAll("tr:not(.group):not(.filtered)").length;
  at("count").textContent = !all ? "" : shown < all ? `${shown} of ${all}` : all < maxRows ? `${all}` : `the last ${all}`;
  const none = at("none");
  none.hidden = shown > 0;
  none.textContent = all
    ? "No calls match the filter."
    : "No calls yet. Connect a client, and its calls appear here.";
  pause.textContent = paused ? (held.length ? `Resume (${held.length})` : "Resume") : "Pause";
}

function applyFilter() {
  const words = filterWords();
  for (const element of rows.querySelectorAll("tr:not(.group)")) {
    element.classList.toggle("filtered", !matches(element, words));
    element.hidden = element.classList.contains("filtered");
  }
  for (const { element, toggle, members } of groups.values()) {
    const isOpen = words.length > 0 || toggle.getAttribute("aria-expanded") === "true";
    element.hidden = members.every((member) => member.classList.contains("filtered"));
    for (const member of members) member.hidden ||= !isOpen;
  }
  count();
}

function show(calls, fresh) {
  for (const call of calls) {
    add(call).classList.toggle("new", fresh);
    // Limits the rows of a page that stays open for hours.
    while (rows.children.length > maxRows) removeOldest();
  }
  applyFilter();
}

function addCall(event) {
  last = event.lastEventId;
  const call = JSON.parse(event.data);
  if (!paused) return show([call], call.at >= connectedAt);
  held.push(call);
  if (held.length > maxRows) held.shift();
  count();
}

function timeLeft(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h left` : `${Math.round(seconds / 86400)} days left`;
}

function tokenItem(token) {
  const rest = make("span", "fine end", "");
  const ends = new Date(token.expires * 1000);
  rest.title = `until ${ends.toLocaleString()}`;
  const item = make(
    "li", "",
    make("div", "line", make("span", "strong", KINDS[token.kind]), fingerprint(token.fingerprint), rest),
    make("div", "", token.user, make("span", "fine", ` \u00b7 ${customerName(token.customer) || "no customer"}`)),
    make("div", "fine", `for ${token.client}`, token.scope ? `: ${token.scope}` : ""),
  );
  return { item, rest, expires: token.expires };
}

function showTokens(list) {
  items = list.map(tokenItem);
  at("tokens").replaceChildren(...items.map(({ item }) => item));
  tick();
}

function tick() {
  const now = Date.now() / 1000 + clockOffset;
  items = items.filter(({ item, expires }) => expires > now || item.remove());
  for (const { rest, expires } of items) {
    const text = timeLeft(expires - now);
    if (rest.textContent !== text) rest.textContent = text;
  }
  at("no-tokens").hidden = items.length > 0;
}

function copyButton(user) {
  const word = make("span", "", "Copy");
  const button = make("button", "small", word, make("span", "hidden", ` the API token of ${user.email}`));
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(user.api_token);
      word.textContent = "Copied";
    } catch {
      word.textContent = "Select and copy";
    }
    setTimeout(() => { word.textContent = "Copy"; }, COPIED_MS);
  });
  return button;
}

function showCallsButton(user) {
  const button = fingerprint(user.fingerprint);
  button.replaceChildren("Show calls", make("span", "hidden", ` with the API token of ${user.email}`));
  return button;
}

function userItem(user) {
  return make(
    "li", "",
    make("div", "strong", user.email),
    make("div", "fine", user.may),
    make("div", "line", "Password ", make("code", "", user.password)),
    make("div", "line", "Token ", make("code", "", user.api_token)),
    make("div", "line", copyButton(user), showCallsButton(user)),
  );
}

function arrivalItem(arrival) {
  const holds = arrival.signature === "holds";
  const name = arrival.body.name ?? arrival.body.type ?? "unknown";
  return make(
    "li", "",
    make("div", "line", make("span", "strong", name), clock(arrival.at), make("span", `badge ${holds ? "ok" : "failed"}`, `Signature ${arrival.signature}`)),
    make("div", "fine", `${arrival.id} \u00b7 ${arrival.subscription}`),
    make("div", "", make("code", "", JSON.stringify(arrival.body.data ?? arrival.body))),
  );
}

let newest = "";
async function showArrivals() {
  if (document.hidden) return;
  const response = await fetch("/sandbox/receiver").catch(() => null);
  const state = response?.ok ? await response.json() : null;
  if (!state) return;
  at("receiver").hidden = false;
  at("receiver-url").textContent = state.url;
  at("receiver-secret").textContent = state.secret;
  at("no-arrivals").hidden = state.arrivals.length > 0;
  const first = JSON.stringify(state.arrivals[0] ?? "");
  if (first === newest) return;
  newest = first;
  at("arrivals").replaceChildren(...state.arrivals.slice(0, 20).map(arrivalItem));
}

async function makeEvent(event) {
  const kind = event.target.dataset.kind;
  if (!kind) return;
  const response = await fetch("/sandbox/events", { method: "POST", body: JSON.stringify({ kind }) });
  const made = await response.json();
  at("made").textContent = response.ok ? `Made: ${made.kind} ${made.id}` : made.error;
}

function reset(event) {
  const state = JSON.parse(event.data);
  connectedAt = state.now;
  clockOffset = state.now - Date.now() / 1000;
  customers = state.customers;
  maxRows = state.history;
  if (state.reset) {
    rows.replaceChildren();
    groups.clear();
    held = [];
  }
  at("users").replaceChildren(...state.users.map(userItem));
  showTokens(state.tokens);
  count();
  setState("Live", true);
}

function connect() {
  clearTimeout(reconnectTimer);
  if (source) return;
  source = new EventSource(`/dashboard/events?after=${encodeURIComponent(last)}`);
  source.addEventListener("hello", reset);
  source.addEventListener("call", addCall);
  source.addEventListener("tokens", (event) => {
    const { tokens: list, now } = JSON.parse(event.data);
    clockOffset = now - Date.now() / 1000;
    showTokens(list);
  });
  source.addEventListener("error", () => {
    // Browsers reconnect by themselves, except after an HTTP error: too many pages are open.
    const refused = source.readyState === EventSource.CLOSED;
    setState(refused ? "Refused: too many dashboard pages are open, or the sandbox has changed" : "Disconnected; reconnecting", false);
    if (!refused) return;
    disconnect();
    reconnectTimer = setTimeout(connect, RETRY_MS);
  });
}

function disconnect() {
  clearTimeout(reconnectTimer);
  if (source) source.close();
  source = null;
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.classList.toggle("on", paused);
  const waiting = held;
  if (!paused) held = [];
  if (paused) count(); else show(waiting, true);
});
filter.addEventListener("input", applyFilter);
// Browsers limit connections per host: a hidden page releases its own for the sign-in pages.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);
at("make").addEventListener("click", makeEvent);
setInterval(tick, TICK_MS);
setInterval(showArrivals, ARRIVALS_MS);
showArrivals();
