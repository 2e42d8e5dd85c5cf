/** Many pictures on one labelled sheet. */
import sharp from "sharp";
import type { Pixels } from "../pixels.ts";
import { breakLines, drawLines, type Line, measure } from "./lettering.ts";

/** Everything on a sheet except its pictures. */
export interface SheetPlan {
  /** Above the pictures. */
  readonly title: string;
  /** What all the pictures have in common. */
  readonly subtitle?: string;
  /** Cells below each other. */
  readonly rows: number;
  /** Cells side by side. */
  readonly columns: number;
  /** One per row; the parts of a label may be stacked. */
  readonly rowLabels?: readonly (readonly string[])[];
  /** One per column. */
  readonly columnLabels?: readonly string[];
  /** Below the pictures, row by row. */
  readonly captions?: readonly string[];
  /** Of every picture, in pixels. */
  readonly picture: { readonly width: number; readonly height: number };
}

/** A sheet that is filled picture by picture. */
export interface ContactSheet {
  /** Draws a picture into its cell, scaled. Pictures are not kept, so memory does not grow with their number. */
  place(row: number, column: number, picture: Pixels): Promise<void>;
  /** The sheet as a PNG file. Cells without a picture stay empty. */
  render(): Promise<Uint8Array>;
}

/** Limits on the pixels of all cells together and of the sheet's longer side, so that viewers can open it. */
const mostPixels = 36_000_000;
const longestSide = 16_000;
/** Smaller pictures are enlarged by an integer factor, without smoothing. */
const smallestCell = 128;
const narrowestSheet = 520;

const paper = { r: 0xfb, g: 0xfa, b: 0xf8 };
const hollow = { r: 0xef, g: 0xed, b: 0xe9 };
const ink = "#1d1c1a";
const faint = "#6f6b64";

/**
 * Starts an empty sheet of `rows` x `columns` cells.
 *
 * @throws RangeError if labels or captions do not match the cells.
 */
export function createContactSheet(plan: SheetPlan): ContactSheet {
  const { rows, columns } = plan;
  expectLength("row labels", plan.rowLabels, rows);
  expectLength("column labels", plan.columnLabels, columns);
  if ((plan.captions?.length ?? 0) > rows * columns) throw new RangeError("more captions than cells");
  const layout = layOut(plan);
  const { width, height, cell } = layout;
  const canvas = Buffer.alloc(width * height * 3);
  fill(canvas, width, { left: 0, top: 0, width, height }, paper);
  const box = (row: number, column: number) => ({
    left: layout.left + column * layout.pitch.x,
    top: layout.top + row * layout.pitch.y,
    ...cell,
  });
  const empty = new Set(Array.from({ length: rows * columns }, (_, index) => index));

  return {
    async place(row, column, { width: w, height: h, data }) {
      if (!(row >= 0 && row < rows && column >= 0 && column < columns)) {
        throw new RangeError(`cell ${row}, ${column} of a sheet of ${rows} x ${columns}`);
      }
      const scaled = await sharp(data, { raw: { width: w, height: h, channels: 3 } })
        .resize(cell.width, cell.height, { fit: "fill", kernel: w < cell.width ? "nearest" : "lanczos3" })
        .raw()
        .toBuffer();
      const { left, top } = box(row, column);
      for (let y = 0; y < cell.height; y++) {
        scaled.copy(canvas, ((top + y) * width + left) * 3, y * cell.width * 3, (y + 1) * cell.width * 3);
      }
      empty.delete(row * columns + column);
    },
    async render() {
      const drawn = plan.captions?.length ?? rows * columns;
      for (const index of empty) {
        if (index < drawn) fill(canvas, width, box(Math.floor(index / columns), index % columns), hollow);
      }
      return sharp(canvas, { raw: { width, height, channels: 3 } })
        .composite([{ input: Buffer.from(drawLines(layout.lines, width, height)) }])
        .removeAlpha()
        .png()
        .toBuffer();
    },
  };
}

function layOut(plan: SheetPlan) {
  const { rows, columns, rowLabels, columnLabels, captions } = plan;
  const cell = cellSize(plan);
  const gutter = Math.max(2, Math.round(cell.width / 50));
  const letters = clamp(Math.round(cell.width / 17), 11, 26);
  const leading = Math.round(letters * 1.35);
  const margin = letters * 2;
  const titleSize = Math.round(letters * 1.35);

  // The parts of a row label are stacked if the cell is tall enough, else they share a line.
  const tall = Math.max(0, ...(rowLabels ?? []).map((parts) => parts.length)) * leading <= cell.height;
  const rowLines = (rowLabels ?? []).map((parts) => (tall ? parts : [parts.join("  ")]));
  const rowSize = Math.min(letters, Math.max(6, Math.floor((cell.height + gutter) * 0.8)));
  const labelWidth = rowLabels ? Math.ceil(measure(rowLines.flat(), rowSize)) + letters : 0;

  const columnSize = fitting(columnLabels ?? [], cell.width, letters);
  const captionSize = fitting(captions ?? [], cell.width, Math.round(letters * 0.92));
  const captionHeight = captions ? Math.round(captionSize * 2.1) : 0;

  const pitch = { x: cell.width + gutter, y: cell.height + captionHeight + gutter };
  const left = margin + labelWidth;
  const width = Math.max(narrowestSheet, left + columns * pitch.x - gutter + margin);

  const title = breakLines(plan.title, width - 2 * margin, titleSize, 2, true);
  const subtitle = breakLines(plan.subtitle ?? "", width - 2 * margin, letters, 2);
  const lines: Line[] = [];
  let y = margin;
  for (const text of title) {
    y += Math.round(titleSize * 1.3);
    lines.push({ text, x: margin, y: y - Math.round(titleSize * 0.3), size: titleSize, colour: ink, bold: true });
  }
  for (const text of subtitle) {
    y += leading;
    lines.push({ text, x: margin, y: y - Math.round(letters * 0.25), size: letters, colour: faint });
  }
  if (lines.length > 0) y += letters;
  if (columnLabels) {
    y += leading;
    for (const [column, text] of columnLabels.entries()) {
      const x = left + column * pitch.x + cell.width / 2;
      lines.push({ text, x, y: y - Math.round(letters * 0.45), size: columnSize, colour: ink, anchor: "middle" });
    }
    y += Math.round(letters * 0.15);
  }
  const top = y;
  for (const [row, parts] of rowLines.entries()) {
    const middle = top + row * pitch.y + cell.height / 2;
    for (const [index, text] of parts.entries()) {
      const baseline = middle + (index - (parts.length - 1) / 2) * leading + rowSize * 0.36;
      const x = left - Math.round(letters * 0.6);
      lines.push({ text, x, y: baseline, size: rowSize, colour: index === 0 ? ink : faint, anchor: "end" });
    }
  }
  for (const [index, caption] of (captions ?? []).entries()) {
    const x = left + (index % columns) * pitch.x;
    const baseline = top + Math.floor(index / columns) * pitch.y + cell.height + captionSize * 1.25;
    lines.push({ text: caption, x, y: baseline, size: captionSize, colour: ink });
  }
  const height = top + rows * pitch.y - gutter + margin;
  return { width, height, left, top, pitch, cell, lines };
}

function cellSize({ picture, rows, columns }: SheetPlan) {
  const { width, height } = picture;
  const most = Math.min(
    Math.sqrt(mostPixels / (rows * columns * width * height)),
    longestSide / (columns * width),
    longestSide / (rows * height),
  );
  const wanted = Math.max(1, Math.ceil(smallestCell / width));
  const factor = most >= wanted ? wanted : most >= 1 ? Math.floor(most) : most;
  return { width: Math.max(2, Math.round(width * factor)), height: Math.max(2, Math.round(height * factor)) };
}

/** The largest size up to `wanted` at which every text is at most `width` wide. */
function fitting(texts: readonly string[], width: number, wanted: number): number {
  const widest = measure(texts, wanted);
  return widest <= width ? wanted : Math.max(5, Math.floor((wanted * width) / widest));
}

function fill(
  canvas: Buffer,
  stride: number,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
  { r, g, b }: { r: number; g: number; b: number },
) {
  const row = Buffer.alloc(width * 3);
  for (let x = 0; x < width; x++) row.set([r, g, b], x * 3);
  for (let y = top; y < top + height; y++) row.copy(canvas, (y * stride + left) * 3);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function expectLength(what: string, labels: readonly unknown[] | undefined, length: number): void {
  if (labels && labels.length !== length) throw new RangeError(`${labels.length} ${what} for ${length}`);
}
