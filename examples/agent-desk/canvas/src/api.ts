// The only place that talks to the backend.

const BASE = (import.meta.env.VITE_API_URL || "http://localhost:8000").replace(/\/+$/, "");

export type Status = "waiting" | "thinking" | "answered" | "failed";

/** One use of a tool by the agent. */
export interface Step {
  tool: string;
  input: string;
  output: string;
}

/** A question as the backend keeps it. */
export interface Question {
  id: string;
  text: string;
  status: Status;
  steps: Step[];
  answer: string | null;
  asked_at: string;
  answered_at: string | null;
}

/** What the backend says while an answer is written. */
export type Event =
  | { kind: "step"; step: Step }
  | { kind: "word"; text: string }
  | { kind: "done"; answer: string; steps?: Step[] }
  | { kind: "failed"; reason: string };

/** The questions asked last, the newest first. */
export async function latest(): Promise<Question[]> {
  return await call("/api/questions");
}

/** Asks; resolves as soon as the question is taken, before it is answered. */
export async function ask(text: string): Promise<Question> {
  return await call("/api/questions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
  });
}

/**
 * Reports each event of an answer, from its beginning. A connection that breaks is made again by
 * the browser, and goes on where it was. Returns the function that stops listening.
 */
export function follow(id: string, onEvent: (event: Event) => void): () => void {
  const source = new EventSource(`${BASE}/api/questions/${id}/stream`);
  const on = (name: string, read: (data: never) => Event) =>
    source.addEventListener(name, (message) => {
      const event = read(JSON.parse((message as MessageEvent<string>).data) as never);
      if (event.kind === "done" || event.kind === "failed") source.close();
      onEvent(event);
    });
  on("step", (step: Step) => ({ kind: "step", step }));
  on("word", ({ text }: { text: string }) => ({ kind: "word", text }));
  on("done", (data: { answer: string; steps?: Step[] }) => ({ kind: "done", ...data }));
  on("failed", ({ reason }: { reason: string }) => ({ kind: "failed", reason }));
  source.addEventListener("error", () => {
    // A refusal is final: the browser tries again only after a broken connection.
    if (source.readyState === EventSource.CLOSED) {
      onEvent({ kind: "failed", reason: "The desk does not know this question any more." });
    }
  });
  return () => source.close();
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(BASE + path, init);
  } catch {
    throw new Error(`The desk at ${BASE} cannot be reached.`);
  }
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as { detail?: unknown } | null;
    const detail = typeof body?.detail === "string" ? body.detail : `It says ${response.status}.`;
    throw new Error(`The desk did not take that. ${detail}`);
  }
  return (await response.json()) as T;
}
