// Shows the view in a host page in headless Chromium, case by case.
//
// argument: path of the browser. Each line of the input is the path of an order, and each line of the output what was
// seen: {"id", "view": HTML, "shots": directory, "cases": [{"name", "width", "scheme", "capabilities", "context", "answers",
//   "host", "shown", "refused", "legacy", "live", "now", "steps"}]}

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { launch } from "./browser.mjs";
import { take } from "./looking.mjs";
import { hostPage, PROXY_PAGE } from "./pages.mjs";

// What hosts allow a view that declares no domains (MCP Apps, Host Behavior).
const VIEW_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
  + "connect-src 'none'; base-uri 'none'; form-action 'none'";
const HOST_PATH = "/test-host";
const VIEW_PATH = "/test-view";
const PROXY_PATH = "/test-proxy";
const LIMIT_MS = 15_000;

async function opened(browser, order, each, seen) {
  const html = await hostPage(each.host);
  const context = await browser.newContext({
    // Higher than all pictures: Playwright resizes a smaller window to capture them, and the capture can be off.
    viewport: { width: each.width, height: 1_600 }, colorScheme: each.scheme, reducedMotion: "reduce",
  });
  context.setDefaultTimeout(LIMIT_MS);
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (each.now) await context.addInitScript(moveClock, each.now);
  if (each.legacy) await context.addInitScript(legacyGlobals, each.legacy);
  const origin = each.live ? new URL(each.live.url).origin : "https://host.example";
  await context.route("**/*", (route) => {
    const url = new URL(route.request().url());
    if (url.pathname === HOST_PATH) return route.fulfill({ contentType: "text/html", body: html });
    const framed = { [VIEW_PATH]: order.view, [PROXY_PATH]: PROXY_PAGE }[url.pathname];
    if (framed) return route.fulfill({ contentType: "text/html", body: framed, headers: { "Content-Security-Policy": VIEW_POLICY } });
    if (each.live && url.origin === origin && url.pathname === "/mcp") return route.continue();
    seen.leaks.push(url.href);
    return route.abort();
  });
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.console.push(message.text()); });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  await page.goto(origin + HOST_PATH);
  await page.evaluate((options) => openView(options), { ...each, steps: undefined, frame: VIEW_PATH, proxy: PROXY_PATH, html: order.view });
  return page;
}

// The clock shows *now* when the page opens, and goes on from there.
function moveClock(now) {
  const read = Date.now;
  const offset = Date.parse(now) - read();
  Date.now = () => read() + offset;
}

// window.openai of ChatGPT, in the frame of the view only. Functions record their arguments.
function legacyGlobals({ globals, functions }) {
  if (window === window.top) return;
  window.openai = { ...globals, calls: [] };
  for (const [name, answer] of Object.entries(functions)) {
    window.openai[name] = async (...given) => {
      window.openai.calls.push([name, ...given]);
      return answer;
    };
  }
}

// The frame of the view, which is inside that of a proxy in some hosts.
async function viewFrame(page, host) {
  const isView = (frame) => Boolean(host === "mcp-ui" ? frame.parentFrame()?.parentFrame() : frame.parentFrame());
  const frame = page.frames().find(isView) ?? await page.waitForEvent("frameattached", { predicate: isView, timeout: LIMIT_MS });
  await frame.waitForSelector("#view", { state: "attached", timeout: LIMIT_MS });
  return frame;
}

async function show(browser, order, each) {
  const seen = { name: each.name, console: [], leaks: [], looks: {}, differences: {}, evaluated: [], problem: "" };
  const page = await opened(browser, order, each, seen);
  const frame = await viewFrame(page, each.host);
  try {
    for (const step of each.steps) await take(page, frame, order, seen, step);
    // What the last step made the view send has arrived then.
    if (each.host === "bridge" && !each.legacy && !seen.closed) await page.evaluate(() => handled());
  } catch (error) {
    seen.problem = `${String(error)}\n${(await frame.locator("body").innerText()).slice(0, 800)}`;
    await page.screenshot({ path: `${order.shots}/${each.name}-problem.png`, fullPage: true });
  }
  seen.received = await page.evaluate(() => receivedMessages());
  seen.violations = await frame.evaluate(() => violations);
  if (each.legacy) seen.calls = await frame.evaluate(() => window.openai.calls);
  await page.context().close();
  return seen;
}

const browser = await launch(process.argv[2]);
try {
  for await (const path of createInterface({ input: process.stdin })) {
    const order = JSON.parse(await readFile(path, "utf8"));
    const report = [];
    for (const each of order.cases) report.push(await show(browser, order, each));
    console.log(JSON.stringify({ id: order.id, seen: report }));
  }
} catch (error) {
  console.error(error.stack ?? String(error));
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
