/**
 * Reads uploaded pictures, upright and in sRGB, and writes them as PNG files: in a process of its own, so that a picture
 * made to harm ends this process and not the server. Plain JavaScript, for the file beside it may be source or build.
 */
import sharp from "sharp";

// Formats that people have pictures in; not those that draw, or that read further files.
const formats = ["Jpeg", "Png", "Webp", "Heif", "Tiff", "Nsgif"];
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: formats.map((format) => `VipsForeignLoad${format}`) });
sharp.cache(false);

process.once("message", async ({ files, mostPixels, largestSide }) => {
  let answer = {};
  for (const { from, to, name } of files) {
    try {
      await sharp(from, { limitInputPixels: mostPixels, failOn: "error" })
        .autoOrient()
        .flatten({ background: "white" })
        .toColourspace("srgb")
        .resize({ width: largestSide, height: largestSide, fit: "inside", withoutEnlargement: true })
        .png()
        .toFile(to);
    } catch (error) {
      answer = { name, why: String(error instanceof Error ? error.message : error).split("\n")[0] };
      break;
    }
  }
  process.send?.(answer, () => process.disconnect());
});
