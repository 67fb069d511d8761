// Subscribes to events with the AI SDK, receives them over https with its webhook handler, and prints what came as JSON
// lines. After the last event, it refreshes the subscription and ends it.
//
// argument: {"url": …, "token": …, "certificate": file, "key": file, "name": …, "arguments": {…}, "events": number}

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createMCPClient, experimental_createMCPEventWebhook as createMCPEventWebhook } from "@ai-sdk/mcp";

const order = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

class Store {
  #kept = new Map();
  async get(key) { return this.#kept.get(key); }
  async getById(id) { return [...this.#kept.values()].find((each) => each.id === id); }
  async set(subscription) { this.#kept.set(subscription.key, subscription); }
  async update(key, patch) { this.#kept.set(key, { ...this.#kept.get(key), ...patch }); }
  async delete(key) { this.#kept.delete(key); }
}

const store = new Store();
let left = order.events;
let finish;
const finished = new Promise((resolve) => { finish = resolve; });
const receive = createMCPEventWebhook({
  store,
  onEvent: async ({ event, subscription }) => {
    say({ event, id: subscription.id });
    left -= 1;
    if (left === 0) finish();
  },
  onError: (error) => say({ error: String(error) }),
});

const server = createServer({ cert: readFileSync(order.certificate), key: readFileSync(order.key) }, async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const url = `https://localhost${incoming.url}`;
  const response = await receive(new Request(url, { method: incoming.method, headers: incoming.headers, body: Buffer.concat(chunks) }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const client = await createMCPClient({
  transport: { type: "http", url: order.url, headers: { Authorization: `Bearer ${order.token}` } },
  experimental_events: { store },
});
const events = client.experimental_events;
const listed = await events.list();
say({ listed: listed.events.map((each) => each.name) });
const granted = await events.subscribe({
  name: order.name,
  arguments: order.arguments,
  delivery: { mode: "webhook", url: `https://localhost:${server.address().port}/hook` },
});
say({ granted });
await finished;
// The handler's answer to the last event must be sent before its subscription changes.
await new Promise((resolve) => setTimeout(resolve, 200));
say({ refreshed: await events.refresh({ id: granted.id }) });
await events.unsubscribe({ id: granted.id });
say({ unsubscribed: true });
await client.close();
server.close();
server.closeAllConnections();
