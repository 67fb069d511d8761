"use strict";
// Copies what stands beside a button. Without this script the buttons stay hidden and the text can be selected.
const SHOWN_MS = 2000;
const said = document.getElementById("said");
let undo = () => {};

function selected(code) {
  // The clipboard interface exists on https and on loopback only; elsewhere the older command does the same.
  const range = document.createRange();
  range.selectNodeContents(code);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}

async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    return selected(code);
  }
}

function tell(button, done) {
  const word = button.querySelector(".word");
  word.textContent = done ? "Copied" : "Select and copy";
  said.textContent = done ? "Copied to the clipboard" : "Could not copy; the text is selected";
  button.classList.toggle("done", done);
  const timer = setTimeout(() => undo(), SHOWN_MS);
  undo = () => {
    clearTimeout(timer);
    word.textContent = "Copy";
    said.textContent = "";
    button.classList.remove("done");
    undo = () => {};
  };
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copied(button.parentElement.querySelector("code"));
    undo();
    tell(button, done);
  });
}

// Each client has an address: #chatgpt opens its section, and opening a section puts it in the address bar.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.scrollIntoView();
}

for (const summary of document.querySelectorAll(".clients summary")) {
  summary.addEventListener("click", () => {
    const client = summary.parentElement;
    history.replaceState(null, "", client.open ? location.pathname + location.search : `#${client.id}`);
  });
}
addEventListener("hashchange", openTarget);
openTarget();
