"use strict";
// Shows the answer as a picture: a small host of MCP Apps, whose view runs in a frame without an origin.
const VIEW_PATH = "/try/view";
const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;

let picture = null; // the picture shown: {frame, tool, args, result, mode}

function hasPicture(value) {
  return Boolean(tool?._meta?.ui?.resourceUri) && !value?.isError;
}

function showPicture(value, args) {
  const frame = make("iframe", "picture");
  frame.title = "Picture of the answer";
  frame.sandbox = "allow-scripts";
  frame.src = VIEW_PATH;
  picture = { frame, tool, args, result: value, mode: "inline" };
  return frame;
}

function tell(message) {
  picture.frame.contentWindow?.postMessage({ jsonrpc: "2.0", ...message }, "*");
}

function theme() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// The result of ui/initialize (MCP Apps 2026-01-26).
function hostDescription() {
  return {
    protocolVersion: "2026-01-26",
    hostInfo: { name: "doit-mcp-sandbox", version: "1" },
    hostCapabilities: { serverTools: {}, openLinks: {}, downloadFile: {} },
    hostContext: {
      toolInfo: { tool: picture.tool },
      theme: theme(),
      locale: navigator.language,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      displayMode: picture.mode,
      availableDisplayModes: ["inline", "fullscreen"],
    },
  };
}

function setMode(mode) {
  picture.mode = mode === "fullscreen" ? mode : "inline";
  picture.frame.classList.toggle("full", picture.mode === "fullscreen");
  tell({ method: "ui/notifications/host-context-changed", params: { displayMode: picture.mode } });
  return { mode: picture.mode };
}

function openLink({ url }) {
  if (!/^https?:$/.test(new URL(url).protocol)) return { isError: true };
  window.open(url, "_blank", "noopener");
  return {};
}

function saveFile({ contents }) {
  for (const { resource } of contents.filter((each) => typeof each.resource?.text === "string")) {
    const link = make("a", "");
    link.href = URL.createObjectURL(new Blob([resource.text], { type: resource.mimeType }));
    link.download = resource.uri.split("/").at(-1);
    link.click();
    URL.revokeObjectURL(link.href);
  }
  return {};
}

// What the view can ask for, by method. There is no model here, so nothing answers questions.
const PICTURE_REQUESTS = {
  ping: () => ({}),
  "ui/initialize": hostDescription,
  "ui/open-link": openLink,
  "ui/download-file": saveFile,
  "ui/request-display-mode": ({ mode }) => setMode(mode),
  "tools/call": (params) => request(ALL_TOOLS, "tools/call", params),
};

function hear({ method, params }) {
  if (method === "ui/notifications/size-changed" && params.height > 0) picture.frame.style.height = `${Math.ceil(params.height)}px`;
  if (method !== "ui/notifications/initialized") return;
  tell({ method: "ui/notifications/tool-input", params: { arguments: picture.args } });
  tell({ method: "ui/notifications/tool-result", params: picture.result });
}

async function answerPicture({ id, method, params }) {
  const shown = picture;
  const respond = (members) => shown === picture && tell({ id, ...members });
  const handler = Object.hasOwn(PICTURE_REQUESTS, method) ? PICTURE_REQUESTS[method] : null;
  if (!handler) return respond({ error: { code: METHOD_NOT_FOUND, message: `${method} is not supported` } });
  try {
    respond({ result: await handler(params ?? {}) });
  } catch (error) {
    respond({ error: { code: INTERNAL_ERROR, message: error.message } });
  }
}

addEventListener("message", ({ source, data }) => {
  if (!picture || source !== picture.frame.contentWindow || data?.jsonrpc !== "2.0" || !data.method) return;
  if (data.id === undefined) hear(data);
  else answerPicture(data);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (picture) tell({ method: "ui/notifications/host-context-changed", params: { theme: theme() } });
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && picture?.mode === "fullscreen") setMode("inline");
});
