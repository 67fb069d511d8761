// Watches the sandbox's dashboard in headless Chromium while calls are made, and prints what was seen as one JSON line.
//
// argument: {"browser": path, "url": …, "shots": directory, "calls": [{"url", "bearer"}…], "expect": text}

import { observe, open } from "./steps.mjs";

const SIZES = { desktop: { width: 1280, height: 900 }, mobile: { width: 390, height: 844 } };
const SCHEMES = ["light", "dark"];

async function call(order) {
  for (const { url, bearer } of order.calls) await fetch(url, { headers: { Authorization: `Bearer ${bearer}` } });
}

async function opened(browser, order, seen, size, scheme) {
  const options = { viewport: SIZES[size], colorScheme: scheme };
  const page = await open(browser, order.url, seen.console, (url) => seen.requests.push(url.pathname), options);
  await page.getByRole("status").getByText("Live", { exact: true }).waitFor();
  return page;
}

const texts = (page) => page.locator("#rows tr:visible").evaluateAll((rows) => rows.map((row) => row.innerText));

async function live(page, order, seen) {
  seen.before = await texts(page);
  await call(order);
  await page.getByText(order.expect).first().waitFor();
  seen.after = await texts(page);
}

async function grouped(page, order, seen) {
  const members = page.locator("#rows tr.member:visible");
  seen.collapsed = await members.count();
  await page.getByRole("button", { name: "list_budgets" }).click();
  seen.expanded = await members.evaluateAll((rows) => rows.map((row) => row.innerText));
  await page.getByRole("button", { name: "list_budgets" }).click();
}

async function copied(page, order, seen) {
  await page.locator("#users button", { hasText: "Copy" }).first().click();
  await page.locator("#users").getByText("Copied", { exact: true }).waitFor();
  seen.copied = await page.evaluate(() => navigator.clipboard.readText());
}

async function filtered(page, order, seen) {
  const box = page.getByRole("searchbox", { name: "Filter calls" });
  await box.fill("viewer 403");
  seen.filtered = await texts(page);
  await box.fill("no such call");
  seen.nothing = await page.locator("#none").innerText();
  await box.fill("");
  const token = page.locator("#users .print").first();
  await token.click();
  seen.byToken = await texts(page);
  await token.click();
}

async function paused(page, order, seen) {
  await page.getByRole("button", { name: "Pause" }).click();
  const before = await page.locator("#rows tr").count();
  await call(order);
  await page.getByRole("button", { name: `Resume (${order.calls.length})` }).waitFor();
  const during = await page.locator("#rows tr").count();
  await page.getByRole("button", { name: "Resume" }).click();
  seen.paused = [before, during, await page.locator("#rows tr").count()];
}

async function bounded(page, order, seen) {
  for (let round = 0; round * order.calls.length < 230; round += 1) await call(order);
  const end = { ...order, calls: [{ ...order.calls[0], url: `${order.calls[0].url}?round=last` }] };
  await call(end);
  await page.getByText("?round=last").first().waitFor();
  seen.rows = await page.locator("#rows tr").count();
}

await observe({ console: [], violations: [], requests: [], looks: [] }, async (browser, order, seen) => {
  const page = await opened(browser, order, seen, "desktop", "light");
  for (const step of [live, grouped, copied, filtered, paused]) await step(page, order, seen);
  for (const size of Object.keys(SIZES)) for (const scheme of SCHEMES) {
    const other = await opened(browser, order, seen, size, scheme);
    await other.screenshot({ path: `${order.shots}/dashboard-${size}-${scheme}.png`, fullPage: true });
    seen.looks.push({
      size, scheme,
      overflow: await other.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
      sideways: await other.evaluate(() => { const box = document.querySelector(".scroll"); return box.scrollWidth - box.clientWidth; }),
    });
    seen.violations.push(...await other.evaluate(() => violations));
    await other.context().close();
  }
  await bounded(page, order, seen);
  seen.text = await page.locator("body").innerText();
  seen.html = await page.content();
  seen.violations.push(...await page.evaluate(() => violations));
});
