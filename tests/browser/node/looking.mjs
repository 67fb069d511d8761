// What a host or a user does, step by step, and what the view then looks like.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

// A view whose frame has another height after this time fails the test.
const SETTLE_MS = 5_000;
const AXE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

// step: {"input" | "partial" | "result" | "cancel" | "context" | "teardown" | "call": what to send}
//   | {"read": name of a tool, whose view the server returns} | {"time": result} | {"press": name of a control} | {"key": key} | {"expect": text} | {"gone": text}
//   | {"evaluate": code in the frame} | {"look": name} | {"shoot": path} | {"compare": path of a picture}
export async function take(page, frame, order, seen, step) {
  const [[kind, value]] = Object.entries(step);
  if (kind === "time") {
    seen.drawMilliseconds = await page.evaluate((result) => timeResult(result), value);
    return;
  }
  if (kind === "read") {
    seen.view = await page.evaluate((name) => readView(name), value);
    return;
  }
  if (kind === "press") {
    // A frame that is being resized can lose the click.
    await settle(page, frame);
    return frame.getByRole("button", { name: value }).first().click();
  }
  if (kind === "key") return page.keyboard.press(value);
  if (kind === "expect") return frame.getByText(value).filter({ visible: true }).first().waitFor();
  if (kind === "gone") return frame.getByText(value).first().waitFor({ state: "hidden" });
  if (kind === "evaluate") {
    seen.evaluated.push(await frame.evaluate(value));
    return;
  }
  if (kind === "shoot") return shoot(page, frame, value);
  if (kind === "compare") {
    seen.differences[value] = await compare(page, frame, value);
    return;
  }
  if (kind === "look") {
    await settle(page, frame);
    seen.looks[value] = await look(page, frame);
    return;
  }
  await page.evaluate(([name, sent]) => send[name](sent), [kind, value]);
  // A view that was torn down does not answer, neither now nor to later steps.
  seen.closed ||= kind === "teardown";
  if (!seen.closed) await page.evaluate(() => handled());
}

// Waits until the frame has the height that the view asks for, which arrives as a message.
async function settle(page, frame) {
  const legacy = await frame.evaluate(() => Boolean(window.openai));
  if (legacy) return;
  const deadline = Date.now() + SETTLE_MS;
  let fits = false;
  while (!fits && Date.now() < deadline) {
    const height = await frame.evaluate(() => new Promise((resolve) => {
      const view = document.getElementById("view");
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(Math.ceil(view.getBoundingClientRect().height))));
    }));
    fits = (await page.locator("iframe").evaluate((element) => element.clientHeight)) === height;
  }
}

async function shoot(page, frame, path) {
  await settle(page, frame);
  await page.locator("iframe").screenshot({ path, animations: "disabled" });
}

// The share of pixels that differ from those of a picture: 1 if it has another size.
async function compare(page, frame, path) {
  await settle(page, frame);
  const shown = await page.locator("iframe").screenshot({ animations: "disabled" });
  const stored = await readFile(path);
  return page.evaluate(differing, [shown, stored].map((bytes) => `data:image/png;base64,${bytes.toString("base64")}`));
}

// Runs in the host page. Rasterizers differ in the edges of letters by a little.
async function differing(urls) {
  const MAX_CHANNEL_DIFFERENCE = 48;
  const [one, other] = await Promise.all(urls.map(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  }));
  if (one.width !== other.width || one.height !== other.height) return 1;
  let count = 0;
  for (let at = 0; at < one.data.length; at += 4) {
    const differs = [0, 1, 2].some((channel) => Math.abs(one.data[at + channel] - other.data[at + channel]) > MAX_CHANNEL_DIFFERENCE);
    count += differs ? 1 : 0;
  }
  return count / (one.width * one.height);
}

async function look(page, frame) {
  await frame.evaluate(AXE);
  const found = await frame.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const inside = await frame.evaluate(inspect);
  return {
    ...inside,
    frameHeight: await page.locator("iframe").evaluate((element) => element.clientHeight),
    axe: found.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map((node) => node.html.slice(0, 200)).join(" ")}`),
  };
}

// Runs in the view.
function inspect() {
  const { scrollWidth, clientWidth } = document.documentElement;
  const shown = [...document.body.querySelectorAll("*")].filter((each) => each.checkVisibility());
  const outside = scrollWidth <= clientWidth ? [] : shown.filter((each) => each.getBoundingClientRect().right > clientWidth + 0.5);
  const cells = (row) => [...row.cells].map((cell) => cell.innerText.trim());
  return {
    text: document.body.innerText,
    dir: document.documentElement.dir,
    lang: document.documentElement.lang,
    busy: document.getElementById("view").getAttribute("aria-busy"),
    status: document.getElementById("status").textContent,
    background: getComputedStyle(document.body).backgroundColor,
    color: getComputedStyle(document.body).color,
    elements: document.body.querySelectorAll("*").length,
    contentHeight: Math.ceil(document.getElementById("view").getBoundingClientRect().height),
    buttons: shown.filter((each) => each.matches("button")).map((each) => each.innerText.trim()),
    links: document.querySelectorAll("a[href], img, iframe, object, embed, form").length,
    tables: [...document.querySelectorAll("table")].map((table) => [...table.rows].map(cells)),
    titles: [...document.querySelectorAll("svg title")].map((title) => title.textContent),
    // Where each bar begins and how long it is, in percent of its axis.
    bars: [...document.querySelectorAll(".bar")].map((bar) =>
      [bar.className, ...["--start", "--size"].map((name) => parseFloat(bar.style.getPropertyValue(name)))]),
    overflow: outside.map((each) => `${each.tagName}.${each.getAttribute("class") ?? ""}`).slice(0, 8),
    // What can be seen in full only by scrolling sideways.
    sideways: shown.filter((each) => each.scrollWidth > each.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(each).overflowX)).length,
    scrolling: shown.filter((each) => each.scrollHeight > each.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(each).overflowY)).length,
  };
}
