/**
 * The blocks of a U-Net that omega may name: `down`, `mid` and `up` as in Diffusers' adapter strengths, which together are the whole
 * network, and each level on the way down and up, such as `down.1`. What comes before the first block, the embeddings of the timestep and
 * of sizes included, counts as `down`, and what comes after the last as `up`.
 */
export const unetBlocks: Readonly<Record<string, (path: string) => readonly string[]>> = {
  unet(path) {
    const [, block, level] = /^(down|up)_blocks\.(\d+)\./.exec(path) ?? [];
    if (block !== undefined) return [`${block}.${level}`, block];
    if (path.startsWith("mid_block.")) return ["mid"];
    return [/^conv_(norm_)?out\b/.test(path) ? "up" : "down"];
  },
};
