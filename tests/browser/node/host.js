// Runs in the host page: shows the view in a frame, and talks to it over the official bridge of MCP Apps hosts.

import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const HOST = { name: "doit-mcp-tests", version: "1.0.0" };
const CLIENT_OPTIONS = {
  capabilities: { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } } },
};
// The methods of a view that a host may support, by the property of the bridge that handles them.
const HANDLERS = {
  "tools/call": "oncalltool",
  "ui/open-link": "onopenlink",
  "ui/message": "onmessage",
  "ui/update-model-context": "onupdatemodelcontext",
  "ui/download-file": "ondownloadfile",
  "ui/request-display-mode": "onrequestdisplaymode",
};

const state = { bridge: null, client: null, initialized: null, received: [] };

// A client of the server, signed in.
async function connected({ url, token }) {
  const client = new Client(HOST, CLIENT_OPTIONS);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  }));
  return client;
}

function handle(bridge, order) {
  const answers = structuredClone(order.answers ?? {});
  const results = {
    // Answers arrive in the order in which the test lists them. A text is the message of an error.
    "tools/call": async ({ name }) => {
      const answer = (answers[name] ?? []).shift();
      if (answer === undefined || typeof answer === "string") throw new Error(answer ?? `no answer of ${name} is prepared`);
      return answer;
    },
    "ui/request-display-mode": async ({ mode }) => {
      await bridge.sendHostContextChange({ displayMode: mode });
      return { mode };
    },
  };
  for (const [method, property] of Object.entries(HANDLERS)) {
    // The bridge has handlers of its own for some. Methods without one are answered with "Method not found".
    if (order.live && method === "tools/call") continue;
    if ((order.refused ?? []).includes(method)) bridge.removeRequestHandler(method);
    else bridge[property] = results[method] ?? (async () => ({}));
  }
}

globalThis.openView = async (order) => {
  const frame = document.querySelector("iframe");
  window.addEventListener("message", ({ source, data }) => {
    if (source === frame.contentWindow) state.received.push(data);
  });
  if (order.legacy) {
    frame.src = order.frame;
    return;
  }
  state.client = order.live ? await connected(order.live) : null;
  const bridge = new AppBridge(state.client, HOST, order.capabilities, { hostContext: order.context });
  handle(bridge, order);
  bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; };
  state.initialized = new Promise((resolve) => { bridge.oninitialized = resolve; });
  state.bridge = bridge;
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = order.frame;
  await state.initialized;
};

globalThis.send = {
  input: (args) => state.bridge.sendToolInput({ arguments: args }),
  partial: (args) => state.bridge.sendToolInputPartial({ arguments: args }),
  result: (result) => state.bridge.sendToolResult(result),
  cancel: (reason) => state.bridge.sendToolCancelled({ reason }),
  context: (changes) => state.bridge.sendHostContextChange(changes),
  teardown: () => state.bridge.teardownResource({}),
  // Calls the tool as a model would, and passes the view what a host passes.
  call: async ({ name, arguments: args }) => {
    await state.bridge.sendToolInput({ arguments: args });
    const result = await state.client.callTool({ name, arguments: args });
    await state.bridge.sendToolResult(result);
  },
};

// The view of a tool, as the server lists it: its URI, and what the server returns for it.
globalThis.readView = async (name) => {
  const { tools } = await state.client.listTools();
  const { resourceUri } = tools.find((tool) => tool.name === name)._meta.ui;
  const { contents } = await state.client.readResource({ uri: resourceUri });
  return contents[0];
};

const PING = "ping of the test ";
let pings = 0;

// Waits until the view has handled all messages so far: it answers this ping after it has drawn them.
globalThis.handled = async () => {
  const frame = document.querySelector("iframe");
  const id = PING + (pings += 1);
  const answered = new Promise((resolve) => {
    window.addEventListener("message", ({ source, data }) => source === frame.contentWindow && data.id === id && resolve());
  });
  frame.contentWindow.postMessage({ jsonrpc: "2.0", id, method: "ping" }, "*");
  await answered;
};

// Milliseconds until the view has drawn a result.
globalThis.timeResult = async (result) => {
  const started = performance.now();
  const { contentWindow } = document.querySelector("iframe");
  contentWindow.postMessage({ jsonrpc: "2.0", method: "ui/notifications/tool-result", params: result }, "*");
  await handled();
  return performance.now() - started;
};

globalThis.receivedMessages = () => state.received.filter(({ id }) => !String(id).startsWith(PING));
