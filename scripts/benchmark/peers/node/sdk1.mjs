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
import { auth, callTool, identity, legacy, listenOptions, low, sse, stateful, tools, verifier } from './common.mjs';

const schemas = low ? [] : tools.map((tool) => z.fromJSONSchema(tool.inputSchema));

function makeServer() {
  if (low) {
    const server = new Server(identity, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => callTool(params.name, params.arguments ?? {}));
    return server;
  }
  const server = new McpServer(identity);
  tools.forEach(({ name, description }, at) => {
    server.registerTool(name, { description, inputSchema: schemas[at] }, (args) => callTool(name, args));
  });
  return server;
}

const handle = stateful(async (register) => {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: !sse,
    onsessioninitialized: (id) => register(transport, id),
  });
  await makeServer().connect(transport);
  return transport;
});

if (low) {
  createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  }).listen(listenOptions);
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
      await makeServer().connect(transport);
    });
    app.post('/messages', ...guard, async (request, response) => {
      const transport = streams.get(request.query.sessionId);
      if (transport) await transport.handlePostMessage(request, response, request.body);
      else response.status(404).end();
    });
  }
  app.listen(listenOptions);
}
