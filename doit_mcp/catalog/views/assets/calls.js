// Calls tools for the user: a part of the cost, the way back, and what the model hears of it.
const MAX_TOLD_CHARACTERS = 1_000;

// Ask the same tool with other arguments. Until it answers, and if it fails, the old picture stays.
async function reslice(args, label, tool = app.answer.tool) {
  const before = app.answer;
  const key = document.activeElement?.getAttribute("data-key");
  const isDone = await whileBusy(`Loading ${label}`, async () => {
    const answer = await callTool(tool, args);
    const title = isEmpty(before) ? toolTitle(before.tool) : pictureOf(before).title;
    app.trail.push({ answer: before, title, key });
    Object.assign(app, { answer, all: false });
    say(`Showing ${label}.`);
  });
  if (isDone) await tellView(quoted(label));
}

function tellView(shown) {
  return tell(`The user is now viewing ${shown} in the picture: ${statement(app.answer, quoted).join(", ")}.`);
}

async function callTool(tool, args) {
  const answer = readAnswer(await perform("call", { name: tool, arguments: args }), tool, args);
  if (answer.failed) throw new Error(answer.text || "The tool returned an error.");
  return answer;
}

// Do one thing at a time, and say what. A failure is shown above the picture. Return whether it succeeded.
async function whileBusy(label, run) {
  if (app.busy || host.closed) return false;
  Object.assign(app, { busy: label, problem: "" });
  say(`${label} …`);
  render();
  try {
    await run();
    return true;
  } catch (error) {
    app.problem = `${label} failed: ${error.message}`;
    say(app.problem);
    return false;
  } finally {
    app.busy = "";
    render();
  }
}

function goBack() {
  const { answer, title, key } = app.trail.pop();
  Object.assign(app, { answer, problem: "" });
  say("");
  render();
  focusOn(key);
  tellView(quoted(title));
}

// Tell the model in one sentence what the user did in the picture. Names in *text* are quoted.
async function tell(text) {
  if (can("remember"))
    await attempt(() => perform("remember", { content: [{ type: "text", text: text.slice(0, MAX_TOLD_CHARACTERS) }] }));
}
