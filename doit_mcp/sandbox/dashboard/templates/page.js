"use strict";
// Renders the event stream. Values from calls are inserted as text, never as HTML.
const SIDES = { identity: "Identity", api: "DoiT API" };
const KINDS = { access: "Access token", refresh: "Refresh token", exchanged: "Exchanged token" };
const RETRY_MS = 5000;
const TICK_MS = 5000;

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

function row(call) {
  const what = cell("call", make("span", "method", call.method), make("span", "target", call.target));
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
  element.dataset.words = [...words, SIDES[call.side], call.status || "disconnected"].join(" ").toLowerCase();
  return element;
}

function matches(element, words) {
  return words.every((word) => element.dataset.words.includes(word));
}

function filterWords() {
  return filter.value.toLowerCase().split(/\s+/).filter(Boolean);
}

function count() {
  const all = rows.children.length;
  const shown = all - rows.querySelectorAll("tr[hidden]").length;
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
  for (const element of rows.children) element.hidden = !matches(element, words);
  count();
}

function show(calls, fresh) {
  const words = filterWords();
  for (const call of calls) {
    const element = row(call);
    element.hidden = !matches(element, words);
    element.classList.toggle("new", fresh);
    rows.prepend(element);
    // Limits the rows of a page that stays open for hours.
    while (rows.children.length > maxRows) rows.lastElementChild.remove();
  }
  count();
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

function userItem(user) {
  return make(
    "li", "",
    make("div", "strong", user.email),
    make("div", "line", "password ", make("code", "", user.password)),
    make("div", "line fine", "API token ", fingerprint(user.api_token)),
    make("div", "fine", user.may),
  );
}

function reset(event) {
  const state = JSON.parse(event.data);
  connectedAt = state.now;
  clockOffset = state.now - Date.now() / 1000;
  customers = state.customers;
  maxRows = state.history;
  if (state.reset) {
    rows.replaceChildren();
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
  source = new EventSource(`/world/events?after=${encodeURIComponent(last)}`);
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
setInterval(tick, TICK_MS);
