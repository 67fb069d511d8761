// Peer: @modelcontextprotocol/sdk, version 1 of the TypeScript SDK, on Express; with --low on Node's HTTP server.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { auth, callTool, identity, legacy, listening, low, sse, stateful, tools, verifier } from './common.mjs';

const schemas = low ? [] : tools.map((tool) => z.fromJSONSchema(tool.inputSchema));

function server() {
  if (low) {
    const made = new Server(identity, { capabilities: { tools: {} } });
    made.setRequestHandler(ListToolsRequestSchema, async () => ({ tools }));
    made.setRequestHandler(CallToolRequestSchema, ({ params }) => callTool(params.name, params.arguments ?? {}));
    return made;
  }
  const made = new McpServer(identity);
  tools.forEach(({ name, description }, at) => {
    made.registerTool(name, { description, inputSchema: schemas[at] }, (args) => callTool(name, args));
  });
  return made;
}

const handle = stateful(async (keep) => {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: !sse,
    onsessioninitialized: (id) => keep(transport, id),
  });
  await server().connect(transport);
  return transport;
});

if (low) {
  createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  }).listen(listening);
} else {
  const app = createMcpExpressApp();
  const guard = auth ? [requireBearerAuth({ verifier, requiredScopes: ['mcp:tools'] })] : [];
  app.all('/mcp', ...guard, handle);
  if (legacy) {
    const streams = new Map();
    app.get('/sse', ...guard, async (request, response) => {
      const transport = new SSEServerTransport('/messages', response);
      streams.set(transport.sessionId, transport);
      response.on('close', () => streams.delete(transport.sessionId));
      await server().connect(transport);
    });
    app.post('/messages', ...guard, async (request, response) => {
      const transport = streams.get(request.query.sessionId);
      if (transport) await transport.handlePostMessage(request, response, request.body);
      else response.status(404).end();
    });
  }
  app.listen(listening);
}
