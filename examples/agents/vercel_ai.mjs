// Tools for the Vercel AI SDK (npm install ai @ai-sdk/mcp).

import { createMCPClient } from "@ai-sdk/mcp";

const url = process.env.DOIT_MCP_URL ?? "http://127.0.0.1:8080/mcp";
const token = process.env.DOIT_API_KEY ?? "sandbox-api-token-acme-admin";

const client = await createMCPClient({ transport: { type: "http", url, headers: { Authorization: `Bearer ${token}` } } });
try {
  // Pass tools to generateText or streamText. This calls a tool without a model.
  const tools = await client.tools();
  console.log(`${Object.keys(tools).length} tools`);
  console.log(JSON.stringify(await tools.cost_trend.execute({ months: 3 }, { toolCallId: "1", messages: [] })));
} finally {
  await client.close();
}
