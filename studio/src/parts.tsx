/** Small parts that several pages share. */
import { cloneElement, type ReactElement, type ReactNode, useId } from "react";
import { end, isOver, type Job, pictureUrl } from "./api.ts";

/** A control under its label, with a hint below if there is one. */
export function Field({
  label,
  children,
  hint,
}: {
  label: string;
  children: ReactElement<{ id?: string }>;
  hint?: string;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, { id })}
      {hint && <small>{hint}</small>}
    </div>
  );
}

export function NumberField(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  onChange: (value: number) => void;
}) {
  const { label, value, min, max, step = 1, onChange } = props;
  return (
    <Field label={label}>
      <input
        type="number"
        value={Number.isFinite(value) ? value : ""}
        min={min}
        max={max}
        step={step}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
    </Field>
  );
}

/** A picture in a frame that has its size before the picture is there. */
export function Frame({ id, label, children }: { id: string | undefined; label: string; children?: ReactNode }) {
  return (
    <figure className="frame">
      {id === undefined ? (
        <div className="empty" role="img" aria-label={`${label}: not drawn yet`} />
      ) : (
        <img src={pictureUrl(id)} alt={label} />
      )}
      <figcaption>{children ?? label}</figcaption>
    </figure>
  );
}

/** How far a job is, and what ends it. */
export function JobLine({ job }: { job: Job | undefined }) {
  if (!job) return <p className="line" aria-live="polite" />;
  const { progress, state, error, warnings, position } = job;
  const told =
    state === "queued"
      ? position
        ? `waiting, ${position} before it`
        : "waiting"
      : state === "running"
        ? (progress?.what ?? "loading")
        : state === "failed"
          ? (error ?? "failed")
          : state;
  return (
    <div className="line" aria-live="polite">
      {state === "running" && (
        <progress value={progress?.done ?? 0} max={progress?.total ?? 1} aria-label="how much is done" />
      )}
      <span className={state === "failed" ? "bad" : ""}>{told}</span>
      {!isOver(job) && (
        <button type="button" onClick={() => end(job.id)}>
          Stop
        </button>
      )}
      {warnings.map((warning) => (
        <small key={warning}>{warning}</small>
      ))}
    </div>
  );
}

export const download = (id: string) => {
  const link = document.createElement("a");
  link.href = pictureUrl(id);
  link.download = `tiller-${id}.png`;
  link.click();
};
