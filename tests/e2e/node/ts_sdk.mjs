// Drives the TypeScript SDKs: connects as the command line says, lists, calls, and prints what came as one JSON line.
//
// argument: {"sdk": "v1"|"v2", "transport": "http"|"sse"|"stdio", "era": "auto"|"legacy"|"modern", "url": …,
//            "command": …, "args": […], "env": {…}, "calls": {tool: arguments}}

import { follow } from "./visit.mjs";

const REDIRECT = "http://127.0.0.1:33419/callback";
const NEGOTIATION = { auto: { mode: "auto" }, modern: { mode: { pin: "2026-07-28" } } };

async function load(sdk) {
  if (sdk === "v1") {
    const [client, http, sse, stdio, auth] = await Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@modelcontextprotocol/sdk/client/sse.js"),
      import("@modelcontextprotocol/sdk/client/stdio.js"),
      import("@modelcontextprotocol/sdk/client/auth.js"),
    ]);
    return { ...client, ...http, ...sse, ...stdio, UnauthorizedError: auth.UnauthorizedError };
  }
  return { ...(await import("@modelcontextprotocol/client")), ...(await import("@modelcontextprotocol/client/stdio")) };
}

class Drawer {
  // What the SDK calls an OAuth client provider: a public client that keeps everything in memory.
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: "TypeScript end-to-end test",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  #kept = {};
  returned = null;

  state() { return (this.#kept.state ??= crypto.randomUUID()); }
  clientInformation() { return this.#kept.client; }
  saveClientInformation(client) { this.#kept.client = client; }
  tokens() { return this.#kept.tokens; }
  saveTokens(tokens) { this.#kept.tokens = tokens; }
  saveCodeVerifier(verifier) { this.#kept.verifier = verifier; }
  codeVerifier() { return this.#kept.verifier; }
  async redirectToAuthorization(url) {
    this.asked = Object.fromEntries(url.searchParams);
    this.returned = await follow(url, REDIRECT);
    if (this.returned.state !== this.#kept.state) throw new Error("another state came back");
  }
}

function opened(sdk, order, authProvider) {
  if (order.transport === "stdio") {
    return new sdk.StdioClientTransport({ command: order.command, args: order.args, env: order.env, cwd: order.cwd });
  }
  const Transport = order.transport === "sse" ? sdk.SSEClientTransport : sdk.StreamableHTTPClientTransport;
  return new Transport(new URL(order.url), { authProvider });
}

function client(sdk, order) {
  const options = order.sdk === "v2" && NEGOTIATION[order.era] ? { versionNegotiation: NEGOTIATION[order.era] } : {};
  return new sdk.Client({ name: "ts-e2e", version: "1.0.0" }, options);
}

async function connect(sdk, order, drawer) {
  const first = client(sdk, order);
  const transport = opened(sdk, order, drawer);
  try {
    await first.connect(transport);
    return { connected: first, transport };
  } catch (error) {
    if (!(error instanceof sdk.UnauthorizedError)) throw error;
  }
  // v1 takes the code alone; v2 takes the whole answer, so that it can check the issuer itself.
  const answer = order.sdk === "v1" ? drawer.returned.code : new URLSearchParams(drawer.returned);
  await transport.finishAuth(answer);
  const second = client(sdk, order);
  const again = opened(sdk, order, drawer);
  await second.connect(again);
  return { connected: second, transport: again };
}

const order = JSON.parse(process.argv[2]);
const sdk = await load(order.sdk);
const drawer = new Drawer();
const { connected, transport } = await connect(sdk, order, drawer);
const { tools } = await connected.listTools();
const results = {};
const progress = [];
for (const [name, args] of Object.entries(order.calls)) {
  const options = name === "refine_cloudflow" ? { onprogress: (step) => progress.push(step) } : {};
  const call = { name, arguments: args };
  results[name] = order.sdk === "v1" ? await connected.callTool(call, undefined, options) : await connected.callTool(call, options);
}
const revision = connected.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null;
await connected.close();
console.log(JSON.stringify({ revision, tools, results, progress, returned: drawer.returned, asked: drawer.asked ?? null, tokens: drawer.tokens() ?? null }));
