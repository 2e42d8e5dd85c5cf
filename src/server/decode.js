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

/** Seconds that processors spent on this process: on a busy machine a picture takes longer, but not more of these. */
const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

process.once("message", async ({ files, mostPixels, mostSeconds, largestSide }) => {
  for (const { from, to, name } of files) {
    const before = spent();
    const isTooMuch = () => spent() - before > mostSeconds;
    const tooMuch = { name, why: "it is too much work to decode" };
    const watch = setInterval(() => isTooMuch() && end(tooMuch), 100);
    try {
      await sharp(from, { limitInputPixels: mostPixels, failOn: "error" })
        .autoOrient()
        .flatten({ background: "white" })
        .toColourspace("srgb")
        .resize({ width: largestSide, height: largestSide, fit: "inside", withoutEnlargement: true })
        .png()
        .toFile(to);
    } catch (error) {
      return end({ name, why: String(error instanceof Error ? error.message : error).split("\n")[0] });
    } finally {
      clearInterval(watch);
    }
    if (isTooMuch()) return end(tooMuch);
    process.send?.("read");
  }
  end({});
});

// The server is gone.
process.once("disconnect", () => process.exit());

/** Says how it went, and stops whatever is still being decoded. @param {object} outcome */
const end = (outcome) => process.send?.(outcome, () => process.exit());
