/** Study: which method people prefer, blind: same seed, shuffled, two questions, undecided allowed. */
import { useEffect, useRef, useState } from "react";
import type { Answers } from "tillerjs/client";
import { Problem } from "./parts.tsx";
import type { Row } from "./plane.tsx";
import { shuffled } from "./shuffled.ts";
import { useAsked, useJob, useKept } from "./state.ts";
import { tiller } from "./tiller.ts";

interface Opened {
  readonly id: string;
  /** Whether to show the shares at once; participants see them at the end. */
  readonly results: boolean;
}

export function StudyPage() {
  const [open, setOpen] = useKept<Opened | null>("study", null);
  const close = () => setOpen(null);
  if (open === null) return <List onOpen={setOpen} />;
  return (
    <>
      <button type="button" onClick={close}>
        All studies
      </button>
      {open.results ? <Results id={open.id} /> : <Sitting key={open.id} id={open.id} />}
    </>
  );
}

function List({ onOpen }: { onOpen: (study: Opened) => void }) {
  const { value: found, problem: missing } = useAsked(tiller.studies.list, 0);
  const [shown] = useKept<{ rows: Row[]; seeds: number[] }>("compare.shown", { rows: [], seeds: [] });
  const [references] = useKept<{ id: string } | null>("compare.references", null);
  const { job } = useJob("compare");
  const [problem, setProblem] = useState("");
  const ready = job?.state === "done" && shown.rows.length > 1;

  async function make() {
    try {
      const study = await tiller.studies.add({
        title: job!.request.kind === "pictures" ? job!.request.request.prompt.slice(0, 300) : "a study",
        job: job!.id,
        arms: shown.rows.map(({ label }) => label),
        seeds: shown.seeds.length,
        ...(references && { references: references.id }),
      });
      onOpen({ id: study.id, results: false });
    } catch (error) {
      setProblem((error as Error).message);
    }
  }
  return (
    <>
      <p>
        A study shows the pictures of a comparison, one seed at a time and the methods in an order nobody knows, and
        asks which is closest to the subject and which to the text.
      </p>
      <button type="button" className="main" disabled={!ready} onClick={make}>
        Make a study of the last comparison
      </button>
      {!ready && <p className="note">First draw a comparison of two or more methods.</p>}
      <Problem text={problem || (missing?.message ?? "")} />
      <ul className="list">
        {found?.map(({ id, title, people }) => (
          <li key={id}>
            “{title}”, {people} {people === 1 ? "person" : "people"} so far{" "}
            <button type="button" aria-label={`Take part: ${title}`} onClick={() => onOpen({ id, results: false })}>
              Take part
            </button>{" "}
            <button type="button" aria-label={`Results: ${title}`} onClick={() => onOpen({ id, results: true })}>
              Results
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

interface Kept {
  readonly person: number;
  readonly answers: Answers["answers"];
  readonly now: { readonly subject?: number | null; readonly text?: number | null };
  readonly sent: boolean;
}

const newSitting = (): Kept => ({ person: Math.floor(Math.random() * 2 ** 31), answers: [], now: {}, sent: false });

function Sitting({ id }: { id: string }) {
  const { value: study, problem: missing } = useAsked(() => tiller.studies.get(id), id);
  const [usual] = useState(newSitting);
  const [{ person, answers, now, sent }, setSitting] = useKept<Kept>(`sitting.${id}`, usual);
  const [problem, setProblem] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const at = answers.length;
  // Move focus and scroll position to the next set, also for screen readers.
  useEffect(() => {
    if (at > 0) heading.current?.focus();
  }, [at]);
  if (!study) return <Problem text={missing?.message ?? ""} />;
  const set = study.sets[at];
  const choose = (question: "subject" | "text", arm: number | null) =>
    setSitting((before) => ({ ...before, now: { ...before.now, [question]: arm } }));

  async function next() {
    const all = [...answers, { set: at, subject: now.subject ?? null, text: now.text ?? null }];
    const last = all.length === study!.sets.length;
    setProblem("");
    try {
      if (last) await tiller.studies.answer(id, { person: String(person), answers: all });
      setSitting({ person, answers: all, now: {}, sent: last });
    } catch (error) {
      // The last set stays visible, so that the answers can be sent again.
      setProblem(`${(error as Error).message}; click Done to send your answers again`);
    }
  }

  if (sent || !set) {
    return (
      <>
        <h2 ref={heading} tabIndex={-1}>
          Thank you.
        </h2>
        <button type="button" onClick={() => setSitting(newSitting())}>
          Another person
        </button>
        <Results id={id} />
      </>
    );
  }
  return (
    <>
      <h2 ref={heading} tabIndex={-1}>
        {at + 1} of {study.sets.length}: “{set.prompt}”
      </h2>
      {study.references.length > 0 && (
        <div className="subject">
          {study.references.map((url, i) => (
            <img key={url} src={url} alt={`the subject, ${i + 1}`} />
          ))}
        </div>
      )}
      {(["subject", "text"] as const).map((question) => (
        <fieldset key={question}>
          <legend>
            {question === "subject" ? "Which is closest to the subject?" : "Which is closest to the text?"}
          </legend>
          <div className="choices">
            {shuffled(set.pictures.length, person + at).map((arm, place) => (
              <label key={arm} className="choice">
                <img src={tiller.pictures.url(set.pictures[arm]!)} alt={`number ${place + 1}`} />
                <input
                  type="radio"
                  name={question}
                  checked={now[question] === arm}
                  onChange={() => choose(question, arm)}
                />
                {place + 1}
              </label>
            ))}
            <label className="choice">
              <input
                type="radio"
                name={question}
                checked={now[question] === null}
                onChange={() => choose(question, null)}
              />
              undecided
            </label>
          </div>
        </fieldset>
      ))}
      <button
        type="button"
        className="main"
        disabled={now.subject === undefined || now.text === undefined}
        onClick={next}
      >
        {at + 1 === study.sets.length ? "Done" : "Next"}
      </button>
      <Problem text={problem} />
    </>
  );
}

function Results({ id }: { id: string }) {
  const { value: shares, problem } = useAsked(() => tiller.studies.results(id), id);
  if (!shares) return <Problem text={problem?.message ?? ""} />;
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return (
    <>
      <h2>
        {shares.people} {shares.people === 1 ? "person" : "people"}, {shares.answers} answers
      </h2>
      {(["subject", "text"] as const).map((question) => (
        <table key={question} className="shares">
          <caption>{question === "subject" ? "closest to the subject" : "closest to the text"}</caption>
          <tbody>
            {shares.questions[question].map(({ arm, share, low, high }) => (
              <tr key={arm}>
                <th scope="row">{arm}</th>
                <td>
                  <meter min={0} max={1} value={share} aria-label={percent(share)} />
                </td>
                <td>
                  {percent(share)}{" "}
                  <small>
                    ({percent(low)} to {percent(high)})
                  </small>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
      <p>
        <a href={tiller.studies.exportUrl(id, "json")} download={`study-${id}.json`}>
          JSON
        </a>{" "}
        ·{" "}
        <a href={tiller.studies.exportUrl(id, "csv")} download={`study-${id}.csv`}>
          CSV
        </a>
      </p>
    </>
  );
}
