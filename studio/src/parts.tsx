/** Small components shared by several pages. */
import { cloneElement, type ReactElement, type ReactNode, useId, useState } from "react";
import { isOver, type Upload } from "tillerjs/client";
import { paceText } from "../../src/pace.ts";
import type { Followed } from "./state.ts";
import { tiller } from "./tiller.ts";

/** A labelled control with an optional hint. */
export function Field({
  label,
  children,
  hint,
}: {
  label: string;
  children: ReactElement<{ id?: string; "aria-describedby"?: string }>;
  hint?: string;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, { id, ...(hint && { "aria-describedby": `${id}-hint` }) })}
      {hint && <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}

export function NumberField(props: {
  label: string;
  value: number | undefined;
  min: number;
  max: number;
  step?: number | "any";
  /** The placeholder of a field that may be empty. */
  usual?: string;
  /** Called with NaN if the field is empty. */
  onChange: (value: number) => void;
}) {
  const { label, value, min, max, step = 1, usual, onChange } = props;
  return (
    <Field label={label}>
      <input
        type="number"
        required={usual === undefined}
        placeholder={usual}
        value={value !== undefined && Number.isFinite(value) ? value : ""}
        min={min}
        max={max}
        step={step}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
    </Field>
  );
}

/** One of several names. A chosen name that no longer exists stays visible until another is chosen. */
export function Choice(props: {
  label: string;
  value: string;
  names: readonly string[] | undefined;
  /** The label of the empty choice; without it a name must be chosen. */
  none?: string;
  onChange: (value: string) => void;
}) {
  const { label, value, names, none, onChange } = props;
  const missing = value !== "" && !names?.includes(value);
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {missing && <option value={value}>{names ? `${value} (no longer here)` : value}</option>}
        {names?.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </Field>
  );
}

/** An error message, announced by screen readers. */
export const Problem = ({ text }: { text: string }) =>
  text === "" ? null : (
    <p className="bad" role="alert">
      {text}
    </p>
  );

/** A picture in a frame that reserves its space before it is loaded. */
export function Frame({ id, label, children }: { id: string | undefined; label: string; children?: ReactNode }) {
  return (
    <figure className="frame">
      {id === undefined ? (
        <div className="empty" role="img" aria-label={`${label}: not drawn yet`} />
      ) : (
        <img src={tiller.pictures.url(id)} alt={label} />
      )}
      <figcaption>{children ?? label}</figcaption>
    </figure>
  );
}

/** A file input for pictures; the same files may be chosen again. */
export function PictureFiles({ id, onFiles, one, ...described }: FilesProps) {
  return (
    <input
      id={id}
      {...described}
      type="file"
      accept="image/*"
      multiple={!one}
      // Browsers fire no event for files that are already chosen.
      onClick={(event) => {
        event.currentTarget.value = "";
      }}
      onChange={(event) => onFiles(event.target.files)}
    />
  );
}

interface FilesProps {
  readonly id?: string;
  readonly "aria-describedby"?: string;
  readonly onFiles: (files: FileList | null) => void;
  /** Only one picture can be chosen. */
  readonly one?: boolean;
}

/** An area to drop pictures on, which also opens the chooser. */
export function DropArea({
  onFiles,
  one = false,
  small = false,
  children,
}: Pick<FilesProps, "onFiles" | "one"> & { small?: boolean; children: ReactNode }) {
  const [over, setOver] = useState(false);
  const id = useId();
  return (
    <label
      htmlFor={id}
      className={`drop${over ? " over" : ""}${small ? " small" : ""}`}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        onFiles(e.dataTransfer.files);
      }}
    >
      <PictureFiles id={id} onFiles={onFiles} one={one} />
      <span>{children}</span>
    </label>
  );
}

/** Pictures of the subject side by side, with their space reserved. */
export function Subject({ upload, label }: { upload: Upload | null; label: string }) {
  const urls = upload ? tiller.uploads.urls(upload) : [];
  return (
    <div className="subject">
      {urls.length === 0 && <small>Your pictures will appear here.</small>}
      {urls.map((url, i) => (
        <img key={url} src={url} alt={`${label}, ${i + 1}`} />
      ))}
      {upload?.warnings?.map((warning) => (
        <small key={warning}>{warning}</small>
      ))}
    </div>
  );
}

/** A job's progress and its stop button. Only its state is announced, not every step. */
export function JobLine({ job, lost }: Pick<Followed, "job" | "lost">) {
  const [problem, setProblem] = useState("");
  if (!job) {
    return (
      <p className="line" aria-live="polite">
        {lost}
      </p>
    );
  }
  const { progress, state, error, warnings, position } = job;
  const waiting = position ? `waiting, ${position} before it` : "waiting";
  return (
    <div className="line">
      {!isOver(job) && <progress value={progress?.done ?? 0} max={progress?.total ?? 1} aria-label="progress" />}
      {!isOver(job) && <small>{progress && progress.total > 1 ? paceText(progress) : ""}</small>}
      {state === "running" && (
        <span className="what" title={progress?.what}>
          {progress?.what ?? "loading"}
        </span>
      )}
      <span aria-live="polite" className={state === "failed" ? "bad" : state === "running" ? "unseen" : ""}>
        {state === "queued" ? waiting : state === "failed" ? (error ?? "failed") : state}
      </span>
      {!isOver(job) && (
        <button type="button" onClick={() => tiller.jobs.stop(job.id).catch((e: Error) => setProblem(e.message))}>
          Stop
        </button>
      )}
      {lost && !isOver(job) && <small role="status">{lost}</small>}
      <Problem text={problem} />
      {warnings.map((warning) => (
        <small key={warning}>{warning}</small>
      ))}
    </div>
  );
}

export const download = (id: string) => {
  const link = document.createElement("a");
  link.href = tiller.pictures.url(id);
  link.download = `tiller-${id}.png`;
  link.click();
};
