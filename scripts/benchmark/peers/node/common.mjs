// Options, inputs, token verification and the upstream request of the Node peers.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { jwtVerify } from 'jose';

const booleanOption = { type: 'boolean', default: false };
const { values: settings } = parseArgs({
  options: {
    port: { type: 'string' },
    inputs: { type: 'string' },
    tools: { type: 'string', default: '2' },
    'no-auth': booleanOption,
    sse: booleanOption,
    legacy: booleanOption,
    low: booleanOption,
  },
});
const readInput = (name) => readFileSync(join(settings.inputs, name), 'utf8');
const urls = JSON.parse(readInput('places.json'));
const key = createPublicKey(readInput('public.pem'));

export const listenOptions = { port: Number(settings.port), host: '127.0.0.1', backlog: 1024 };
export const auth = !settings['no-auth'];
export const { sse, legacy, low } = settings;
export const tools = JSON.parse(readInput('tools.json')).slice(0, Number(settings.tools));
export const identity = { name: 'bench', version: '1.0.0' };

// Performs the same token checks as the other servers.
export const verifier = {
  async verifyAccessToken(token) {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      issuer: urls.issuer,
      audience: urls.audience,
    });
    return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
  },
};

export async function textOf(name, args) {
  if (name !== 'fetch_report') return args.text;
  const address = `${urls.upstream}?id=${encodeURIComponent(args.id)}`;
  const response = await fetch(address, { headers: { authorization: 'Bearer a-token-of-the-api' } });
  if (!response.ok) throw new Error(`upstream: ${response.status}`);
  return response.text();
}

export async function callTool(name, args) {
  return { content: [{ type: 'text', text: await textOf(name, args) }] };
}

// A handler of /mcp with a transport per session. `createTransport` returns a connected transport, after passing it and
// its session id to the callback.
export function stateful(createTransport) {
  const sessions = new Map();
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let transport = id && sessions.get(id);
    if (id && !transport) {
      response.writeHead(404).end();
      return;
    }
    transport ??= await createTransport((created, sessionId) => {
      sessions.set(sessionId, created);
      created.onclose = () => sessions.delete(sessionId);
    });
    await transport.handleRequest(request, response, request.body);
  };
}
