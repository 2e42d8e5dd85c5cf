/** A picture to start from, dropped or chosen: with a mask that is painted on it or chosen, or to be edited as a whole. */
import { type PointerEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import { DropArea, Field, PictureFiles, Problem } from "./parts.tsx";
import type { DrawingForm } from "./settings.tsx";
import { tiller } from "./tiller.ts";

/** The mask is on the canvas and not uploaded yet. */
export const painted = "painted";

/** An upload's first picture. */
const urlOf = (id: string) => tiller.uploads.urls({ id, pictures: 1 })[0]!;

export interface FromPictureProps {
  readonly form: DrawingForm;
  readonly change: (part: Partial<DrawingForm>) => void;
  /** Of the picture's size: white where it is repainted, transparent elsewhere. */
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  /** Whether the model edits the whole picture, so that there is nothing to paint. */
  readonly edits: boolean;
}

export function FromPicture({ form, change, canvas, edits }: FromPictureProps) {
  const { image, mask } = form;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [brush, setBrush] = useState(12);
  const at = useRef<readonly [number, number]>(undefined);
  const maskFile = useId();

  // A mask that was only painted is gone with the page.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only for the form that the page was opened with.
  useEffect(() => {
    if (mask === painted) change({ mask: null });
  }, []);

  /** Uploads the first of the files and hands over its id. */
  async function take(files: FileList | null, use: (id: string) => void) {
    const given = files?.[0];
    if (!given) return;
    setProblem("");
    setBusy(true);
    await tiller.uploads.add([given]).then(
      ({ id }) => use(id),
      (error: Error) => setProblem(error.message),
    );
    setBusy(false);
  }

  /** Fits the canvas to the picture and shows the mask that is already there. */
  async function prepare(picture: HTMLImageElement) {
    const { naturalWidth: width, naturalHeight: height } = picture;
    Object.assign(canvas.current!, { width, height });
    if (mask !== null && mask !== painted) await show(mask);
  }

  /** Shows an uploaded mask. */
  async function show(id: string) {
    const shown = new Image();
    shown.src = urlOf(id);
    await shown.decode();
    // The page may have been left meanwhile.
    const to = canvas.current?.getContext("2d");
    if (!to) return;
    const { width, height } = to.canvas;
    if (shown.naturalWidth !== width || shown.naturalHeight !== height)
      return setProblem(
        `the mask is ${shown.naturalWidth}x${shown.naturalHeight}, and the picture is ${width}x${height}: make them the same size`,
      );
    to.globalCompositeOperation = "copy";
    to.drawImage(shown, 0, 0);
    const pixels = to.getImageData(0, 0, width, height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const white = pixels.data[i + 1]! >= 128;
      pixels.data.fill(white ? 255 : 0, i, i + 4);
    }
    to.putImageData(pixels, 0, 0);
    to.globalCompositeOperation = "source-over";
    change({ mask: id });
  }

  function paint(event: PointerEvent<HTMLCanvasElement>) {
    if (event.buttons !== 1) return;
    const { canvas: on } = event.currentTarget.getContext("2d")!;
    const box = on.getBoundingClientRect();
    const here = [
      ((event.clientX - box.left) * on.width) / box.width,
      ((event.clientY - box.top) * on.height) / box.height,
    ] as const;
    const to = on.getContext("2d")!;
    Object.assign(to, {
      strokeStyle: "white",
      lineCap: "round",
      lineWidth: (brush / 100) * Math.max(on.width, on.height),
    });
    to.beginPath();
    to.moveTo(...(at.current ?? here));
    to.lineTo(...here);
    to.stroke();
    at.current = here;
    change({ mask: painted });
  }

  function clear() {
    const on = canvas.current!;
    on.getContext("2d")!.clearRect(0, 0, on.width, on.height);
    change({ mask: null });
  }

  return (
    <details key={String(edits)} open={edits || image !== null || undefined}>
      <summary>{edits ? "The picture" : "From a picture"}</summary>
      <DropArea
        one
        small={image !== null}
        onFiles={(files) => void take(files, (id) => change({ image: id, mask: null }))}
      >
        {busy
          ? "being uploaded…"
          : image
            ? "Drop another picture"
            : `Drop a picture to ${edits ? "edit" : "start from"}`}
      </DropArea>
      <Problem text={problem} />
      {image !== null && edits && (
        <div className="painted">
          <img
            src={urlOf(image)}
            alt="to edit"
            onError={() => setProblem("this picture is no longer here: drop it again")}
          />
        </div>
      )}
      {image !== null && !edits && (
        <>
          <div className="painted">
            <img
              key={image}
              src={urlOf(image)}
              alt="to start from"
              onLoad={(e) => void prepare(e.currentTarget)}
              onError={() => setProblem("this picture is no longer here: drop it again")}
            />
            <canvas
              ref={canvas}
              aria-label="paint what to repaint"
              onPointerDown={(e) => {
                e.currentTarget.setPointerCapture(e.pointerId);
                at.current = undefined;
                paint(e);
              }}
              onPointerMove={paint}
            />
          </div>
          <Field
            label={`Denoising strength ${form.change.toFixed(2)}`}
            hint={mask === null ? "how much of the picture is given up" : "of what is painted white; the rest stays"}
          >
            <input
              type="range"
              min={0.05}
              max={1}
              step={0.05}
              value={form.change}
              onChange={(e) => change({ change: e.target.valueAsNumber })}
            />
          </Field>
          <Field label="Brush" hint="paint on the picture what is repainted">
            <input type="range" min={2} max={40} value={brush} onChange={(e) => setBrush(e.target.valueAsNumber)} />
          </Field>
          <div className="row">
            <button type="button" disabled={mask === null} onClick={clear}>
              Clear the mask
            </button>
            <label htmlFor={maskFile} className="button">
              <PictureFiles one id={maskFile} onFiles={(files) => void take(files, (id) => void show(id))} />
              <span>Choose a mask</span>
            </label>
            <button type="button" onClick={() => change({ image: null, mask: null })}>
              Without a picture
            </button>
          </div>
        </>
      )}
    </details>
  );
}

/** A mask in black and white, as a file. */
export async function maskOf(canvas: HTMLCanvasElement): Promise<Blob> {
  const { width, height } = canvas;
  const flat = new OffscreenCanvas(width, height);
  const to = flat.getContext("2d")!;
  to.fillRect(0, 0, width, height);
  to.drawImage(canvas, 0, 0);
  return flat.convertToBlob({ type: "image/png" });
}
