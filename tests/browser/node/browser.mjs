// The browser of the tests.

import { chromium } from "playwright-core";

const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1", "--font-render-hinting=none"];

export function launch(executablePath) {
  return chromium.launch({ executablePath, headless: true, chromiumSandbox: false, args: FLAGS });
}
