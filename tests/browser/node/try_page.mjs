// Calls a tool on the sandbox's page /try on a small screen, and prints what it shows: {"hints", "text", "console"}.
//
// arguments: path of the browser, URL of the page with the tool

import { launch } from "./browser.mjs";

const [executablePath, url] = process.argv.slice(2);
const LIMIT_MS = 30_000;
const SMALL = { width: 360, height: 640 };

const browser = await launch(executablePath);
try {
  const page = await browser.newPage({ viewport: SMALL });
  page.setDefaultTimeout(LIMIT_MS);
  const problems = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  await page.locator("#run:enabled").click();
  const view = page.locator("iframe.picture").contentFrame().locator("#view");
  await view.getByText("Top services").waitFor();
  const { height } = await view.boundingBox();
  // The view states its height when the browser draws it; until then, the frame has another one.
  await page.waitForFunction((wanted) => document.querySelector("iframe.picture").clientHeight >= wanted, height);
  const text = await view.innerText();
  const hints = await page.locator(".hint").allTextContents();
  process.stdout.write(JSON.stringify({ hints, text, console: problems }));
} finally {
  await browser.close();
}
