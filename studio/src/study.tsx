/** Study: which method people prefer, blind: same seed, shuffled, two questions, undecided allowed. */
import { useState } from "react";
import { type Answer, answer, newStudy, pictureUrl, type Shares, sharesOf, studies, studyOf } from "./api.ts";
import type { Row } from "./compare.tsx";
import { shuffled } from "./shuffled.ts";
import { useAsked, useJob, useKept } from "./state.ts";

export function StudyPage() {
  const [open, setOpen] = useKept<string | null>("study", null);
  return open === null ? <List onOpen={setOpen} /> : <Sitting id={open} onClose={() => setOpen(null)} />;
}

function List({ onOpen }: { onOpen: (id: string) => void }) {
  const [version, setVersion] = useState(0);
  const found = useAsked(studies, version) ?? [];
  const [shown] = useKept<{ rows: Row[]; seeds: number[] }>("compare.shown", { rows: [], seeds: [] });
  const [references] = useKept<{ id: string } | null>("compare.references", null);
  const { job } = useJob("compare");
  const [problem, setProblem] = useState("");
  const ready = job?.state === "done" && shown.rows.length > 1;

  async function make() {
    try {
      const study = await newStudy({
        title: job!.request.kind === "pictures" ? job!.request.request.prompt : "a study",
        job: job!.id,
        arms: shown.rows.map(({ label }) => label),
        seeds: shown.seeds.length,
        ...(references && { references: references.id }),
      });
      setVersion((v) => v + 1);
      onOpen(study.id);
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
      {!ready && <p className="note">Draw a comparison of two methods or more first.</p>}
      {problem && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
      <ul className="list">
        {found.map(({ id, title, people }) => (
          <li key={id}>
            <button type="button" onClick={() => onOpen(id)}>
              {title}
            </button>{" "}
            {people} {people === 1 ? "person" : "people"} so far
          </li>
        ))}
      </ul>
    </>
  );
}

function Sitting({ id, onClose }: { id: string; onClose: () => void }) {
  const study = useAsked(() => studyOf(id), id);
  const [person] = useState(() => Math.floor(Math.random() * 2 ** 31));
  const [answers, setAnswers] = useState<Answer[]>([]);
  const [now, setNow] = useState<{ subject?: number | null; text?: number | null }>({});
  const [shares, setShares] = useState<Shares>();
  const [problem, setProblem] = useState("");
  if (!study) return null;
  const at = answers.length;
  const set = study.sets[at];

  async function next() {
    const all = [...answers, { set: at, subject: now.subject ?? null, text: now.text ?? null }];
    setProblem("");
    if (all.length === study!.sets.length) {
      try {
        setShares(await answer(id, String(person), all));
      } catch (error) {
        // The last set stays in view, to be sent again.
        return setProblem(`${(error as Error).message}; press Done to send your answers again`);
      }
    }
    setAnswers(all);
    setNow({});
  }

  return (
    <>
      <button type="button" onClick={onClose}>
        All studies
      </button>{" "}
      <button type="button" onClick={() => sharesOf(id).then(setShares, (e: Error) => setProblem(e.message))}>
        Results
      </button>
      {problem && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
      {shares ? (
        <Results id={id} shares={shares} />
      ) : set ? (
        <>
          <h2>
            {at + 1} of {study.sets.length}: “{set.prompt}”
          </h2>
          {study.references.length > 0 && (
            <div className="strip wide">
              {study.references.map((url) => (
                <img key={url} src={url} alt="the subject" />
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
                    <img src={pictureUrl(set.pictures[arm]!)} alt={`number ${place + 1}`} />
                    <input
                      type="radio"
                      name={question}
                      checked={now[question] === arm}
                      onChange={() => setNow((before) => ({ ...before, [question]: arm }))}
                    />
                    {place + 1}
                  </label>
                ))}
                <label className="choice">
                  <input
                    type="radio"
                    name={question}
                    checked={now[question] === null}
                    onChange={() => setNow((before) => ({ ...before, [question]: null }))}
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
        </>
      ) : (
        <p>Thank you.</p>
      )}
    </>
  );
}

function Results({ id, shares }: { id: string; shares: Shares }) {
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
        <a href={`/api/studies/${id}/export.json`}>JSON</a> · <a href={`/api/studies/${id}/export.csv`}>CSV</a>
      </p>
    </>
  );
}
