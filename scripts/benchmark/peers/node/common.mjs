// What the Node peers share: options, inputs, the check of tokens, the request upstream.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { jwtVerify } from 'jose';

const flag = { type: 'boolean', default: false };
const { values: given } = parseArgs({
  options: {
    port: { type: 'string' },
    inputs: { type: 'string' },
    tools: { type: 'string', default: '2' },
    'no-auth': flag,
    sse: flag,
    legacy: flag,
    low: flag,
  },
});
const input = (name) => readFileSync(join(given.inputs, name), 'utf8');
const places = JSON.parse(input('places.json'));
const key = createPublicKey(input('public.pem'));

export const listening = { port: Number(given.port), host: '127.0.0.1', backlog: 1024 };
export const auth = !given['no-auth'];
export const { sse, legacy, low } = given;
export const tools = JSON.parse(input('tools.json')).slice(0, Number(given.tools));
export const identity = { name: 'bench', version: '1.0.0' };

// Checks of a token what the other servers check of it.
export const verifier = {
  async verifyAccessToken(token) {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      issuer: places.issuer,
      audience: places.audience,
    });
    return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
  },
};

export async function textOf(name, args) {
  if (name !== 'fetch_report') return args.text;
  const address = `${places.upstream}?id=${encodeURIComponent(args.id)}`;
  const response = await fetch(address, { headers: { authorization: 'Bearer a-token-of-the-api' } });
  if (!response.ok) throw new Error(`upstream: ${response.status}`);
  return response.text();
}

export async function called(name, args) {
  return { content: [{ type: 'text', text: await textOf(name, args) }] };
}

// A handler of /mcp with a transport per session; `begin` makes a transport whose server is connected, and tells
// `keep` its id.
export function stateful(begin) {
  const sessions = new Map();
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let transport = id && sessions.get(id);
    if (id && !transport) {
      response.writeHead(404).end();
      return;
    }
    transport ??= await begin((made, name) => {
      sessions.set(name, made);
      made.onclose = () => sessions.delete(name);
    });
    await transport.handleRequest(request, response, request.body);
  };
}
