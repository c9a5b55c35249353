import type { Question } from "./api";

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The list of questions asked before. */
export function Former({
  questions,
  open,
  onOpen,
}: {
  questions: Question[];
  open: string | null;
  onOpen: (id: string) => void;
}) {
  return (
    <nav className="former" aria-labelledby="former">
      <h2 id="former">Asked before</h2>
      {questions.length === 0 ? (
        <p className="none">Nothing yet. Yours will be the first.</p>
      ) : (
        <ul>
          {questions.map((question) => (
            <li key={question.id}>
              <button
                type="button"
                aria-current={question.id === open}
                onClick={() => onOpen(question.id)}
              >
                <span className="text">{question.text}</span>
                <span className="beneath">
                  <span className={`dot ${question.status}`} aria-hidden="true" />
                  {question.status} · <time dateTime={question.asked_at}>{TIME.format(new Date(question.asked_at))}</time>
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </nav>
  );
}
