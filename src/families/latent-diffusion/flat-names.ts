/** kohya's names: a module's path with "_" for ".", in Diffusers' or in LDM's naming. Looked up, never parsed. */

const inResnet: Readonly<Record<string, string>> = {
  norm1: "in_layers.0",
  norm2: "out_layers.0",
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  conv2: "out_layers.3",
  conv_shortcut: "skip_connection",
};

const outer: Readonly<Record<string, string>> = {
  "time_embedding.linear_1": "time_embed.0",
  "time_embedding.linear_2": "time_embed.2",
  "add_embedding.linear_1": "label_emb.0.0",
  "add_embedding.linear_2": "label_emb.0.2",
  conv_in: "input_blocks.0.0",
  conv_norm_out: "out.0",
  conv_out: "out.2",
};

/** Maps every flat name of each module to its path. */
export function flatNames(modules: Iterable<string>): ReadonlyMap<string, string> {
  const paths = [...modules];
  const perBlock = paths.filter((path) => /^down_blocks\.0\.resnets\.\d+\.conv1$/.test(path)).length;
  const attends = new Set(paths.map((path) => /^up_blocks\.(\d+)\.attentions\./.exec(path)?.[1]));
  const table = new Map<string, string>();
  for (const path of paths) {
    for (const name of [path, ldmName(path, perBlock, (block) => attends.has(block))]) {
      if (name !== undefined) table.set(name.replaceAll(".", "_"), path);
    }
  }
  return table;
}

/** LDM numbers blocks consecutively: from input_blocks.1, level 0's resnets, its downsampler, level 1's resnets, and so on. */
function ldmName(path: string, perBlock: number, attends: (upBlock: string) => boolean): string | undefined {
  if (outer[path] !== undefined) return outer[path];
  const middle = /^mid_block\.(resnets|attentions)\.(\d)\.(.+)$/.exec(path);
  if (middle) {
    const [, kind, index, rest] = middle as unknown as [string, string, string, string];
    return `middle_block.${kind === "attentions" ? 1 : 2 * Number(index)}.${inner(kind, rest)}`;
  }
  const block = /^(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(path);
  if (!block) return undefined;
  const [, direction, level, kind, layer, rest] = block as unknown as [string, string, string, string, string, string];
  const first = Number(level) * (perBlock + 1) + (direction === "down" ? 1 : 0);
  const blocks = direction === "down" ? "input_blocks" : "output_blocks";
  if (kind === "downsamplers") return `${blocks}.${first + perBlock}.0.op`;
  if (kind === "upsamplers") return `${blocks}.${first + perBlock}.${attends(level) ? 2 : 1}.conv`;
  return `${blocks}.${first + Number(layer)}.${kind === "attentions" ? 1 : 0}.${inner(kind, rest)}`;
}

const inner = (kind: string, rest: string): string => (kind === "resnets" ? (inResnet[rest] ?? rest) : rest);
