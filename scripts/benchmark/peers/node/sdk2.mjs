// Peer: version 2 of the TypeScript SDK (packages server, node and express).
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createMcpExpressApp, requireBearerAuth } from '@modelcontextprotocol/express';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer, fromJsonSchema } from '@modelcontextprotocol/server';
import { auth, callTool, identity, listenOptions, sse, stateful, tools, verifier } from './common.mjs';

const schemas = tools.map((tool) => fromJsonSchema(tool.inputSchema));

function makeServer() {
  const server = new McpServer(identity);
  tools.forEach(({ name, description }, at) => {
    server.registerTool(name, { description, inputSchema: schemas[at] }, (args) => callTool(name, args));
  });
  return server;
}

const handle = stateful(async (register) => {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: !sse,
    onsessioninitialized: (id) => register(transport, id),
  });
  await makeServer().connect(transport);
  return transport;
});

const app = createMcpExpressApp();
const guard = auth ? [requireBearerAuth({ verifier, requiredScopes: ['mcp:tools'] })] : [];
app.all('/mcp', ...guard, handle);
createServer(app).listen(listenOptions);
