// Tools for a Mastra agent (npm install @mastra/core @mastra/mcp).

import { MCPClient } from "@mastra/mcp";

const url = new URL(process.env.DOIT_MCP_URL ?? "http://127.0.0.1:8080/mcp");
const token = process.env.DOIT_API_KEY ?? "sandbox-api-token-acme-admin";

const requestInit = { headers: { Authorization: `Bearer ${token}` } };
const client = new MCPClient({ servers: { doit: { url, requestInit } } });
try {
  // Pass tools to new Agent. This calls a tool without a model.
  const tools = await client.listTools();
  console.log(`${Object.keys(tools).length} tools`);
  console.log(JSON.stringify(await tools.doit_cost_trend.execute({ months: 3 }, {})));
} finally {
  await client.disconnect();
}
