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
  for (const { from, to, name, as } of files) {
    const before = spent();
    const isTooMuch = () => spent() - before > mostSeconds;
    const tooMuch = { name, why: "it is too much work to decode" };
    const watch = setInterval(() => isTooMuch() && end(tooMuch), 100);
    try {
      const picture = sharp(from, { limitInputPixels: mostPixels, failOn: "error" }).autoOrient();
      await (await readAs(as, picture))
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

/**
 * What the file stands for: a picture, by default; a mask whose transparent part is repainted, or the white part if nothing is
 * transparent; or a mask whose black part is repainted.
 *
 * @param {"transparent mask" | "black mask" | undefined} as
 * @param {import("sharp").Sharp} picture
 */
async function readAs(as, picture) {
  if (as === "transparent mask") {
    const alpha = picture.clone().ensureAlpha().extractChannel("alpha").raw({ depth: "uchar" });
    const { data, info } = await alpha.toBuffer({ resolveWithObject: true });
    const white = data.map((value) => (value === 0 ? 255 : 0));
    if (white.includes(255)) return sharp(white, { raw: { width: info.width, height: info.height, channels: 1 } });
  }
  const flat = picture.flatten({ background: "white" });
  return as === "black mask" ? flat.negate({ alpha: false }) : flat;
}

// The server has exited.
process.once("disconnect", () => process.exit());

/** Reports the outcome and stops any decoding. @param {object} outcome */
const end = (outcome) => process.send?.(outcome, () => process.exit());
