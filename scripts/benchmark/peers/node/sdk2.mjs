// Peer: version 2 of the TypeScript SDK (packages server, node and express).
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createMcpExpressApp, requireBearerAuth } from '@modelcontextprotocol/express';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer, fromJsonSchema } from '@modelcontextprotocol/server';
import { auth, callTool, identity, listening, sse, stateful, tools, verifier } from './common.mjs';

const schemas = tools.map((tool) => fromJsonSchema(tool.inputSchema));

function server() {
  const made = new McpServer(identity);
  tools.forEach(({ name, description }, at) => {
    made.registerTool(name, { description, inputSchema: schemas[at] }, (args) => callTool(name, args));
  });
  return made;
}

const handle = stateful(async (keep) => {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: !sse,
    onsessioninitialized: (id) => keep(transport, id),
  });
  await server().connect(transport);
  return transport;
});

const app = createMcpExpressApp();
const guard = auth ? [requireBearerAuth({ verifier, requiredScopes: ['mcp:tools'] })] : [];
app.all('/mcp', ...guard, handle);
createServer(app).listen(listening);
