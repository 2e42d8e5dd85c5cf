/**
 * Decodes uploaded pictures, upright and in sRGB, and writes them as PNG files, in a separate process, so that a malicious
 * picture crashes this process and not the server. Plain JavaScript, so that it runs from source and from the build.
 */
import sharp from "sharp";

// Common picture formats; none that render vectors or read other files.
const formats = ["Jpeg", "Png", "Webp", "Heif", "Tiff", "Nsgif"];
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: formats.map((format) => `VipsForeignLoad${format}`) });
sharp.cache(false);

/** Processor seconds of this process, which do not grow on a busy machine. */
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

// The server has exited.
process.once("disconnect", () => process.exit());

/** Reports the outcome and stops any decoding. @param {object} outcome */
const end = (outcome) => process.send?.(outcome, () => process.exit());
