// Uses the page /try in headless Chromium, and prints what was seen as one JSON line.
//
// argument: {"browser": path, "url": …, "tools": [names to call with their examples], "viewer": email address}

import { observe, open } from "./steps.mjs";

async function opened(browser, order, seen) {
  const page = await open(browser, order.url, seen.console, (url) => seen.hosts.push(url.host));
  await page.locator("#run:enabled").waitFor();
  return page;
}

// Chooses a tool, calls it with what the form holds, and returns the state, the JSON and the text.
async function called(page, tool) {
  await page.evaluate((hash) => { location.hash = hash; }, tool);
  await page.locator("#tool-name", { hasText: new RegExp(`^${tool}$`) }).waitFor();
  await page.locator("#run:enabled").click();
  await page.locator("#answer:visible").waitFor();
  const state = await page.locator("#state").innerText();
  await page.getByRole("button", { name: "JSON", exact: true }).click();
  const json = await page.locator("#answer").innerText();
  await page.getByRole("button", { name: "Text", exact: true }).click();
  return { tool, state, json, text: await page.locator("#answer").innerText() };
}

// The picture of a tool: what it shows, a selection in it, full screen and the file with its figures.
async function pictured(page, tool) {
  await called(page, tool);
  await page.getByRole("button", { name: "Picture", exact: true }).click();
  const view = page.frameLocator("iframe.picture");
  await view.getByRole("heading", { level: 1 }).waitFor();
  await view.locator("table").first().waitFor();
  const shown = await view.locator("body").innerText();
  await view.getByRole("button", { name: "Amazon Elastic Compute Cloud" }).first().click();
  await view.getByText("Back to").waitFor();
  const selected = await view.locator("body").innerText();
  await view.getByRole("button", { name: "Full screen" }).click();
  const download = page.waitForEvent("download");
  await view.getByRole("button", { name: "CSV" }).click();
  const file = (await download).suggestedFilename();
  await page.locator("iframe.picture.full").waitFor();
  await view.getByRole("button", { name: "Close full screen" }).click();
  await page.locator("iframe.picture:not(.full)").waitFor();
  const { height, origin } = await view.locator("body").evaluate((body) => ({ height: innerHeight - body.scrollHeight, origin }));
  return { shown, selected, file, height, origin };
}

async function searched(page, words) {
  await page.getByRole("searchbox", { name: "Find a tool" }).fill(words);
  const titles = await page.locator(".tool:visible").allInnerTexts();
  const count = await page.locator("#count").innerText();
  await page.getByRole("searchbox", { name: "Find a tool" }).fill("");
  return { titles, count };
}

async function curl(page) {
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

await observe({ console: [], hosts: [], answers: [] }, async (browser, order, seen) => {
  const page = await opened(browser, order, seen);
  seen.groups = await page.locator("#tools h3").allInnerTexts();
  seen.search = await searched(page, "budget suggestion");
  seen.nothing = await searched(page, "no such tool");
  for (const tool of order.tools) seen.answers.push(await called(page, tool));
  seen.picture = await pictured(page, "cost_breakdown");
  await called(page, "list_dimensions");
  seen.textOnly = await page.locator("#views button:visible").allInnerTexts();
  await called(page, "cost_breakdown");
  await page.getByLabel("groupBy").fill("it's");
  seen.curl = await curl(page);
  await called(page, "run_query");
  await page.locator("textarea").first().fill("{");
  await page.locator("#run").click();
  seen.invalid = await page.locator(".problem:visible").allInnerTexts();
  await page.getByRole("combobox", { name: "User" }).selectOption({ label: order.viewer });
  await page.locator("#run:enabled").waitFor();
  seen.refused = await called(page, "list_invoices");
  seen.violations = await page.evaluate(() => violations);
});
