// Mastra, with its MCP client.

import { MCPClient } from "@mastra/mcp";
import { bearer, serve } from "./harness.mjs";

await serve(async (url, token) => {
  const requestInit = { headers: bearer(token) };
  const client = new MCPClient({ servers: { doit: { url: new URL(url), requestInit } } });
  const { doit: tools } = await client.listToolsets();
  return {
    async tools() {
      const names = ([name, tool]) => {
        const schema = tool.inputSchema["~standard"].jsonSchema.input({ target: "draft-07" });
        return [name, Object.keys(schema.properties ?? {})];
      };
      return Object.fromEntries(Object.entries(tools).map(names));
    },
    async call(name, args) {
      const result = await tools[name].execute(args, {});
      const text = result.content?.[0].text ?? result.message ?? JSON.stringify(result);
      return { text, flagged: Boolean(result.isError ?? result.error) };
    },
    close: () => client.disconnect(),
  };
});
