// The Vercel AI SDK, with its MCP client.

import { auth, createMCPClient, UnauthorizedError } from "@ai-sdk/mcp";
import { bearer, serve } from "./harness.mjs";
import { Provider } from "./sign_in.mjs";

async function open(url, options) {
  try {
    return await createMCPClient({ transport: { type: "http", url, ...options } });
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const { authProvider } = options;
    await auth(authProvider, { serverUrl: new URL(url), authorizationCode: authProvider.returned.code });
    return open(url, options);
  }
}

await serve(async (url, token) => {
  const client = await open(url, token ? { headers: bearer(token) } : { authProvider: new Provider() });
  const tools = await client.tools();
  return {
    tools() {
      const names = ([name, tool]) => [name, Object.keys(tool.inputSchema.jsonSchema.properties)];
      return Object.fromEntries(Object.entries(tools).map(names));
    },
    async call(name, args) {
      const result = await tools[name].execute(args, { toolCallId: "1", messages: [] });
      return { text: result.content[0].text, flagged: result.isError };
    },
    close: () => client.close(),
  };
});
