import { useEffect, useReducer, useState } from "react";
import { ask, follow, latest } from "./api";
import { Answer } from "./Answer";
import { AskForm } from "./AskForm";
import { EMPTY, change, isPending } from "./desk";
import { Former } from "./Former";

export function Page() {
  const [desk, dispatch] = useReducer(change, EMPTY);
  const [trouble, setTrouble] = useState<string | null>(null);
  const open = desk.questions.find(({ id }) => id === desk.open);
  const followed = open !== undefined && isPending(open) ? open.id : null;

  useEffect(() => {
    latest().then(
      (questions) => dispatch({ kind: "loaded", questions }),
      (error: Error) => setTrouble(error.message),
    );
  }, []);

  useEffect(() => {
    if (followed === null) return;
    dispatch({ kind: "rewound", id: followed });
    return follow(followed, (event) => dispatch({ kind: "heard", id: followed, event }));
  }, [followed]);

  async function submit(text: string): Promise<boolean> {
    try {
      dispatch({ kind: "asked", question: await ask(text) });
      setTrouble(null);
      return true;
    } catch (error) {
      setTrouble((error as Error).message);
      return false;
    }
  }

  return (
    <div className="page">
      <header>
        <img src="/mark.svg" alt="" width="40" height="40" />
        <div>
          <h1>Agent desk</h1>
          <p>Ask for a sum, or for a word of ships and containers.</p>
        </div>
      </header>
      <main>
        <AskForm onAsk={submit} />
        {trouble !== null && (
          <p className="trouble" role="alert">
            {trouble}
          </p>
        )}
        {open !== undefined && <Answer question={open} />}
      </main>
      <Former
        questions={desk.questions}
        open={desk.open}
        onOpen={(id) => dispatch({ kind: "opened", id })}
      />
    </div>
  );
}
