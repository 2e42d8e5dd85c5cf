/** Gallery: every picture with its recipe. */
import { useState } from "react";
import { type GalleryPicture, gallery, pictureUrl, removePicture } from "./api.ts";
import type { CreateForm } from "./create.tsx";
import { download } from "./parts.tsx";
import { useAsked } from "./state.ts";

const pageSize = 48;

export function Gallery({ onReuse }: { onReuse: (form: Partial<CreateForm>) => void }) {
  const [page, setPage] = useState(0);
  const [version, setVersion] = useState(0);
  const [open, setOpen] = useState<GalleryPicture>();
  const found = useAsked(() => gallery(page * pageSize, pageSize), `${page} ${version}`);
  if (found?.total === 0) return <p>No pictures yet. Create some.</p>;

  async function remove(id: string) {
    await removePicture(id);
    setOpen(undefined);
    setVersion((v) => v + 1);
  }
  function reuse({ recipe }: GalleryPicture) {
    if (!recipe) return;
    const { prompt, negative, scale, steps, seed, omega, guidance } = recipe.request;
    onReuse({
      prompt,
      negative,
      ...(scale !== undefined && { scale }),
      steps,
      seed,
      omega: guidance === "cfg" ? 1 : Math.round(omega * 10) / 10,
      adapter: recipe.adapters[0]?.name ?? "",
    });
  }

  return (
    <>
      <div className="tiles">
        {found?.pictures.map((picture) => (
          <button type="button" key={picture.id} onClick={() => setOpen(picture)}>
            <img src={pictureUrl(picture.id)} alt={picture.recipe?.request.prompt ?? "a picture"} loading="lazy" />
          </button>
        ))}
      </div>
      {found && (found.total > pageSize || page > 0) && (
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
        <dialog open className="detail" aria-label="a picture and its recipe">
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
              <button type="button" className="main" onClick={() => reuse(open)}>
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
          </div>
        </dialog>
      )}
    </>
  );
}
