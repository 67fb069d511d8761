// The TypeScript SDK, version 1.

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { bearer, serve } from "./harness.mjs";
import { Provider } from "./sign_in.mjs";

async function open(url, options) {
  const client = new Client({ name: "client-matrix", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(url), options);
  try {
    await client.connect(transport);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(options.authProvider.returned.code);
    return open(url, options);
  }
  return client;
}

await serve(async (url, token) => {
  const options = token ? { requestInit: { headers: bearer(token) } } : { authProvider: new Provider() };
  const client = await open(url, options);
  return {
    async tools() {
      const { tools } = await client.listTools();
      return Object.fromEntries(tools.map((tool) => [tool.name, Object.keys(tool.inputSchema.properties)]));
    },
    async call(name, args) {
      const result = await client.callTool({ name, arguments: args });
      return { text: result.content[0].text, flagged: result.isError };
    },
    close: () => client.close(),
  };
});
