// Plays a person in headless Chromium: opens an address, does what the order says, prints what was seen as one JSON line.
//
// argument: {"browser": path, "url": …, "width", "height", "scheme": "light"|"dark", "steps": see steps.mjs}

import { observe, step } from "./steps.mjs";

await observe({ console: [], failed: [], statuses: [] }, async (browser, order, seen) => {
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
});
