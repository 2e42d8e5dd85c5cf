/** Study: blind studies of what people prefer, made from a comparison; people answer them on pages of their own. */
import { useState } from "react";
import type { Participant, Shares } from "tillerjs/client";
import { NumberField, Problem } from "./parts.tsx";
import type { Row } from "./plane.tsx";
import { useAsked, useJob, useKept, useOneAtATime } from "./state.ts";
import { tiller } from "./tiller.ts";

/** As many as participants' pages have letters for. */
const mostMethods = 8;

export function StudyPage() {
  const [open, setOpen] = useKept<{ id: string } | null>("study", null);
  if (open === null) return <List onOpen={(id) => setOpen({ id })} />;
  return (
    <>
      <button type="button" onClick={() => setOpen(null)}>
        All studies
      </button>
      <StudyView key={open.id} id={open.id} />
    </>
  );
}

function List({ onOpen }: { onOpen: (id: string) => void }) {
  const { value: found, problem: missing } = useAsked(tiller.studies.list, 0);
  const [shown] = useKept<{ rows: Row[]; seeds: number[]; token: string }>("compare.shown", {
    rows: [],
    seeds: [],
    token: "",
  });
  const [references] = useKept<{ id: string } | null>("compare.references", null);
  const { job } = useJob("compare");
  const [problem, setProblem] = useState("");
  const { busy, alone } = useOneAtATime();
  const methods = shown.rows.length;
  const ready = job?.state === "done" && methods > 1 && methods <= mostMethods && references !== null;

  const make = () =>
    alone(async () => {
      try {
        const study = await tiller.studies.add({
          title: "Which picture?",
          job: job!.id,
          arms: shown.rows.map(({ label }) => label),
          seeds: shown.seeds.length,
          references: references!.id,
          token: shown.token,
        });
        onOpen(study.id);
      } catch (error) {
        setProblem((error as Error).message);
      }
    });
  return (
    <>
      <p>
        A study shows the pictures of a comparison, one seed at a time and the methods in an order nobody knows, and
        asks which is closest to the subject and which to the text. Every participant has a page of their own.
      </p>
      <button type="button" className="main" disabled={!ready || busy} onClick={make}>
        Make a study of the last comparison
      </button>
      {!ready && (
        <p className="note">
          First draw a comparison of two to {mostMethods} methods, with reference pictures of the subject.
        </p>
      )}
      <Problem text={problem || (missing?.message ?? "")} />
      <ul className="list">
        {found?.map(({ id, title, methods: names, sets, participants }) => (
          <li key={id}>
            “{title}”, {sets} {sets === 1 ? "set" : "sets"} of {names.join(", ")}: {participants.finished} of{" "}
            {participants.invited} finished{" "}
            <button type="button" aria-label={`Open: ${title}, ${names.join(", ")}`} onClick={() => onOpen(id)}>
              Open
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function StudyView({ id }: { id: string }) {
  const [asked, setAsked] = useState(0);
  const [count, setCount] = useState(5);
  const [problem, setProblem] = useState("");
  const { busy, alone } = useOneAtATime();
  const { value, problem: missing } = useAsked(async () => {
    const study = await tiller.studies.get(id);
    const [participants, shares] = await Promise.all([tiller.studies.participants(id), tiller.studies.results(id)]);
    return { study, participants, shares };
  }, asked);
  const again = () => setAsked((before) => before + 1);
  const invite = () =>
    alone(async () => {
      try {
        await tiller.studies.invite(id, count);
        setProblem("");
        again();
      } catch (error) {
        setProblem((error as Error).message);
      }
    });
  if (!value) return <Problem text={missing?.message ?? ""} />;
  const { study, participants, shares } = value;
  return (
    <>
      <h2>
        “{study.title}”: {study.sets} {study.sets === 1 ? "set" : "sets"} of {study.methods.join(", ")}
      </h2>
      <NumberField label="More participants" value={count} min={1} max={1000} onChange={setCount} />
      <button type="button" className="main" disabled={busy || !(count >= 1)} onClick={invite}>
        Invite
      </button>{" "}
      <button type="button" onClick={again}>
        Refresh
      </button>
      <Problem text={problem || (missing?.message ?? "")} />
      <Participants of={participants} />
      <Results id={id} shares={shares} />
    </>
  );
}

/** Each participant's address, to be sent to one person. */
function Participants({ of }: { of: readonly Participant[] }) {
  return (
    <ul className="list">
      {of.map(({ number, address, state }) => (
        <li key={address}>
          <a href={address} target="_blank" rel="noreferrer">
            Participant {number}
          </a>{" "}
          {state !== "invited" && <small>{state}</small>}
        </li>
      ))}
    </ul>
  );
}

function Results({ id, shares }: { id: string; shares: Shares }) {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const { finished, invited } = shares.participants;
  return (
    <>
      <h2>
        {finished} of {invited} finished
      </h2>
      {shares.settings.map((setting) =>
        (["subject", "text"] as const).map((question) => (
          <table key={`${setting.setting} ${question}`} className="shares">
            <caption>{question === "subject" ? "closest to the subject" : "closest to the text"}</caption>
            <tbody>
              {setting[question].map(({ choice, share, low, high }) => (
                <tr key={choice}>
                  <th scope="row">{choice}</th>
                  <td>{share !== null && <meter min={0} max={1} value={share} aria-label={percent(share)} />}</td>
                  <td>
                    {share !== null && percent(share)}{" "}
                    {low !== null && high !== null && (
                      <small>
                        ({percent(low)} to {percent(high)})
                      </small>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )),
      )}
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
