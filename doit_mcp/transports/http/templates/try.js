// Calls tools over MCP, as any client does. Answers are inserted as text, never as HTML.
const ENDPOINT = "/mcp";
const ALL_TOOLS = "/mcp/x/all";
const COPIED_MS = 2000;

const at = (id) => document.getElementById(id);
const { accounts, examples, areas, defaultTools, revision } = JSON.parse(at("data").textContent);

// The ways to show an answer, in the order of their buttons. A view returns an element for a result of tools/call and the
// arguments of the call. It fits every result unless it says otherwise.
const VIEWS = [
  { name: "Picture", fits: hasPicture, show: showPicture },
  { name: "Text", show: (result) => make("pre", "", answerText(result)) },
  { name: "JSON", show: (result) => make("pre", "", JSON.stringify(result.structuredContent ?? result, null, 2)) },
];

let account = accounts[0];
let tools = new Map();
let tool = null;
let fields = []; // of the form: {name, schema, input, problem}
let view = VIEWS[0];
let result = null;
let args = {}; // of the call that returned the result
let running = new AbortController();
let choosing = 0; // counts choices, so that an example that arrives late does not fill the form of another tool

function make(tag, name, ...content) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...content);
  return element;
}

function headers() {
  return {
    Authorization: `Bearer ${account.token}`,
    Accept: "application/json",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": revision,
  };
}

// The result of a JSON-RPC request. Throws an Error whose message is for the user.
async function request(path, method, params, signal) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(path, { method: "POST", headers: headers(), body, signal });
  const message = await response.json();
  if (message.error) throw new Error(message.error_description ?? message.error.message);
  return message.result;
}

async function loadTools() {
  const loaded = new Map();
  let cursor;
  do {
    const page = await request(ALL_TOOLS, "tools/list", cursor ? { cursor } : {});
    for (const each of page.tools) loaded.set(each.name, each);
    cursor = page.nextCursor;
  } while (cursor);
  tools = loaded;
}

function groups() {
  const byArea = new Map([["Start here", defaultTools.filter((name) => tools.has(name))]]);
  for (const name of tools.keys()) {
    const area = (areas[name] ?? "employees").replaceAll("_", " ");
    const title = area[0].toUpperCase() + area.slice(1);
    byArea.set(title, [...(byArea.get(title) ?? []), name]);
  }
  return [...byArea].sort(([a], [b]) => (b === "Start here") - (a === "Start here") || a.localeCompare(b));
}

function title(each) {
  return each.title ?? each.annotations?.title ?? each.name;
}

function toolButton(name) {
  const each = tools.get(name);
  const button = make("button", "tool", title(each));
  button.type = "button";
  button.dataset.tool = name;
  button.dataset.words = `${name} ${title(each)} ${each.description ?? ""} ${areas[name] ?? ""}`.toLowerCase();
  button.addEventListener("click", () => {
    history.replaceState(null, "", `#${name}`);
    choose(name);
  });
  return button;
}

function showTools() {
  at("tools").replaceChildren(
    ...groups().map(([name, names]) => make("div", "group", make("h3", "", name), ...names.map(toolButton))),
    make("p", "none", "No tool matches."),
  );
  filterTools();
}

function filterTools() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = new Set();
  for (const group of at("tools").querySelectorAll(".group")) {
    const buttons = [...group.querySelectorAll(".tool")];
    for (const button of buttons) {
      button.hidden = !words.every((word) => button.dataset.words.includes(word));
      if (!button.hidden) shown.add(button.dataset.tool);
      button.setAttribute("aria-current", String(button.dataset.tool === tool?.name));
    }
    group.hidden = buttons.every((button) => button.hidden);
  }
  at("tools").querySelector(".none").hidden = shown.size > 0;
  at("count").textContent = shown.size === tools.size ? `${tools.size}` : `${shown.size} of ${tools.size}`;
}

function kinds(schema) {
  return schema.anyOf ? schema.anyOf.flatMap(kinds) : [schema.type ?? "object"].flat();
}

function isJson(schema) {
  const types = kinds(schema);
  const isList = types.includes("array") && (schema.items?.type ?? "string") !== "string";
  return isList || (types.includes("object") && !types.includes("string"));
}

function control(schema) {
  const choices = schema.enum ?? (kinds(schema)[0] === "boolean" ? [true, false] : null);
  if (choices) return make("select", "", new Option("(not set)", ""), ...choices.map((each) => new Option(each, each)));
  const input = make(isJson(schema) ? "textarea" : "input", "");
  if (isJson(schema)) input.rows = 3;
  else input.inputMode = kinds(schema)[0] === "integer" ? "numeric" : "text";
  if (schema.default !== undefined) input.placeholder = `Default: ${schema.default}`;
  input.spellcheck = false;
  input.autocomplete = "off";
  return input;
}

function hint(schema) {
  const parts = [schema.description];
  if (isJson(schema)) parts.push("Enter JSON.");
  else if (kinds(schema).includes("array")) parts.push("Separate values with commas.");
  return parts.filter(Boolean).join(" ");
}

function field(name, schema, isRequired) {
  const input = control(schema);
  input.id = `argument-${name}`;
  const label = make("label", "", isRequired ? `${name} (required)` : name);
  label.htmlFor = input.id;
  const help = make("p", "hint", hint(schema));
  help.id = `${input.id}-help`;
  const problem = make("p", "problem");
  problem.id = `${input.id}-problem`;
  problem.hidden = true;
  input.setAttribute("aria-describedby", `${help.id} ${problem.id}`);
  return { name, schema, input, problem, elements: [label, input, help, problem] };
}

function write({ schema, input }, value) {
  if (value === undefined) input.value = "";
  else if (isJson(schema)) input.value = JSON.stringify(value, null, 2);
  else input.value = Array.isArray(value) ? value.join(", ") : String(value);
  if (input instanceof HTMLTextAreaElement) input.rows = Math.min(16, Math.max(3, input.value.split("\n").length));
}

// The value that a field stands for; undefined if it is empty. Throws SyntaxError for invalid JSON.
function read({ schema, input }) {
  const text = input.value.trim();
  if (!text) return undefined;
  if (isJson(schema)) return JSON.parse(text);
  const types = kinds(schema);
  if (types[0] === "boolean") return text === "true";
  if (["integer", "number"].includes(types[0]) && Number.isFinite(Number(text))) return Number(text);
  if (types.includes("array") && (types[0] === "array" || text.includes(","))) return text.split(",").map((each) => each.trim()).filter(Boolean);
  return text;
}

function setProblem({ input, problem }, text) {
  problem.textContent = text;
  problem.hidden = !text;
  input.setAttribute("aria-invalid", String(Boolean(text)));
}

// The arguments of the form, or null if a field is invalid; the form says which.
function formArguments() {
  const values = {};
  let invalid = null;
  for (const each of fields) {
    try {
      const value = read(each);
      if (value !== undefined) values[each.name] = value;
      setProblem(each, "");
    } catch (error) {
      setProblem(each, `This is not valid JSON: ${error.message}`);
      invalid ??= each;
    }
  }
  invalid?.input.focus();
  return invalid ? null : values;
}

function pick(value, path) {
  for (const part of path.split(".")) value = part === "*" ? Object.values(value ?? {})[0] : value?.[part];
  return value;
}

// An example in which the values of other tools' results are filled in: their ids depend on the customer.
async function resolve(value) {
  if (value?.$from) {
    const [name, path, from] = value.$from;
    const answer = await request(ENDPOINT, "tools/call", { name, arguments: await resolve(from ?? {}) });
    return pick(answer.structuredContent, path);
  }
  if (Array.isArray(value)) return Promise.all(value.map(resolve));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(async ([name, each]) => [name, await resolve(each)]);
  return Object.fromEntries(await Promise.all(entries));
}

function showForm() {
  const { properties = {}, required = [] } = tool.inputSchema;
  fields = Object.entries(properties).map(([name, schema]) => field(name, schema, required.includes(name)));
  const example = examples[tool.name] ?? {};
  const first = fields.filter(({ name }) => required.includes(name) || name in example);
  const rest = fields.filter((each) => !first.includes(each));
  at("required").replaceChildren(...first.flatMap(({ elements }) => elements));
  at("optional-fields").replaceChildren(...rest.flatMap(({ elements }) => elements));
  at("optional").hidden = rest.length === 0;
  at("optional").open = false;
  at("optional-title").textContent = `Optional arguments (${rest.length})`;
}

async function choose(name) {
  const choice = (choosing += 1);
  running.abort();
  tool = tools.get(name);
  const writes = tool.annotations?.readOnlyHint !== true;
  at("tool-title").textContent = title(tool);
  at("tool-name").textContent = tool.name;
  at("description").textContent = tool.description ?? "";
  at("kind").hidden = false;
  at("kind").className = `badge ${writes ? "writes" : "reads"}`;
  at("kind").textContent = writes ? "changes data" : "reads";
  showForm();
  filterTools();
  showResult(null, "Press Call.");
  at("run").disabled = at("curl").disabled = true;
  try {
    const example = await resolve(examples[name] ?? {});
    if (choice !== choosing) return;
    for (const each of fields) write(each, example[each.name]);
  } catch (error) {
    if (choice !== choosing) return;
    setState(`The example could not be loaded: ${error.message}`, true);
  }
  at("run").disabled = at("curl").disabled = false;
}

function answerText({ content = [] }) {
  return content.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("\n");
}

// What a tokenizer of a model splits text into first: ids of letters and digits, words, numbers, punctuation, blanks.
const PIECES = / ?\w*(?:[A-Za-z]\d|\d[A-Za-z])\w*|[A-Z]?[a-z]+|[A-Z]+|\d{1,3}| ?[^\s\w]+|_|\s+/g;

// About how many tokens a model reads. The numbers of characters per token fit answers of this server within 15 percent.
function estimateTokens(text) {
  let tokens = 0;
  for (const [piece] of text.matchAll(PIECES)) {
    if (/[a-z]\d|\d[a-z]/i.test(piece)) tokens += Math.ceil(piece.length / 1.8);
    else if (/^[a-z]/i.test(piece)) tokens += Math.ceil(piece.length / 10);
    else if (/^\d/.test(piece)) tokens += 1;
    else if (piece !== " ") tokens += Math.ceil(piece.length / 4);
  }
  return tokens;
}

function setState(text, failed) {
  at("state").replaceChildren(failed ? make("span", "failed", "Error") : "", failed ? ` ${text}` : text);
}

function showResult(value, text, failed = false) {
  result = value;
  setState(text, failed);
  showAnswer();
}

function showAnswer() {
  const fitting = VIEWS.filter(({ fits }) => fits?.(result) ?? true);
  const shown = fitting.includes(view) ? view : fitting[0];
  at("views").hidden = at("answer").hidden = !result;
  for (const [index, button] of [...at("views").children].entries()) {
    button.hidden = !fitting.includes(VIEWS[index]);
    button.setAttribute("aria-pressed", String(VIEWS[index] === shown));
  }
  picture = null;
  at("answer").replaceChildren(...(result ? [shown.show(result, args)] : []));
  at("answer").scrollTop = 0;
}

async function call() {
  const values = formArguments();
  if (!values) return;
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const started = performance.now();
  showResult(null, "Calling…");
  try {
    const answer = await request(ENDPOINT, "tools/call", { name: tool.name, arguments: values }, signal);
    const ms = Math.round(performance.now() - started).toLocaleString("en");
    args = values;
    const size = `about ${estimateTokens(answerText(answer)).toLocaleString("en")} tokens`;
    showResult(answer, `${size}, ${ms} ms`, answer.isError === true);
    // Browsers do not draw a frame of another origin until it is in view.
    at("answer").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (!signal.aborted) showResult(null, error.message, true);
  }
}

function shellQuote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curlCommand(values) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool.name, arguments: values } });
  const lines = Object.entries(headers()).map(([name, value]) => `  -H ${shellQuote(`${name}: ${value}`)}`);
  return [`curl -s ${location.origin}${ENDPOINT}`, ...lines, `  -d ${shellQuote(body)}`].join(" \\\n");
}

async function copyCurl() {
  const values = formArguments();
  if (!values) return;
  try {
    await navigator.clipboard.writeText(curlCommand(values));
    at("curl").textContent = "Copied";
  } catch {
    // The browser denied access to the clipboard.
    at("curl").textContent = "Could not copy";
  }
  setTimeout(() => { at("curl").textContent = "Copy as curl"; }, COPIED_MS);
}

function named(hash) {
  const name = decodeURIComponent(hash.slice(1));
  return tools.has(name) ? name : defaultTools.find((each) => tools.has(each));
}

async function start() {
  at("access").textContent = account.access;
  at("count").textContent = "Loading…";
  try {
    await loadTools();
  } catch (error) {
    at("count").textContent = "";
    setState(`The tools could not be loaded: ${error.message}`, true);
    return;
  }
  showTools();
  await choose(tool && tools.has(tool.name) ? tool.name : named(location.hash));
}

for (const [index, each] of accounts.entries()) at("user").append(new Option(each.email, index));
for (const each of VIEWS) {
  const button = make("button", "", each.name);
  button.type = "button";
  button.addEventListener("click", () => {
    view = each;
    showAnswer();
  });
  at("views").append(button);
}
at("user").addEventListener("change", () => {
  account = accounts[at("user").value];
  start();
});
at("find").addEventListener("input", filterTools);
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  call();
});
at("curl").addEventListener("click", copyCurl);
addEventListener("hashchange", () => tools.size && choose(named(location.hash)));
start();
