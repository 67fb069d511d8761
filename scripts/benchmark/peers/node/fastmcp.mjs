// Peer: fastmcp for Node. It serves both transports at the same time.
import { FastMCP, jsonSchemaAdapter } from 'fastmcp';
import { auth, identity, listenOptions, sse, textOf, tools, verifier } from './common.mjs';

const silent = () => {};
const logger = { debug: silent, info: silent, log: silent, warn: silent, error: console.error };

async function authenticate(request) {
  const [, token] = (request.headers.authorization ?? '').split(' ');
  try {
    return { caller: await verifier.verifyAccessToken(token) };
  } catch {
    throw new Response(null, { status: 401, statusText: 'Unauthorized' });
  }
}

const server = new FastMCP({ ...identity, logger, ping: { enabled: false }, ...(auth ? { authenticate } : {}) });
for (const { name, description, inputSchema } of tools) {
  const parameters = jsonSchemaAdapter(inputSchema);
  server.addTool({ name, description, parameters, execute: (args) => textOf(name, args) });
}
console.log = silent;
await server.start({
  transportType: 'httpStream',
  httpStream: { port: listenOptions.port, host: listenOptions.host, endpoint: '/mcp', enableJsonResponse: !sse },
});
