// Reads the landing page in headless Chromium as its readers do, and prints what was seen as one JSON line.
//
// argument: {"browser": path, "url": …, "shots": directory}

import { observe, open } from "./steps.mjs";

const SIZES = { desktop: { width: 1280, height: 900 }, mobile: { width: 360, height: 740 } };
const SCHEMES = ["light", "dark"];

// Runs in the page: every piece of text whose contrast with what is behind it is under the AA minimum (WCAG 1.4.3).
function faint() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest(".hidden, .skip")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) found.push([walk.currentNode.data.trim().slice(0, 40), contrast]);
  }
  return found;
}

function opened(browser, order, seen, size, scheme) {
  const options = { viewport: SIZES[size], colorScheme: scheme };
  return open(browser, order.url, seen.console, (url) => seen.requests.push(url.href), options);
}

async function look(browser, order, seen, size, scheme) {
  const page = await opened(browser, order, seen, size, scheme);
  await page.screenshot({ path: `${order.shots}/page-${size}-${scheme}.png`, fullPage: true });
  // Details that share a name close each other: all of them open shows all of their text at once.
  await page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.name = ""; each.open = true; }));
  const shot = await page.screenshot({ path: `${order.shots}/page-${size}-${scheme}-open.png`, fullPage: true });
  seen.looks.push({
    size, scheme, bytes: shot.length,
    faint: await page.evaluate(faint),
    overflow: await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
    background: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
  });
  seen.violations.push(...await page.evaluate(() => violations));
  await page.context().close();
}

async function copyAll(page, seen) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.name = ""; each.open = true; }));
  for (const button of await page.locator(".copy").all()) {
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await button.click();
    await button.getByText("Copied", { exact: true }).waitFor();
    seen.copies.push({
      shown: await button.evaluate((each) => each.parentElement.querySelector("code").textContent),
      clipboard: await page.evaluate(() => navigator.clipboard.readText()),
      name: await button.evaluate((each) => each.textContent),
      said: await page.getByRole("status").textContent(),
    });
  }
}

async function copyWithoutClipboard(page, seen) {
  // What a browser offers on plain http: no clipboard interface, only the older command.
  await page.evaluate(() => {
    globalThis.kept = navigator.clipboard;
    Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
  });
  const button = page.locator(".copy").first();
  await button.click();
  await button.getByText("Copied", { exact: true }).waitFor();
  seen.older = await page.evaluate(() => kept.readText());
}

async function keyboard(page, seen) {
  const at = () => page.evaluate(() => {
    const { tagName, textContent } = document.activeElement;
    return `${tagName} ${textContent.replace(/\s+/g, " ").trim()}`.slice(0, 60);
  });
  for (let step = 0; step < 14; step += 1) {
    await page.keyboard.press("Tab");
    seen.focus.push(await at());
    if (step === 0) seen.skip = await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0);
  }
  const claude = page.locator("summary", { hasText: "Claude" }).first();
  await claude.focus();
  await page.keyboard.press("Enter");
  seen.open = await page.evaluate(() => [...document.querySelectorAll("details[open] > summary .name")].map((each) => each.textContent));
}

await observe({ console: [], violations: [], requests: [], looks: [], copies: [], focus: [] }, async (browser, order, seen) => {
  for (const size of Object.keys(SIZES)) for (const scheme of SCHEMES) await look(browser, order, seen, size, scheme);
  await keyboard(await opened(browser, order, seen, "desktop", "light"), seen);
  const page = await opened(browser, order, seen, "desktop", "light");
  await copyAll(page, seen);
  await copyWithoutClipboard(page, seen);
  seen.violations.push(...await page.evaluate(() => violations));
});
