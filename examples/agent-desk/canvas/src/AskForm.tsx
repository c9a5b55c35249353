import { type FormEvent, useState } from "react";

const EXAMPLES = [
  "What is 12% of 340, and what is a Plimsoll line?",
  "What is 2^16 − 1?",
  "How do a container and an image differ?",
];

export function AskForm({ onAsk }: { onAsk: (text: string) => Promise<boolean> }) {
  const [text, setText] = useState("");
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (text.trim() === "" || sending) return;
    setSending(true);
    if (await onAsk(text)) setText("");
    setSending(false);
  }

  return (
    <form className="ask" onSubmit={submit}>
      <label htmlFor="question">Your question</label>
      <div className="box">
        <input
          id="question"
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder={EXAMPLES[0]}
          maxLength={500}
          autoComplete="off"
          autoFocus
        />
        <button type="submit" disabled={sending || text.trim() === ""}>
          Ask
        </button>
      </div>
      <p className="examples">
        Try{" "}
        {EXAMPLES.map((example) => (
          <button key={example} type="button" onClick={() => setText(example)}>
            {example}
          </button>
        ))}
      </p>
    </form>
  );
}
