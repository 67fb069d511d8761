// Runs in another host page: shows the view with the React component of @mcp-ui/client.

import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { AppRenderer } from "@mcp-ui/client";

const received = [];

// Returns a function that records what the view asks for, and answers with *result*.
function recording(method, result = () => ({})) {
  return async (params) => {
    received.push({ method, params });
    return result(params);
  };
}

globalThis.openView = async (order) => {
  const answers = structuredClone(order.answers ?? {});
  createRoot(document.getElementById("host")).render(createElement(AppRenderer, {
    toolName: order.tool,
    html: order.html,
    sandbox: { url: new URL(order.proxy, location.href) },
    toolInput: order.shown.input,
    toolResult: order.shown.result,
    hostContext: order.context,
    hostCapabilities: order.capabilities,
    onCallTool: recording("tools/call", ({ name }) => answers[name].shift()),
    onMessage: recording("ui/message"),
    onOpenLink: recording("ui/open-link"),
    onError: (error) => console.error(error),
  }));
};

globalThis.receivedMessages = () => received;
