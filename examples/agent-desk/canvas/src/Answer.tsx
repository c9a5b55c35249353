import type { Question } from "./api";
import { isPending } from "./desk";

const SAYS = {
  waiting: "In the queue",
  thinking: "Writing",
  answered: "Answered",
  failed: "No answer",
};

/** The question being read, the agent's steps, and its answer as it is written. */
export function Answer({ question }: { question: Question }) {
  const pending = isPending(question);
  return (
    <article className="answer" aria-labelledby="asked" aria-busy={pending}>
      <div className="asked">
        <h2 id="asked">{question.text}</h2>
        <span className={`status ${question.status}`} role="status">
          {SAYS[question.status]}
        </span>
      </div>
      {question.steps.length > 0 && (
        <ol className="steps" aria-label="Steps">
          {question.steps.map((step, index) => (
            <li key={index}>
              <b>{step.tool}</b> <code>{step.input}</code>
              {step.tool === "calculator" && (
                <>
                  {" → "}
                  <code>{step.output}</code>
                </>
              )}
            </li>
          ))}
        </ol>
      )}
      {/* Read out once, when it is complete, rather than at every word. */}
      <p className="text" role="region" aria-label="Answer" aria-live="polite" aria-busy={pending}>
        {question.answer}
        {pending && <span className="caret" aria-hidden="true" />}
      </p>
    </article>
  );
}
