// Uses the buttons for events on the sandbox's page, and prints what the page shows: {"made", "arrivals", "console"}.
//
// arguments: path of the browser, URL of the page, number of deliveries to wait for

import { launch } from "./browser.mjs";

const [executablePath, url, count] = process.argv.slice(2);
const LIMIT_MS = 60_000;
const KINDS = ["Anomaly", "Threshold", "Invoice", "Ticket"];

const browser = await launch(executablePath);
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const problems = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  await page.locator("#receiver-url").filter({ hasText: "https://" }).waitFor();
  const made = [];
  for (const kind of KINDS) {
    await page.getByRole("button", { name: kind, exact: true }).click();
    await page.locator("#made").filter({ hasText: `Made: ${kind.toLowerCase()} ` }).waitFor();
    made.push(await page.locator("#made").textContent());
  }
  const items = page.locator("#arrivals > li");
  await page.waitForFunction(
    (wanted) => [...document.querySelectorAll("#arrivals > li code")].filter((code) => JSON.parse(code.textContent).id).length >= wanted,
    Number(count),
  );
  const arrivals = await items.evaluateAll((rows) => rows.map((row) => ({
    name: row.querySelector(".strong").textContent,
    badge: row.querySelector(".badge").textContent,
    isGood: row.querySelector(".badge").classList.contains("ok"),
    body: JSON.parse(row.querySelector("code").textContent),
  })));
  process.stdout.write(JSON.stringify({ made, arrivals, console: problems }));
} finally {
  await browser.close();
}
