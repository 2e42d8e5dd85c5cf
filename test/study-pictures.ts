/** Pictures on disk for a study: two methods of two subjects, each picture in a colour of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

export const methods = ["Fern", "Moss"] as const;
export const subjects = ["red_dog", "grey_cat"] as const;

/** The colour of a method's picture, or of the subject's own, which the file's bytes do not tell. */
export const colourOf = (method: number, subject: number, picture: number) => ({
  r: 40 + 60 * method,
  g: 50 + 90 * subject,
  b: 30 + 20 * picture,
});

export interface StudyPictures {
  /** The study's file. */
  readonly file: string;
  /** The folders of its setting. */
  readonly setting: {
    readonly name: string;
    readonly references: string;
    readonly token: string;
    readonly methods: Readonly<Record<string, string>>;
  };
}

/** Writes them, `count` sets a subject, and a study's file beside them. */
export async function writeStudyPictures(folder: string, count: number, settings: object = {}): Promise<StudyPictures> {
  const draw = async (file: string, background: ReturnType<typeof colourOf>) =>
    sharp({ create: { width: 48, height: 32, channels: 3, background } })
      .withExif({ IFD0: { ImageDescription: "made by the method of this folder" } })
      .png()
      .toFile(file);
  for (const [s, subject] of subjects.entries()) {
    const own = join(folder, "references", subject);
    await mkdir(own, { recursive: true });
    await draw(join(own, "own.png"), colourOf(2, s, 0));
    for (const [m, method] of methods.entries()) {
      const place = join(folder, method, subject);
      await mkdir(place, { recursive: true });
      for (let i = 0; i < count; i++) {
        await draw(join(place, `${i}.png`), colourOf(m, s, i));
        const noun = subject === "red_dog" ? "dog" : "animal";
        await writeFile(join(place, `${i}.txt`), `a sks ${noun} in place ${i}`);
      }
    }
  }
  const setting = {
    name: "two plants",
    references: join(folder, "references"),
    token: "sks",
    methods: Object.fromEntries(methods.map((method) => [method, join(folder, method)])),
  };
  const file = join(folder, "study.json");
  await writeFile(file, JSON.stringify({ title: "Which one?", sets: 2 * count, settings: [setting], ...settings }));
  return { file, setting };
}

/** The names of a PNG file's chunks. */
export function chunksOf(png: Buffer): string[] {
  const names: string[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) names.push(png.toString("latin1", at + 4, at + 8));
  return names;
}
