"use strict";
// Shows what the stream of events tells. Everything that comes from a call is put in as text, never as HTML.
const SIDES = { identity: "Identity", api: "DoiT API" };
const KINDS = { access: "Access token", refresh: "Refresh token", exchanged: "Exchanged token" };
const RETRY_MS = 5000;
const TICK_MS = 5000;

const at = (id) => document.getElementById(id);
const rows = at("rows");
const filter = at("filter");
const pause = at("pause");

let source = null;
let again = 0;
let last = "";
let most = 200;
let joined = 0; // when the stream began: earlier calls are no news
let ahead = 0; // how far the world's clock, in seconds, is before the browser's
let customers = {};
let items = []; // the tokens that are listed, with when they end
let held = []; // calls that came while the list stood still
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

function say(text, live) {
  const state = at("state");
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("live", live);
}

function company(id) {
  return customers[id] ?? id;
}

function fingerprint(token) {
  const button = make("button", "print", token);
  button.type = "button";
  button.title = "Show the calls of this token";
  button.addEventListener("click", () => {
    filter.value = filter.value === token ? "" : token;
    sift();
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

function took(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function status(code) {
  const name = code === 0 || code >= 500 ? "failed" : code >= 400 ? "refused" : code >= 300 ? "elsewhere" : "ok";
  return make("span", `badge ${name}`, code === 0 ? "cut off" : String(code));
}

function row(call) {
  const what = cell("call", make("span", "method", call.method), make("span", "target", call.target));
  if (call.note) what.append(make("span", "note", call.note));
  const who = call.user ? cell("who", make("span", "user", call.user)) : cell("who nobody", "\u2013");
  const details = make("span", "customer", company(call.customer));
  if (call.token) details.append(call.customer ? " \u00b7 " : "", fingerprint(call.token));
  if (details.hasChildNodes()) who.append(details);
  const element = make(
    "tr", "",
    cell("time", clock(call.at)), cell("to", make("span", `badge ${call.side}`, SIDES[call.side])), what, who,
    cell("status", status(call.status)), cell("took number", took(call.ms)),
  );
  element.setAttribute("role", "row");
  const words = [call.method, call.target, call.user, company(call.customer), call.customer, call.token, call.note];
  element.dataset.words = [...words, SIDES[call.side], call.status || "cut off"].join(" ").toLowerCase();
  return element;
}

function fits(element, words) {
  return words.every((word) => element.dataset.words.includes(word));
}

function wanted() {
  return filter.value.toLowerCase().split(/\s+/).filter(Boolean);
}

function count() {
  const all = rows.children.length;
  const shown = all - rows.querySelectorAll("tr[hidden]").length;
  at("count").textContent = !all ? "" : shown < all ? `${shown} of ${all}` : all < most ? `${all}` : `the last ${all}`;
  const none = at("none");
  none.hidden = shown > 0;
  none.textContent = all
    ? "None of the calls fits the filter."
    : "No calls yet. Let a client connect, and what it asks shows up here.";
  pause.textContent = paused ? (held.length ? `Resume (${held.length})` : "Resume") : "Pause";
}

function sift() {
  const words = wanted();
  for (const element of rows.children) element.hidden = !fits(element, words);
  count();
}

function show(calls, fresh) {
  const words = wanted();
  for (const call of calls) {
    const element = row(call);
    element.hidden = !fits(element, words);
    element.classList.toggle("new", fresh);
    rows.prepend(element);
    // With the page open for hours there are still no more rows than this.
    while (rows.children.length > most) rows.lastElementChild.remove();
  }
  count();
}

function heard(event) {
  last = event.lastEventId;
  const call = JSON.parse(event.data);
  if (!paused) return show([call], call.at >= joined);
  held.push(call);
  if (held.length > most) held.shift();
  count();
}

function left(seconds) {
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
    make("div", "", token.user, make("span", "fine", ` \u00b7 ${company(token.customer) || "no customer"}`)),
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
  const now = Date.now() / 1000 + ahead;
  items = items.filter(({ item, expires }) => expires > now || item.remove());
  for (const { rest, expires } of items) {
    const text = left(expires - now);
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

function hello(event) {
  const world = JSON.parse(event.data);
  joined = world.now;
  ahead = world.now - Date.now() / 1000;
  customers = world.customers;
  most = world.history;
  if (world.reset) {
    rows.replaceChildren();
    held = [];
  }
  at("users").replaceChildren(...world.users.map(userItem));
  showTokens(world.tokens);
  count();
  say("Live", true);
}

function listen() {
  clearTimeout(again);
  if (source) return;
  source = new EventSource(`/world/events?after=${encodeURIComponent(last)}`);
  source.addEventListener("hello", hello);
  source.addEventListener("call", heard);
  source.addEventListener("tokens", (event) => {
    const { tokens: list, now } = JSON.parse(event.data);
    ahead = now - Date.now() / 1000;
    showTokens(list);
  });
  source.addEventListener("error", () => {
    // The browser connects again by itself, but not where it was refused: then too many pages watch.
    const refused = source.readyState === EventSource.CLOSED;
    say(refused ? "Refused: too many pages watch, or the sandbox has changed" : "Not connected; trying again", false);
    if (!refused) return;
    deafen();
    again = setTimeout(listen, RETRY_MS);
  });
}

function deafen() {
  clearTimeout(again);
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
filter.addEventListener("input", sift);
// A browser has few connections to one address: a page that nobody sees leaves its own to the sign-in pages.
document.addEventListener("visibilitychange", () => (document.hidden ? deafen() : listen()));
addEventListener("pagehide", deafen);
addEventListener("pageshow", listen);
setInterval(tick, TICK_MS);
