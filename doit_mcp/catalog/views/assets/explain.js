// What changed: a waterfall, its causes, and what the change is in one line.

// Why the cost changed: one bar for each cause, to the left or right of zero.
function causeTable(answer, series, fall) {
  const causes = records(series).filter(({ part, amount }) => part === "change" && amount !== 0);
  causes.sort((a, b) => Math.abs(b.amount) - Math.abs(a.amount));
  if (!causes.length) return null;
  const [axis, note] = causeAxis(causes, fall);
  const rows = causes.map(({ id, amount }) => {
    const kind = changeKind(answer, { id, amount });
    return {
      name: CAUSES[id] ?? capitalize(String(id)),
      bar: [zeroBar(amount, axis, kind), zeroLine(axis)],
      values: [changeAmount(answer, { id, amount })],
    };
  });
  return section("Causes", barTable("Change by cause", ["Cause", "Amount"], rows), note);
}

// The axis of causes: as long as that of the waterfall, so that bars compare. It says so if a cause is too large.
function causeAxis(causes, fall) {
  const own = barScale(causes.map(({ amount }) => amount));
  const whole = cutScale(waterfallSteps(fall).map(({ to }) => to));
  const length = whole.max - whole.min;
  if (own.max - own.min <= length) return [{ min: own.min, max: own.min + length }, null];
  return [own, paragraph("axis", "The bars of causes have a scale of their own.")];
}

// The total of a comparison: cost and change, and then the change of final days or the cost of a day.
function changeHeadline(answer) {
  const { total, final } = answer.data;
  const currency = currencyOf(answer);
  const after = total.after ?? total.period1;
  if (!lastFinalDay(answer)) return { value: money(after, currency) };
  if (final) {
    // Final days are compared like for like; the others can only grow.
    const change = [changeText(final, currency), ` through ${shortDay(final.to)}`];
    const { change: all, changePercent: rate } = total;
    const percents = isNumber(rate) ? ` (${signedPercent(rate)})` : "";
    const [then, now] = [final.before ?? final.period2, final.after ?? final.period1];
    const both = isNumber(now) ? `${money(now, currency)} compared with ${money(then, currency)}; ` : "";
    const detail = `${both}including incomplete days: ${signedMoney(all, currency)}${percents}`;
    return { value: money(after, currency), change, detail };
  }
  const [perDayBefore, perDayAfter] = [total.perDayBefore ?? total.perDay2, total.perDayAfter ?? total.perDay1];
  const daily = perDayAfter ? `${money(perDayAfter, currency)} per day (was ${money(perDayBefore, currency)})` : null;
  return { value: money(after, currency), change: changeText(total, currency), detail: daily };
}

function changeText({ change, changePercent }, currency) {
  const rate = isNumber(changePercent) ? ` (${signedPercent(changePercent)})` : "";
  return changed(change, `${signedMoney(change, currency)}${rate}`);
}

function explainPicture(answer) {
  const falls = answer.set.series.filter((one) => one.kind === "waterfall" && !CAUSE_SERIES.test(one.name));
  const causes = seriesNamed(answer, CAUSE_SERIES);
  const first = falls[0];
  if (!first) return { title: "What changed", parts: [], actions: [] };
  const driver = records(first).find(
    (record) => record.part === "change" && record.id !== "provisional" && record.amount,
  );
  const dimension = fallDimension(first);
  return {
    title: `What changed, by ${dimension}`,
    headline: answer.data.total ? changeHeadline(answer) : null,
    parts: [waterfallTable(answer, first), causes && causeTable(answer, causes, first), throughNote(answer)],
    deep: () =>
      falls.slice(1).map((series) => {
        const title = `By ${fallDimension(series)}`;
        return section(title, waterfallTable(answer, series));
      }),
    actions: driver ? [whyAction(driver.name, driver.amount, currencyOf(answer))] : [],
    isHatched: true,
    sheet: {
      name: "change",
      columns: ["by", "name", "part", "amount"],
      rows: [...falls, ...(causes ? [causes] : [])].flatMap((series) =>
        records(series).map((step) => [fallDimension(series), stepName(answer, step, fallDimension(series), daysText), step.part, step.amount]),
      ),
    },
  };
}

// That changes are those of final days, if there are others.
function throughNote({ data: { final } }) {
  return final ? paragraph("axis", `Changes are through ${shortDay(final.to)}, except for “${CAUSES.provisional}”.`) : null;
}

function whyAction(name, amount, currency) {
  const change = signedMoney(amount, currency);
  const question = `Why did the cost of ${quoted(name)} change by ${change} in this comparison?`;
  return askAction(`Why did ${shortName(name)} change?`, question);
}
