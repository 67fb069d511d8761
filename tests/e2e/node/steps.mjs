// What a user does on a page, step by step, and the browser that the tests of pages use.

import { chromium } from "playwright-core";

const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export function launch(executablePath) {
  return chromium.launch({ executablePath, headless: true, chromiumSandbox: false, args: FLAGS });
}

// Runs *work* with a browser, the order of the command line and *seen*, then prints *seen* as one JSON line. An error is
// its member `error`.
export async function observe(seen, work) {
  const order = JSON.parse(process.argv[2]);
  const browser = await launch(order.browser);
  try {
    await work(browser, order, seen);
  } catch (error) {
    seen.error = String(error);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(seen));
  process.exitCode = seen.error ? 1 : 0;
}

// Opens a page that can use the clipboard. Its errors and warnings are added to *messages*; violations of the Content
// Security Policy are in the page's own `violations`. *onRequest* gets the address of each request.
export async function open(browser, url, messages, onRequest, options = {}) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  context.setDefaultTimeout(20_000);
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) messages.push(message.text()); });
  page.on("pageerror", (error) => messages.push(String(error)));
  page.on("request", (request) => onRequest(new URL(request.url())));
  await page.goto(url, { waitUntil: "load" });
  return page;
}

// order: {"fill": label, "with": text} | {"choose": label, "option": value} | {"press": button name, "exact"} |
//   {"expect": text} | {"open": text of a summary} | {"reach": start of an address} | {"shoot": path}
export async function step(page, order) {
  if (order.fill) return page.getByLabel(order.fill, { exact: true }).fill(order.with);
  if (order.choose) return page.getByRole("combobox", { name: order.choose }).selectOption(order.option);
  if (order.press) return page.getByRole("button", { name: order.press, exact: order.exact }).first().click();
  if (order.expect) return page.getByText(order.expect).first().waitFor();
  if (order.open) return page.locator("summary", { hasText: order.open }).first().click();
  if (order.reach) return page.waitForURL((address) => address.href.startsWith(order.reach));
  return page.screenshot({ path: order.shoot, fullPage: true });
}
