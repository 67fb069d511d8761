// Lets a driver follow orders: JSON lines on standard input, one JSON answer each on standard output.
//
// A driver passes a function to serve. It connects a framework and returns {tools, call, close}: tools() has the names
// of the arguments of each converted tool, and call(tool, arguments) has {text, flagged}, as a model receives them.

import { createInterface } from "node:readline";
import { signIns } from "./sign_in.mjs";

// The revision that the client states in its headers; before 2025-06-18 only the answer to initialize has it.
let revision = null;
const send = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  revision = new Headers(options?.headers).get("mcp-protocol-version") ?? revision;
  const response = await send(url, options);
  if (/"method":"initialize"/.test(options?.body)) {
    revision = /"protocolVersion":"([^"]+)"/.exec(await response.clone().text())?.[1] ?? revision;
  }
  return response;
};

export function bearer(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function follow(connected, order) {
  if (order.list) return { tools: await connected.tools() };
  try {
    const { text, flagged } = await connected.call(order.call, order.arguments);
    return { text, seen: flagged ? "flagged" : "returned" };
  } catch (error) {
    return { text: String(error), seen: "raised" };
  }
}

export async function serve(connect) {
  const [, , url, token] = process.argv;
  const connected = await connect(url, token);
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await follow(connected, JSON.parse(line));
    process.stdout.write(`${JSON.stringify({ ...answer, revision, sign_ins: signIns.count })}\n`);
  }
  await connected.close();
}
