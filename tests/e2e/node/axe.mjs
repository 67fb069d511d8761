// Checks pages with axe-core at each width, in light and dark, and prints the problems as one JSON line.
//
// argument: {"browser": path, "shots": directory, "widths": […], "pages": [{"name", "url", "steps": see steps.mjs}]}

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch, step } from "./steps.mjs";

const AXE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const SCHEMES = ["light", "dark"];

// Runs in the page: what is wider than the window, if there is a horizontal scroll bar.
function wide() {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const found = [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > clientWidth);
  return found.map((each) => `${each.tagName}.${each.className}`).slice(0, 8);
}

// Opens a page once, and checks it at every width, in light and dark.
async function check(browser, order, { name, url, steps = [] }) {
  const context = await browser.newContext({ viewport: { width: order.widths[0], height: 800 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const messages = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) messages.push(message.text()); });
  page.on("pageerror", (error) => messages.push(String(error)));
  await page.goto(url, { waitUntil: "load" });
  for (const each of steps) await step(page, each);
  // Details that share a name close each other: all of them open shows all of their content at once.
  await page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.name = ""; each.open = true; }));
  await page.evaluate(AXE);
  const looks = [];
  for (const width of order.widths) for (const scheme of SCHEMES) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    looks.push({ name, width, scheme, ...await look(page), console: messages.splice(0) });
    await page.screenshot({ path: `${order.shots}/axe-${name}-${width}-${scheme}.png`, fullPage: true });
  }
  await context.close();
  return looks;
}

// Frames on these pages are views, which tests/browser checks.
async function look(page) {
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], iframes: false }));
  return {
    violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).slice(0, 5).join(" ")}`),
    overflow: await page.evaluate(wide),
  };
}

const order = JSON.parse(process.argv[2]);
const browser = await launch(order.browser);
const report = [];
try {
  for (const page of order.pages) report.push(...await check(browser, order, page));
  console.log(JSON.stringify(report));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  await browser.close();
}
