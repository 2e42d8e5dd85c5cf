/** Gallery: every picture with its recipe. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import { type GalleryPicture, gallery, pictureUrl, removePicture } from "./api.ts";
import type { usualComparison } from "./compare.tsx";
import type { CreateForm } from "./create.tsx";
import { download, Problem } from "./parts.tsx";
import { useAsked } from "./state.ts";

const pageSize = 48;

export interface Reuse {
  readonly create: (form: Partial<CreateForm>) => void;
  readonly compare: (form: Partial<typeof usualComparison>) => void;
}

export function Gallery({ reuse }: { reuse: Reuse }) {
  const [page, setPage] = useState(0);
  const [version, setVersion] = useState(0);
  const [open, setOpen] = useState<GalleryPicture>();
  const [problem, setProblem] = useState("");
  const { value: found, problem: missing } = useAsked(() => gallery(page * pageSize, pageSize), `${page} ${version}`);
  if (!found) return <Problem text={missing?.message ?? ""} />;
  if (found.total === 0) return <p>No pictures yet. Create some.</p>;

  async function remove(id: string) {
    try {
      await removePicture(id);
      setOpen(undefined);
      setVersion((v) => v + 1);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }
  /** In Create, whose dial is pg's; other methods are drawn in Compare. */
  function drawAgain({ recipe }: GalleryPicture) {
    if (!recipe) return;
    const { prompt, negative, scale, steps, seed, omega, guidance, sampler, width, height } = recipe.request;
    const [adapter] = recipe.adapters;
    const common = {
      prompt,
      model: recipe.model,
      adapter: adapter?.name ?? "",
      steps,
      seed,
      ...(scale !== undefined && { scale }),
    };
    if (guidance !== "pg" && guidance !== "cfg") {
      return reuse.compare({ ...common, methods: [guidance], omegas: String(omega), seeds: 1 });
    }
    reuse.create({
      ...common,
      negative,
      strength: adapter?.strength ?? 1,
      sampler,
      width: width ?? null,
      height: height ?? null,
      omega: guidance === "cfg" ? 1 : Math.min(1, Math.max(0, Math.round(omega * 10) / 10)),
    });
  }

  return (
    <>
      <div className="tiles">
        {found.pictures.map((picture) => (
          <button type="button" key={picture.id} onClick={() => setOpen(picture)}>
            <img src={pictureUrl(picture.id)} alt={picture.recipe?.request.prompt ?? "a picture"} loading="lazy" />
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
          <img src={pictureUrl(open.id)} alt={open.recipe?.request.prompt ?? "a picture"} />
          <div>
            {open.recipe && (
              <dl>
                {[
                  ["prompt", open.recipe.request.prompt],
                  ["guidance", `${open.recipe.request.guidance}, omega ${open.recipe.request.omega}`],
                  ["seed", open.recipe.request.seed],
                  ["steps", open.recipe.request.steps],
                  ["model", open.recipe.model],
                  [
                    "adapters",
                    open.recipe.adapters.map(({ name, strength }) => `${name} ${strength}`).join(", ") || "none",
                  ],
                ].map(([name, value]) => (
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
              <button type="button" onClick={() => remove(open.id)}>
                Delete
              </button>
              <button type="button" onClick={() => setOpen(undefined)}>
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

/** A window over the page that Escape closes too. */
function Modal({ label, onClose, children }: { label: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="detail" aria-label={label} onClose={onClose}>
      {children}
    </dialog>
  );
}
