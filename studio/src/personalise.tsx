/** Personalise: upload pictures of a subject, train, and watch the loss. */
import { type FormEvent, useRef, useState } from "react";
import { ApiError, isOver, type Precision, type TrainingJob, type Upload } from "tillerjs/client";
import type { CreateForm } from "./create.tsx";
import { Choice, DropArea, Field, Frame, JobLine, NumberField, Problem, Subject } from "./parts.tsx";
import { PrecisionChoice } from "./settings.tsx";
import { useAsked, useJob, useKept, useOneAtATime } from "./state.ts";
import { tiller } from "./tiller.ts";

const usual = { name: "my-subject", model: "", precision: "", class: "dog", token: "sks", steps: 400, rank: 16 };

/** The embedded model. */
const dinghy = "dinghy";

/** Good settings for dinghy; other models use the method's defaults. */
const forDinghy = { learningRate: 1.5e-3, batch: 2, priorCount: 16 };

/** `use` opens Create with the trained adapter. */
export function Personalise({ use }: { use: (form: Partial<CreateForm>) => void }) {
  const [form, setForm] = useKept("personalise", usual);
  const [kept, setKept] = useKept<Upload | null>("personalise.upload", null);
  /** Number of pictures being uploaded. */
  const [coming, setComing] = useState(0);
  /** Samples of the run before it was stopped, which was another job. */
  const [earlier, setEarlier] = useKept<readonly string[]>("personalise.earlier", []);
  const [problem, setProblem] = useState("");
  /** The upload that dinghy should learn anyway although it has photographs, and the one the warning was about. */
  const [insisted, setInsisted] = useKept<string>("personalise.insisted", "");
  const [doubted, setDoubted] = useState("");
  /** The name whose adapter may be replaced, after the first click warned about it. */
  const [replaced, setReplaced] = useState("");
  const { busy, alone } = useOneAtATime();
  const followed = useJob("personalise");
  const { job, follow } = followed;
  const models = useAsked(tiller.models, 0).value?.map(({ name }) => name);
  const taken = useAsked(tiller.adapters, job?.state).value?.map(({ name }) => name) ?? [];
  const model = form.model || models?.[0];

  // Of two uploads in quick succession the later one counts.
  const latest = useRef(0);
  async function take(given: FileList | null) {
    if (!given || given.length === 0) return;
    const mine = ++latest.current;
    setProblem("");
    setKept(null);
    setComing(given.length);
    const settle = (show: () => void) => {
      if (mine !== latest.current) return;
      setComing(0);
      show();
    };
    await tiller.uploads.add([...given]).then(
      (brought) => settle(() => setKept(brought)),
      (error: Error) => settle(() => setProblem(error.message)),
    );
  }

  const { model: chosen, precision, ...settings } = form;
  // A server whose model is dinghy checks for photographs unless dinghy is named, which is done here only to insist.
  const usually = models?.[0] === dinghy && model === dinghy;
  const named = usually ? (kept !== null && insisted === kept.id ? dinghy : "") : chosen;
  const request: TrainingJob | undefined = kept
    ? {
        kind: "training",
        upload: kept.id,
        ...settings,
        ...(named && { model: named }),
        ...(precision && { precision: precision as Precision["name"] }),
        ...(model === dinghy && forDinghy),
        sampleEvery: Math.max(1, Math.ceil(form.steps / 5)),
      }
    : undefined;

  async function learn(more: Partial<TrainingJob> = {}) {
    setProblem("");
    setDoubted("");
    if (!request) return setProblem("add some pictures first");
    if (taken.includes(form.name) && replaced !== form.name) {
      setReplaced(form.name);
      return setProblem(
        `there is already an adapter ${form.name}: choose another name, or click Learn again to replace it`,
      );
    }
    try {
      const before = resumes ? [...earlier, ...job.pictures] : [];
      follow((await tiller.jobs.add({ ...request, ...more })).id);
      setEarlier(before);
      setReplaced("");
    } catch (error) {
      setProblem((error as Error).message);
      if (error instanceof ApiError && error.code === "photographs-on-dinghy") setDoubted(request.upload);
    }
  }

  const set = (key: keyof typeof usual) => (value: string | number) =>
    setForm((before) => ({ ...before, [key]: value }));
  const learnt = job?.request.kind === "training" ? job.request : undefined;
  // The same request resumes; any other starts a new run.
  const resumes =
    job?.state === "cancelled" &&
    request !== undefined &&
    Object.entries(request).every(([key, value]) => learnt?.[key as keyof typeof learnt] === value);
  return (
    <div className="two">
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void alone(learn);
        }}
      >
        <DropArea onFiles={(files) => void take(files)}>
          {coming > 0
            ? `${several(coming)} being uploaded…`
            : kept
              ? `${several(kept.pictures)} uploaded; drop others to replace them`
              : "Drop 3 to 10 pictures of your subject, or choose them"}
        </DropArea>
        {models && (models.length > 1 || form.model !== "") && (
          <Choice label="Model" value={form.model} names={models} none={models[0]!} onChange={set("model")} />
        )}
        <div className="row">
          <Field label="Name">
            <input value={form.name} pattern="[\w\-]{1,40}" required onChange={(e) => set("name")(e.target.value)} />
          </Field>
          <Field label="Class">
            <input value={form.class} required onChange={(e) => set("class")(e.target.value)} />
          </Field>
        </div>
        <div className="row">
          <Field label="Token" hint="the subject in prompts">
            <input value={form.token} pattern="\S+" required onChange={(e) => set("token")(e.target.value)} />
          </Field>
          <NumberField label="Steps" value={form.steps} min={1} max={5000} onChange={set("steps")} />
          <NumberField label="Rank" value={form.rank} min={1} max={128} onChange={set("rank")} />
        </div>
        <PrecisionChoice value={form.precision} training onChange={set("precision")} />
        <button type="submit" className="main" disabled={busy || coming > 0 || (job !== undefined && !isOver(job))}>
          {resumes ? "Resume learning" : "Learn"}
        </button>
        <Problem text={problem} />
        {doubted !== "" && doubted === kept?.id && (
          <button
            type="button"
            disabled={busy}
            onClick={() => {
              setInsisted(doubted);
              void alone(() => learn({ model: dinghy }));
            }}
          >
            Learn on dinghy anyway
          </button>
        )}
        <JobLine {...followed} />
      </form>
      <section aria-label="Training">
        <Subject upload={kept} label="your subject" />
        <LossCurve losses={job?.losses ?? []} />
        <Samples pictures={[...earlier, ...(job?.pictures ?? [])]} />
        {/* Below everything with reserved space, so that nothing moves; announced by screen readers. */}
        <div role="status">
          {job?.state === "done" && learnt && (
            <>
              <p>
                Done. Use the adapter <b>{learnt.name}</b> with “{learnt.token} {learnt.class}” in the prompt.
              </p>
              <button
                type="button"
                onClick={() =>
                  use({
                    model: learnt.model ?? "",
                    adapter: learnt.name,
                    strength: 1,
                    others: [],
                    omega: null,
                    prompt: `a ${learnt.token} ${learnt.class} in the snow`,
                  })
                }
              >
                Draw with it
              </button>
            </>
          )}
        </div>
      </section>
    </div>
  );
}

const several = (count: number) => (count === 1 ? "1 picture is" : `${count} pictures are`);

/** Samples during training, with their space reserved. */
function Samples({ pictures }: { pictures: readonly string[] }) {
  return (
    <div className="strip wide">
      {Array.from({ length: Math.max(5, pictures.length) }, (_, i) => {
        const id = pictures[i];
        const step = id && /\d+$/.exec(id)?.[0];
        return <Frame key={id ?? i} id={id} label={step ? `step ${step}` : "sample"} />;
      })}
    </div>
  );
}

/** The loss at each step, faint, and its moving mean. */
function LossCurve({ losses }: { losses: readonly number[] }) {
  const [width, height] = [640, 260];
  const path = (values: readonly number[]) => {
    const top = losses.reduce((most, loss) => Math.max(most, loss), 1e-9);
    return values
      .map(
        (v, i) =>
          `${i === 0 ? "M" : "L"}${((i / Math.max(1, losses.length - 1)) * width).toFixed(1)} ${(height - (v / top) * height).toFixed(1)}`,
      )
      .join("");
  };
  const window = Math.max(1, Math.round(losses.length / 12));
  const smooth = losses.map((_, i) => {
    const part = losses.slice(Math.max(0, i - window + 1), i + 1);
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  return (
    <figure>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        className="curve"
        role="img"
        aria-label={smooth.length > 0 ? `the loss, now about ${smooth.at(-1)!.toFixed(3)}` : "the loss"}
      >
        <path d={path(losses)} className="faint" />
        <path d={path(smooth)} />
      </svg>
      <figcaption>{losses.length > 0 ? `loss, ${losses.length} steps` : "the loss will appear here"}</figcaption>
    </figure>
  );
}
