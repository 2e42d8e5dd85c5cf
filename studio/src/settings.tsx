/** The fields shared by Create and Compare. */
import type { Defaults, GalleryPicture, GuidanceMethod, PicturesJob, Precision, Sampler } from "tillerjs/client";
import { Choice, Field, NumberField } from "./parts.tsx";
import { useAsked } from "./state.ts";
import { tiller } from "./tiller.ts";

/** One for the whole adapter, or by component, as in pictures made with the command line. */
type Strength = number | Readonly<Record<string, number>>;

/** `0.8`, or `unet 0.8, text_encoder 0.5`. */
export const strengthText = (strength: Strength): string =>
  typeof strength === "number"
    ? String(strength)
    : Object.entries(strength)
        .map(([component, one]) => `${component} ${one}`)
        .join(", ");

export interface DrawingForm {
  prompt: string;
  /** After the prompt, for style guidance. */
  style: string;
  /** Null for none: some models then see zeros instead of the empty text. */
  negative: string | null;
  model: string;
  /** The model that it was fine-tuned from; empty for none. */
  base: string;
  adapter: string;
  strength: Strength;
  /** More adapters, if a picture was made with several. */
  others: { name: string; strength: Strength }[];
  /** Null for the model's default, like steps and size; for the sampler that is the empty string. */
  scale: number | null;
  /** Of models that edit; null for the method's default. */
  imageScale: number | null;
  steps: number | null;
  seed: number;
  sampler: string;
  karras: boolean;
  clipSkip: number;
  /** Number type of matrix products; empty for the server's. */
  precision: string;
  /** Pixels. */
  width: number | null;
  height: number | null;
  /** The upload of a picture to start from. */
  image: string | null;
  /** The upload of its mask, or `painted`. */
  mask: string | null;
  /** The strength: how much of the picture is given up. */
  change: number;
}

export const usualDrawing: DrawingForm = {
  prompt: "a dog in the snow",
  style: "",
  negative: null,
  model: "",
  base: "",
  adapter: "",
  strength: 1,
  others: [],
  scale: null,
  imageScale: null,
  steps: null,
  seed: 0,
  sampler: "",
  karras: false,
  clipSkip: 0,
  precision: "",
  width: null,
  height: null,
  image: null,
  mask: null,
  change: 0.6,
};

/** Whether the model edits a picture by an instruction. */
export const editsPictures = ({ guidance }: Defaults, methods: readonly GuidanceMethod[]): boolean =>
  methods.some(({ name, needs }) => name === guidance && needs.includes("editing"));

/** Whether there is a weak model to steer away from. */
export const isSteered = ({ adapter, base }: Partial<DrawingForm>): boolean => Boolean(adapter || base);

/** The shared part of the job; each page adds its guidance. A model that edits sees all of the picture and takes no mask. */
export function drawingJob(form: DrawingForm, edits: boolean): PicturesJob {
  const {
    prompt,
    style,
    negative,
    model,
    base,
    adapter,
    strength,
    others,
    seed,
    sampler,
    karras,
    clipSkip,
    precision,
  } = form;
  return {
    ...(model && { model }),
    ...(base && { base }),
    ...(precision && { precision: precision as Precision["name"] }),
    adapters: adapter ? [{ name: adapter, strength }, ...others] : [],
    request: {
      prompt,
      ...(style && { style }),
      ...(negative !== null && { negative }),
      seed,
      karras,
      clipSkip,
      ...(sampler && { sampler: sampler as Sampler["name"] }),
      ...(form.steps !== null && { steps: form.steps }),
      ...(form.width !== null && { width: form.width }),
      ...(form.height !== null && { height: form.height }),
      ...(form.image !== null && {
        image: form.image,
        ...(!edits && { strength: form.change, ...(form.mask !== null && { mask: form.mask }) }),
      }),
    },
  };
}

/** The form that draws a picture again. */
export function drawingOf(recipe: NonNullable<GalleryPicture["recipe"]>): Partial<DrawingForm> {
  const { request, model, base = "", adapters, computed } = recipe;
  const {
    prompt,
    style = "",
    negative,
    scale,
    imageScale,
    steps,
    seed,
    sampler,
    karras,
    clipSkip,
    width,
    height,
  } = request;
  const [first, ...others] = adapters.map(({ name, strength }) => ({ name, strength }));
  return {
    negative: negative ?? null,
    ...{ prompt, style, model, base, steps, seed, sampler, karras, clipSkip, others },
    adapter: first?.name ?? "",
    strength: first?.strength ?? 1,
    width: width ?? null,
    height: height ?? null,
    image: request.image?.file ?? null,
    mask: request.mask?.file ?? null,
    ...(request.strength !== undefined && { change: request.strength }),
    // Older recipes do not record it: they are float32.
    precision: computed?.precision ?? "float32",
    ...(scale !== undefined && { scale }),
    ...(imageScale !== undefined && { imageScale }),
  };
}

/**
 * The server's defaults for the form's model, base and adapter, empty while the model is not downloaded; `adapters` are the existing
 * ones, and they are asked for again when `again` changes.
 */
export function useDefaults(
  { model, base, adapter }: Pick<DrawingForm, "model" | "base" | "adapter">,
  models: readonly string[] | undefined,
  adapters: readonly string[] | undefined,
  again = false,
): Defaults {
  const known = models && adapters && [model, base].every((name) => name === "" || models.includes(name));
  const asked = known ? { model, base, adapter: adapters.includes(adapter) ? adapter : "" } : undefined;
  const ask = async () => (asked ? tiller.defaults(asked) : {});
  return useAsked(ask, JSON.stringify([asked, again])).value ?? {};
}

/** A number field that may be empty, with the model's default as placeholder. */
export function OpenNumber(props: {
  label: string;
  value: number | null;
  usual: number | undefined;
  min: number;
  max: number;
  step?: number | "any";
  onChange: (value: number | null) => void;
}) {
  const { value, usual, onChange, ...rest } = props;
  return (
    <NumberField
      {...rest}
      value={value ?? undefined}
      usual={usual === undefined ? "the model's" : String(usual)}
      onChange={(typed) => onChange(Number.isFinite(typed) ? typed : null)}
    />
  );
}

interface Part {
  readonly form: DrawingForm;
  readonly change: (part: Partial<DrawingForm>) => void;
}

export function ModelAndAdapter(
  props: Part & {
    models: readonly string[] | undefined;
    adapters: readonly string[] | undefined;
  },
) {
  const { form, change, models, adapters } = props;
  return (
    <>
      {models && (models.length > 1 || form.model !== "") && (
        <Choice
          label="Model"
          value={form.model}
          names={models}
          none={models[0]!}
          onChange={(model) => change({ model })}
        />
      )}
      {models && (models.length > 1 || form.base !== "") && (
        <Choice label="Base" value={form.base} names={models} none="none" onChange={(base) => change({ base })} />
      )}
      <div className="row">
        <Choice
          label="Adapter"
          value={form.adapter}
          names={adapters}
          none="none"
          onChange={(adapter) => change({ adapter })}
        />
        <StrengthFields strength={form.strength} onChange={(strength) => change({ strength })} />
      </div>
      {form.others.length > 0 && (
        <small>
          and {form.others.map(({ name, strength }) => `${name} at ${strengthText(strength)}`).join(", ")}{" "}
          <button type="button" className="quiet" onClick={() => change({ others: [] })}>
            Remove
          </button>
        </small>
      )}
    </>
  );
}

/** One number, or one for each component that has its own. */
function StrengthFields({ strength, onChange }: { strength: Strength; onChange: (strength: Strength) => void }) {
  const field = (label: string, value: number, change: (value: number) => void) => (
    <NumberField key={label} label={label} value={value} min={-10} max={10} step="any" onChange={change} />
  );
  if (typeof strength === "number") return field("Strength", strength, onChange);
  return Object.entries(strength).map(([component, one]) =>
    field(`Strength, ${component}`, one, (value) => onChange({ ...strength, [component]: value })),
  );
}

/** A choice of the number types that the server's machine can compute in. */
export function PrecisionChoice(props: {
  value: string;
  /** For training, which has no int8. */
  training?: boolean;
  onChange: (precision: Precision["name"] | "") => void;
}) {
  const found = useAsked(tiller.precisions, 0).value;
  const usual = found?.find((one) => one.usual)?.name;
  const names = found?.map(({ name }) => name).filter((name) => !props.training || name !== "int8");
  return (
    <Choice
      label="Precision"
      value={props.value}
      names={names}
      none={usual ? `the server's, ${usual}` : "the server's"}
      onChange={(name) => props.onChange(name as Precision["name"] | "")}
    />
  );
}

/** Rarely changed settings. */
export function MoreSettings({ form, change, usual }: Part & { usual: Defaults }) {
  const samplers = useAsked(tiller.samplers, 0).value;
  const withKarras = samplers?.filter(({ karras }) => karras).map(({ name }) => name);
  const size = (label: string, key: "width" | "height") => (
    <OpenNumber
      label={label}
      value={form[key]}
      usual={usual[key]}
      min={8}
      max={2048}
      step={8}
      onChange={(value) => change({ [key]: value })}
    />
  );
  return (
    <details>
      <summary>More</summary>
      <Field label="Style">
        <input
          value={form.style}
          placeholder="such as: in digital art style"
          onChange={(e) => change({ style: e.target.value })}
        />
      </Field>
      <Field label="Negative prompt">
        <input value={form.negative ?? ""} onChange={(e) => change({ negative: e.target.value || null })} />
      </Field>
      {usual.sampler && usual.negative === undefined && !form.negative && (
        <label className="check">
          <input
            type="checkbox"
            checked={form.negative === ""}
            onChange={(e) => change({ negative: e.target.checked ? "" : null })}
          />
          Encode the empty negative prompt instead of zeros
        </label>
      )}
      <div className="row">
        <Choice
          label="Sampler"
          value={form.sampler}
          names={samplers?.map(({ name }) => name)}
          none={usual.sampler ? `the model's, ${usual.sampler}` : "the model's"}
          onChange={(sampler) => change({ sampler })}
        />
        {size("Width", "width")}
        {size("Height", "height")}
      </div>
      <div className="row">
        <NumberField
          label="Clip skip"
          value={form.clipSkip}
          min={0}
          max={12}
          onChange={(clipSkip) => change({ clipSkip })}
        />
        <PrecisionChoice value={form.precision} onChange={(precision) => change({ precision })} />
        <label className="check">
          <input type="checkbox" checked={form.karras} onChange={(e) => change({ karras: e.target.checked })} />
          Karras sigmas{withKarras && ` (${withKarras.join(", ")})`}
        </label>
      </div>
    </details>
  );
}
