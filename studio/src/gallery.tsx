/** Gallery: every picture with its recipe. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { GalleryPicture, GuidanceMethod } from "tillerjs/client";
import type { ComparisonForm } from "./compare.tsx";
import { type CreateForm, usualStops } from "./create.tsx";
import { download, Problem } from "./parts.tsx";
import { drawingOf, isSteered, strengthText } from "./settings.tsx";
import { useAsked } from "./state.ts";
import { tiller } from "./tiller.ts";

type Recipe = NonNullable<GalleryPicture["recipe"]>;

const pageSize = 48;

export interface Reuse {
  readonly create: (form: Partial<CreateForm>) => void;
  readonly compare: (form: Partial<ComparisonForm>) => void;
}

export function Gallery({ reuse }: { reuse: Reuse }) {
  const [page, setPage] = useState(0);
  const [version, setVersion] = useState(0);
  const [open, setOpen] = useState<GalleryPicture>();
  const [problem, setProblem] = useState("");
  /** The picture whose Delete was clicked once. */
  const [sure, setSure] = useState("");
  const { value: found, problem: missing } = useAsked(
    () => tiller.pictures.list({ from: page * pageSize, count: pageSize }),
    `${page} ${version}`,
  );
  const methods = useAsked(tiller.guidanceMethods, 0).value ?? [];
  const tiles = useRef<HTMLDivElement>(null);
  /** The index of a deleted picture: the focus moves to the one that replaces it. */
  const gap = useRef<number>(undefined);
  useEffect(() => {
    if (!found || gap.current === undefined) return;
    const left = tiles.current?.querySelectorAll("button");
    left?.[Math.min(gap.current, left.length - 1)]?.focus();
    gap.current = undefined;
  }, [found]);
  if (!found) return <Problem text={missing?.message ?? ""} />;
  if (found.total === 0) return <p>No pictures yet. Create some.</p>;

  async function remove(id: string) {
    try {
      await tiller.pictures.remove(id);
      gap.current = found?.pictures.findIndex((picture) => picture.id === id);
      setOpen(undefined);
      setVersion((v) => v + 1);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }
  /** Opens Create, whose dial is for pg, also in editing, or Compare for other methods. */
  function drawAgain({ recipe }: GalleryPicture) {
    if (!recipe) return;
    const { omega = 1, guidance, weakRows = "unconditional" } = recipe.request;
    const drawing = drawingOf(recipe);
    const plain = guidance === "cfg" || guidance === "cfg-edit";
    const steered = guidance === "pg" || (guidance === "pg-edit" && weakRows === "unconditional");
    const dialled = plain || (steered && typeof omega === "number" && omega >= 0 && omega <= 1 && isSteered(drawing));
    if (!dialled) {
      const values = Object.fromEntries(settingsIn(recipe, methods).map(({ label, value }) => [label, String(value)]));
      return reuse.compare({ ...drawing, methods: [guidance], values, seeds: 1 });
    }
    const at = plain || typeof omega !== "number" ? 1 : omega;
    reuse.create({ ...drawing, omega: at, between: usualStops.includes(at) ? null : at });
  }

  return (
    <>
      <div className="tiles" ref={tiles}>
        {found.pictures.map((picture) => (
          <button
            type="button"
            key={picture.id}
            onClick={() => {
              setOpen(picture);
              setSure("");
              setProblem("");
            }}
          >
            <img
              src={tiller.pictures.url(picture.id)}
              alt={picture.recipe?.request.prompt ?? "a picture"}
              loading="lazy"
            />
          </button>
        ))}
      </div>
      {(found.total > pageSize || page > 0) && (
        <div className="row">
          <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            Newer
          </button>
          <button type="button" disabled={(page + 1) * pageSize >= found.total} onClick={() => setPage(page + 1)}>
            Older
          </button>
        </div>
      )}
      {open && (
        <Modal label="a picture and its recipe" onClose={() => setOpen(undefined)}>
          <img src={tiller.pictures.url(open.id)} alt={open.recipe?.request.prompt ?? "a picture"} />
          <div>
            {open.recipe && (
              <dl>
                {linesOf(open, open.recipe, methods).map(([name, value]) => (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                  </div>
                ))}
              </dl>
            )}
            <div className="row">
              <button type="button" className="main" onClick={() => drawAgain(open)}>
                Use again
              </button>
              <button type="button" onClick={() => download(open.id)}>
                Download
              </button>
              <button type="button" onClick={() => (sure === open.id ? remove(open.id) : setSure(open.id))}>
                {sure === open.id ? "Delete forever" : "Delete"}
              </button>
              {/* Closes like Escape, which returns the focus. */}
              <button type="button" onClick={(e) => e.currentTarget.closest("dialog")?.close()}>
                Close
              </button>
            </div>
            <Problem text={problem} />
          </div>
        </Modal>
      )}
    </>
  );
}

/** The settings of the recipe's method, with the recipe's values. */
function settingsIn(
  { request }: Recipe,
  methods: readonly GuidanceMethod[],
): { label: string; value: number | string; isTold: boolean }[] {
  const values: Readonly<Record<string, unknown>> = request;
  const { settings = [] } = methods.find(({ name }) => name === request.guidance) ?? {};
  return settings.map(({ name, label, default: usual, told }) => ({
    label,
    value: (values[name] as typeof usual) ?? usual,
    isTold: told !== "when changed" || values[name] !== undefined,
  }));
}

/** All entries of a recipe, except unused ones. */
function linesOf(
  { width, height }: GalleryPicture,
  recipe: Recipe,
  methods: readonly GuidanceMethod[],
): [string, string | number][] {
  const { request, model, base, adapters, computed } = recipe;
  const { guidance, style, negative, sampler, karras, clipSkip } = request;
  const told = settingsIn(recipe, methods).filter(({ isTold }) => isTold);
  const settings = [guidance, ...told.map(({ label, value }) => `${label} ${value}`)];
  return [
    ["prompt", request.prompt],
    ...(style ? [["style", style] as [string, string]] : []),
    ...(negative ? [["avoided", negative] as [string, string]] : []),
    ...(negative === undefined ? [["null row", "zeros"] as [string, string]] : []),
    ["guidance", settings.join(", ")],
    ["sampler", `${sampler}${karras ? ", Karras" : ""}, ${request.steps} steps`],
    ["seed", request.seed],
    ...(request.image
      ? [
          ["from", `a picture${request.mask ? " with a mask" : ""}, denoising strength ${request.strength}`] as [
            string,
            string,
          ],
        ]
      : []),
    ["size", `${width} x ${height}`],
    ...(clipSkip > 0 ? [["clip skip", clipSkip] as [string, number]] : []),
    ["model", model],
    ...(base === undefined ? [] : [["base", base] as [string, string]]),
    ["adapters", adapters.map(({ name, strength }) => `${name} ${strengthText(strength)}`).join(", ") || "none"],
    ...(computed ? [["computed", `in ${computed.precision} on ${computed.device}`] as [string, string]] : []),
  ];
}

/** A modal dialog that Escape also closes. */
function Modal({ label, onClose, children }: { label: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="detail" aria-label={label} onClose={onClose}>
      {children}
    </dialog>
  );
}
