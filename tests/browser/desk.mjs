// Uses the agent desk as a person does, in headless Chromium: types a question, watches the answer
// being written, and looks for it in the list after a reload.
//
//     node desk.mjs URL [SCREENSHOT.png]
//
// Exits 0 when all of it was seen, 1 when not, 2 on wrong usage. CHROMIUM names another browser
// than the system's.

import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
// Enough for a machine that does other things too; nothing below waits for time to pass.
const PATIENCE_MS = 60_000;

const [url, screenshot] = process.argv.slice(2);
if (!url?.startsWith("http")) {
  console.error("usage: node desk.mjs URL [SCREENSHOT.png]");
  process.exit(2);
}
const browser = BROWSERS.find((path) => path && existsSync(path));
if (!browser) {
  console.error("no Chromium found: install the package `chromium`, or name it with CHROMIUM");
  process.exit(2);
}

const profile = await mkdtemp(join(tmpdir(), "desk-browser-"));
let context;
try {
  context = await chromium.launchPersistentContext(profile, {
    executablePath: browser,
    args: FLAGS,
    headless: true,
    viewport: { width: 1180, height: 760 },
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) =>
    complaints.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`),
  );
  try {
    await useTheDesk(page);
  } catch (error) {
    console.error(`failed: ${error.message}`);
    for (const complaint of complaints) console.error(`the page says: ${complaint}`);
    process.exitCode = 1;
  }
  if (screenshot) {
    await page.screenshot({ path: screenshot, fullPage: true });
    console.log(`saved   ${screenshot}`);
  }
} finally {
  await context?.close();
  await rm(profile, { recursive: true, force: true });
}

async function useTheDesk(page) {
  await page.goto(url);
  console.log(`opened  ${url}: ${await page.title()}`);

  // A number that no earlier run has asked for tells this question from all others in the list.
  const number = Date.now();
  const question = `What is ${number} + 1, and what is a Plimsoll line?`;
  const sum = (number + 1).toLocaleString("en-US");
  await page.getByLabel("Your question").fill(question);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  console.log(`asked   ${question}`);

  const article = page.getByRole("article");
  const text = article.getByRole("region", { name: "Answer" });
  const lengths = new Set();
  const status = article.getByRole("status");
  const alert = page.getByRole("alert");
  await status.or(alert).first().waitFor();
  if (await alert.isVisible()) throw new Error(`the page complains: ${await alert.textContent()}`);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const now = await status.textContent();
    if (now === "Answered") break;
    check(now !== "No answer", `the desk gave up: ${await text.textContent()}`);
    check(Date.now() < deadline, `no complete answer in time; the desk says: ${now}`);
    const length = (await text.textContent()).length;
    if (length > 0) lengths.add(length);
    await page.waitForTimeout(30);
  }
  const answer = await text.textContent();
  console.log(`read    ${answer}`);
  check(answer.includes(`${number} + 1 is ${sum}.`), "the answer lacks the sum");
  check(answer.includes("mark on a ship's hull"), "the answer lacks the meaning");
  check(lengths.size > 1, "the answer came at once instead of word by word");
  console.log(`watched the answer grow in ${lengths.size} pieces`);
  const steps = await article.getByRole("list", { name: "Steps" }).getByRole("listitem").allTextContents();
  console.log(`steps   ${steps.join(" | ")}`);
  check(steps.length === 2, `two steps were expected, not ${steps.length}`);

  await page.reload();
  const former = page.getByRole("navigation", { name: "Asked before" });
  const entry = former.getByRole("button", { name: question });
  await entry.waitFor();
  await entry.click();
  const kept = await page.getByRole("article").getByRole("region", { name: "Answer" }).textContent();
  check(kept === answer, `after a reload the answer is another: ${kept}`);
  console.log("kept    the same answer stands in the list after a reload");
}

function check(truth, otherwise) {
  if (!truth) throw new Error(otherwise);
}
