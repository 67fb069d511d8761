// Talks to the host: MCP Apps over postMessage, or window.openai in versions of ChatGPT without MCP Apps.
const PROTOCOL_VERSION = "2026-01-26";
const METHOD_NOT_FOUND = -32601;
const REQUEST_MS = 120_000;

// What a user can do, with its method, the capability of the host, and the function of window.openai.
const ACTIONS = {
  call: { method: "tools/call", capability: "serverTools", legacy: "callTool" },
  open: { method: "ui/open-link", capability: "openLinks", legacy: "openExternal" },
  ask: { method: "ui/message", capability: "message", legacy: "sendFollowUpMessage" },
  remember: { method: "ui/update-model-context", capability: "updateModelContext" },
  save: { method: "ui/download-file", capability: "downloadFile" },
  resize: { method: "ui/request-display-mode", legacy: "requestDisplayMode" },
};

const DISPLAY_MODES = ["inline", "fullscreen"];
const host = { connected: false, closed: false, capabilities: {}, context: {} };
const pending = new Map(); // requests by id: {resolve, reject, timer}
const unsupported = new Set(); // methods that the host answered with METHOD_NOT_FOUND
let lastId = 0;

function post(message) {
  if (!host.closed) window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
}

function notify(method, params) {
  if (host.connected) post({ method, params });
}

function request(method, params) {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    const timer = setTimeout(() => settle({ id, error: { message: "The host did not answer." } }), REQUEST_MS);
    pending.set(id, { resolve, reject, timer, method });
    post({ id, method, params });
  });
}

function settle({ id, result, error }) {
  const waiting = pending.get(id);
  if (!waiting) return;
  pending.delete(id);
  clearTimeout(waiting.timer);
  if (!error) return waiting.resolve(result ?? {});
  if (error.code === METHOD_NOT_FOUND) unsupported.add(waiting.method);
  waiting.reject(Object.assign(new Error(String(error.message ?? "The host failed.")), { code: error.code }));
}

// Requests of the host. The only one that changes the view is teardown.
function answer({ id, method }, listeners) {
  if (method === "ping") return post({ id, result: {} });
  if (method !== "ui/resource-teardown") {
    return post({ id, error: { code: METHOD_NOT_FOUND, message: "Method not found" } });
  }
  post({ id, result: {} });
  host.closed = true;
  for (const waiting of pending.values()) clearTimeout(waiting.timer);
  pending.clear();
  listeners["resource-teardown"]();
}

function mergeContext(changes) {
  const { styles, ...others } = changes;
  Object.assign(host.context, others);
  if (styles) {
    const variables = { ...host.context.styles?.variables, ...styles.variables };
    host.context.styles = { ...host.context.styles, ...styles, variables };
  }
}

// Connect, and call the function of *listeners* for each notification. "context" also follows the connection.
async function connect(listeners) {
  window.addEventListener("message", (event) => {
    const message = event.data;
    if (host.closed || event.source !== window.parent || message?.jsonrpc !== "2.0") return;
    if (message.method === undefined) return settle(message);
    if (message.id !== undefined) return answer(message, listeners);
    if (message.method === "ui/notifications/host-context-changed") mergeContext(message.params ?? {});
    listeners[message.method.replace("ui/notifications/", "")]?.(message.params ?? {});
  });
  window.addEventListener("openai:set_globals", () => readLegacy(listeners));
  readLegacy(listeners);
  if (window.parent === window) return;
  const found = await request("ui/initialize", {
    protocolVersion: PROTOCOL_VERSION,
    appInfo: { name: "doit-costs", version: "1.0.0" },
    appCapabilities: { availableDisplayModes: DISPLAY_MODES },
  });
  host.capabilities = found.hostCapabilities ?? {};
  mergeContext(found.hostContext ?? {});
  host.connected = true;
  notify("ui/notifications/initialized", {});
  listeners["host-context-changed"]();
}

// Older ChatGPT sets window.openai and reports its changes by an event.
function readLegacy(listeners) {
  const globals = window.openai;
  if (!globals || host.connected || host.closed) return;
  const { theme, locale, displayMode, toolInput, toolOutput, toolResponseMetadata } = globals;
  const context = { theme, locale, displayMode, availableDisplayModes: DISPLAY_MODES };
  mergeContext(Object.fromEntries(Object.entries(context).filter(([, value]) => value !== undefined)));
  listeners["host-context-changed"]();
  if (toolInput) listeners["tool-input"]({ arguments: toolInput });
  if (toolOutput) listeners["tool-result"]({ structuredContent: toolOutput, _meta: toolResponseMetadata ?? {} });
}

function isFullScreen() {
  return host.context.displayMode === "fullscreen";
}

function can(action) {
  const { method, capability, legacy } = ACTIONS[action];
  if (host.closed || unsupported.has(method)) return false;
  if (!host.connected) return Boolean(legacy && window.openai?.[legacy]);
  if (action === "resize") return (host.context.availableDisplayModes ?? []).includes("fullscreen");
  return Boolean(host.capabilities[capability]);
}

// Throws an Error whose message is for the user. *params* are those of the method of MCP Apps.
async function perform(action, params) {
  const { method, legacy } = ACTIONS[action];
  if (host.connected) {
    const result = await request(method, params);
    if (result.isError && action !== "call") throw new Error("The host declined.");
    return result;
  }
  const call = window.openai[legacy].bind(window.openai);
  if (action === "call") return call(params.name, params.arguments);
  if (action === "open") return (await call({ href: params.url })) ?? {};
  if (action === "ask") return (await call({ prompt: params.content[0].text })) ?? {};
  return (await call(params)) ?? {};
}
