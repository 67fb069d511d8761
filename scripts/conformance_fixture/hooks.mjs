// Preloaded into the conformance suite: adds a token to its requests, and the one function that Node 20 lacks.
// Runs twice: as the preloaded module, and as the module loader hook that it registers.
import http from 'node:http';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const token = process.env.CONFORMANCE_TOKEN ?? '';
const origin = new URL(process.env.CONFORMANCE_URL ?? 'http://127.0.0.1').origin;
const bearer = `Bearer ${token}`;

const source = (code) => ({
  url: `data:text/javascript,${encodeURIComponent(code)}`,
  format: 'module',
  shortCircuit: true,
});

// The suite's bundle imports globSync by name, and undici's request instead of the global fetch.
const GLOB = `
  import fs from 'node:fs';
  export * from 'node:fs';
  export default fs;
  export const globSync = fs.globSync ?? (() => { throw new Error('not in this Node'); });
`;
const undici = (real) => `
  import { request as send } from ${JSON.stringify(real)};
  export * from ${JSON.stringify(real)};
  export const request = (url, options = {}) =>
    new URL(url).origin === ${JSON.stringify(origin)}
      ? send(url, { ...options, headers: { ...options.headers, Authorization: ${JSON.stringify(bearer)} } })
      : send(url, options);
`;

export async function resolve(specifier, context, next) {
  if (!(context.parentURL ?? '').includes('/conformance/dist/')) return next(specifier, context);
  if (specifier === 'fs') return source(GLOB);
  if (specifier === 'undici' && token) return source(undici((await next(specifier, context)).url));
  return next(specifier, context);
}

if (isMainThread) {
  register(import.meta.url);
  if (token) {
    const { fetch } = globalThis;
    globalThis.fetch = (input, init = {}) => {
      const request = new Request(input, init);
      if (new URL(request.url).origin === origin) request.headers.set('Authorization', bearer);
      return fetch(request);
    };
    const { request } = http;
    http.request = (options, ...rest) => {
      const here = options?.hostname && `http://${options.hostname}:${options.port}` === origin;
      if (here) options = { ...options, headers: { ...options.headers, Authorization: bearer } };
      return request(options, ...rest);
    };
  }
}
