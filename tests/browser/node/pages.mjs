// The pages of the hosts, with their scripts in one bundle each.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const STYLE = "html { color-scheme: light dark; background: Canvas } body { margin: 0 } "
  + "iframe { display: block; width: 100%; height: 150px; border: 0 }";
const PROXY_STYLE = "html, body, iframe { display: block; width: 100%; height: 100%; margin: 0; border: 0 }";

async function bundle(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}

function page(style, body, script) {
  return `<!doctype html><html lang="en"><title>Host</title><style>${style}</style><body>${body}<script>${script}</script>`;
}

// Between the host and the view, on another origin in real hosts: it passes messages on (MCP Apps, Sandbox proxy).
function relay() {
  const view = document.querySelector("iframe");
  addEventListener("message", ({ source, data }) => {
    if (source === view.contentWindow) window.parent.postMessage(data, "*");
    else if (data?.method === "ui/notifications/sandbox-resource-ready") view.srcdoc = data.params.html;
    else if (source === window.parent) view.contentWindow.postMessage(data, "*");
  });
  window.parent.postMessage({ jsonrpc: "2.0", method: "ui/notifications/sandbox-proxy-ready", params: {} }, "*");
}

export const PROXY_PAGE = page(PROXY_STYLE, '<iframe title="View" sandbox="allow-scripts"></iframe>', `(${relay})()`);

// The page of each host, by its name; made when it is first needed.
const pages = new Map();

export function hostPage(host) {
  if (!pages.has(host)) {
    pages.set(host, host === "mcp-ui"
      ? bundle("mcp_ui.js").then((script) => page(STYLE, '<div id="host"></div>', script))
      : bundle("host.js").then((script) => page(STYLE, '<iframe title="View" sandbox="allow-scripts"></iframe>', script)));
  }
  return pages.get(host);
}
