// What the page knows, and how each event changes it. Nothing here touches page or network.

import type { Event, Question } from "./api";

export interface Desk {
  /** The newest first. */
  questions: Question[];
  /** The id of the question being read. */
  open: string | null;
}

export type Change =
  | { kind: "loaded"; questions: Question[] }
  | { kind: "asked"; question: Question }
  | { kind: "opened"; id: string }
  | { kind: "rewound"; id: string }
  | { kind: "heard"; id: string; event: Event };

export const EMPTY: Desk = { questions: [], open: null };

export function change(desk: Desk, change: Change): Desk {
  switch (change.kind) {
    case "loaded":
      return { ...desk, questions: merge(desk.questions, change.questions) };
    case "asked":
      return { questions: [change.question, ...desk.questions], open: change.question.id };
    case "opened":
      return { ...desk, open: change.id };
    case "rewound":
      return update(desk, change.id, (question) => ({ ...question, steps: [], answer: null }));
    case "heard":
      return update(desk, change.id, (question) => hear(question, change.event));
  }
}

/** Whether more of the answer is to come. */
export function isPending(question: Question): boolean {
  return question.status === "waiting" || question.status === "thinking";
}

/** What the page already has is newer than what was loaded. */
function merge(here: Question[], loaded: Question[]): Question[] {
  const known = new Set(here.map(({ id }) => id));
  return [...here, ...loaded.filter(({ id }) => !known.has(id))];
}

function update(desk: Desk, id: string, by: (question: Question) => Question): Desk {
  const questions = desk.questions.map((question) => (question.id === id ? by(question) : question));
  return { ...desk, questions };
}

function hear(question: Question, event: Event): Question {
  switch (event.kind) {
    case "step":
      return { ...question, status: "thinking", steps: [...question.steps, event.step] };
    case "word":
      return { ...question, status: "thinking", answer: (question.answer ?? "") + event.text };
    case "done":
      return {
        ...question,
        status: "answered",
        answer: event.answer,
        steps: event.steps ?? question.steps,
      };
    case "failed":
      return { ...question, status: "failed", answer: event.reason };
  }
}
