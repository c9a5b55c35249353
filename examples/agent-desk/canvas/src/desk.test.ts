import { expect, test } from "vitest";
import type { Question } from "./api";
import { type Change, type Desk, EMPTY, change, isPending } from "./desk";

const question = (id: string): Question => ({
  id,
  text: `question ${id}`,
  status: "waiting",
  steps: [],
  answer: null,
  asked_at: "2026-01-01T00:00:00Z",
  answered_at: null,
});
const step = { tool: "calculator", input: "2+2", output: "4" };
const after = (...changes: Change[]): Desk => changes.reduce(change, EMPTY);

test("a new question is the first of the list, and open", () => {
  const desk = after(
    { kind: "loaded", questions: [question("a")] },
    { kind: "asked", question: question("b") },
  );
  expect(desk.questions.map(({ id }) => id)).toEqual(["b", "a"]);
  expect(desk.open).toBe("b");
});

test("a list that comes late does not take away a question asked meanwhile", () => {
  const desk = after(
    { kind: "asked", question: question("b") },
    { kind: "heard", id: "b", event: { kind: "word", text: "It" } },
    { kind: "loaded", questions: [question("b"), question("a")] },
  );
  expect(desk.questions.map(({ id }) => id)).toEqual(["b", "a"]);
  expect(desk.questions[0]!.answer).toBe("It");
});

test("an answer grows word by word, and only that one", () => {
  const desk = after(
    { kind: "loaded", questions: [question("a"), question("b")] },
    { kind: "heard", id: "b", event: { kind: "step", step } },
    { kind: "heard", id: "b", event: { kind: "word", text: "It is " } },
    { kind: "heard", id: "b", event: { kind: "word", text: "4." } },
  );
  expect(desk.questions[0]).toEqual(question("a"));
  expect(desk.questions[1]).toMatchObject({ status: "thinking", steps: [step], answer: "It is 4." });
  expect(isPending(desk.questions[1]!)).toBe(true);
});

test("the end replaces what was heard by what is stored", () => {
  const desk = after(
    { kind: "loaded", questions: [question("a")] },
    { kind: "heard", id: "a", event: { kind: "step", step } },
    { kind: "heard", id: "a", event: { kind: "word", text: "It" } },
    { kind: "heard", id: "a", event: { kind: "done", answer: "It is 4." } },
  );
  expect(desk.questions[0]).toMatchObject({ status: "answered", steps: [step], answer: "It is 4." });
  expect(isPending(desk.questions[0]!)).toBe(false);
});

test("listening again from the beginning does not say things twice", () => {
  const desk = after(
    { kind: "loaded", questions: [question("a")] },
    { kind: "heard", id: "a", event: { kind: "word", text: "It " } },
    { kind: "rewound", id: "a" },
    { kind: "heard", id: "a", event: { kind: "word", text: "It " } },
  );
  expect(desk.questions[0]!.answer).toBe("It ");
});
