// Plays a person in headless Chromium: opens an address, does what the order says, prints what was seen as one JSON line.
//
// argument: {"browser": path, "url": …, "width", "height", "scheme": "light"|"dark", "steps": [
//   {"fill": label, "with": text} | {"choose": label, "option": value} | {"press": button name} | {"expect": text} |
//   {"reach": start of an address} | {"shoot": path}]}

import { chromium } from "playwright-core";

const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

async function step(page, order) {
  if (order.fill) return page.getByLabel(order.fill, { exact: true }).fill(order.with);
  if (order.choose) return page.getByRole("combobox", { name: order.choose }).selectOption(order.option);
  if (order.press) return page.getByRole("button", { name: order.press, exact: order.exact }).click();
  if (order.expect) return page.getByText(order.expect).first().waitFor();
  if (order.reach) return page.waitForURL((address) => address.href.startsWith(order.reach));
  return page.screenshot({ path: order.shoot, fullPage: true });
}

const order = JSON.parse(process.argv[2]);
const browser = await chromium.launch({ executablePath: order.browser, headless: true, chromiumSandbox: false, args: FLAGS });
const seen = { console: [], failed: [], statuses: [] };
try {
  const context = await browser.newContext({ viewport: { width: order.width, height: order.height }, colorScheme: order.scheme ?? "light" });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.console.push(message.text()); });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("requestfailed", (request) => seen.failed.push(`${request.method()} ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => seen.statuses.push([response.status(), response.url()]));
  await page.goto(order.url, { waitUntil: "load" });
  for (const each of order.steps) await step(page, each);
  seen.url = page.url();
  seen.title = await page.title();
  seen.text = await page.locator("body").innerText();
  // Wider than the window means a horizontal scroll bar.
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
} catch (error) {
  seen.error = String(error);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exitCode = seen.error ? 1 : 0;
