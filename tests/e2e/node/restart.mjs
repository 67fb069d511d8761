// Calls a tool with the TypeScript SDK, waits for a line on standard input, and calls it again on the same connection.
//
// argument: {"sdk": "v1"|"v2", "url": …, "token": …, "tool": …}

import { createInterface } from "node:readline";

const order = JSON.parse(process.argv[2]);
const sdk =
  order.sdk === "v1"
    ? {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
      }
    : await import("@modelcontextprotocol/client");
const client = new sdk.Client({ name: "ts-restart", version: "1.0.0" });
const transport = new sdk.StreamableHTTPClientTransport(new URL(order.url), {
  requestInit: { headers: { Authorization: `Bearer ${order.token}` } },
});
await client.connect(transport);

async function call() {
  const result = await client.callTool({ name: order.tool, arguments: {} });
  console.log(JSON.stringify({ session: transport.sessionId, isError: result.isError ?? false }));
}

await call();
for await (const line of createInterface({ input: process.stdin })) {
  await call();
  break;
}
await client.close();
process.exit(0);
