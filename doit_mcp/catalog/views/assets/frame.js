// The frame of every picture: title, headline, what the amounts are, the parts, notes and actions.
const MAX_INLINE_ACTIONS = 2;

// A picture: {title, headline, url, parts, deep, actions, switches, fullActions, sheet, isHatched}. *isHatched* says
// that it hatches what is not final, *url* is its page in the console, and *switches* what its costs are grouped by if
// users can choose that. Only full screen shows this choice, the parts that *deep* returns, the *fullActions*, and the
// buttons that save *sheet* (rows) and the picture.
function framed(answer, picture) {
  const isFull = isFullScreen();
  const parts = [...picture.parts, ...(isFull && picture.deep ? picture.deep() : [])];
  return [
    trail(),
    make(
      "header",
      {},
      make("h1", {}, phrase(picture.title)),
      headline(picture.headline),
      statementLine(answer, picture.url),
    ),
    isFull && picture.switches ? groupingSwitch(answer, picture.switches) : null,
    parts,
    notes(answer, picture, isFull),
    actionBar(answer, picture, isFull),
  ];
}

function headline(found) {
  if (!found) return null;
  const { value, change, detail } = found;
  return make(
    "p",
    "headline",
    make("strong", {}, value),
    change ? [" ", sentence(change)] : null,
    detail ? detailLine(phrase(detail)) : null,
  );
}

function statementLine(answer, url) {
  const texts = statement(answer);
  const open = url && can("open") ? openLink(url) : null;
  return texts.length || open
    ? make(
        "p",
        "statement",
        // The point before a part stands outside of its writing direction.
        texts.map((text) => make("span", {}, phrase(text))),
        open && make("span", {}, open),
      )
    : null;
}

// What is provisional or missing, and in full screen the time zones. The notes of an answer are for models.
function notes(answer, { isHatched }, isFull) {
  const provisional = provisionalText(answer);
  const others = missingTexts(answer);
  const zones = Object.entries(answer.set.basis?.timeZones ?? {});
  if (isFull && zones.length)
    others.push(`Days begin and end in ${zones.map(([cloud, zone]) => `${zone} (${nameLabel(cloud)})`).join(", ")}.`);
  if (!provisional && !others.length) return null;
  return make(
    "div",
    "notes",
    provisional ? make("p", {}, isHatched ? swatch("hatched") : null, phrase(provisional)) : null,
    others.map((text) => paragraph("", text)),
  );
}

function actionBar(answer, picture, isFull) {
  const more = [];
  if (picture.sheet) more.push(saveAction(statedSheet(answer, picture.sheet)), imageAction(picture));
  const offered = [...(picture.actions ?? []), ...(isFull ? [...(picture.fullActions ?? []), ...more] : [])].filter(
    ({ needs }) => !needs || can(needs),
  );
  const screen = ["resize", "save", "call"].some(can) ? [screenAction()] : [];
  const shown = isFull ? [...offered, ...screen] : [...offered.slice(0, MAX_INLINE_ACTIONS - screen.length), ...screen];
  return shown.length ? make("footer", {}, shown.map(actionButton)) : null;
}

// The way back from a part of the cost to the whole.
function trail() {
  if (!app.trail.length) return null;
  return make(
    "nav",
    { "aria-label": "Selection" },
    button(`Back to ${app.trail.at(-1).title}`, goBack, { class: "back", "data-key": "back" }),
  );
}
