/** The text side: two CLIP text encoders, whose penultimate states are joined, and the second one's pooled text. */

import { TillerError } from "../../errors/index.ts";
import { concat, input, integers, less, type Outputs, reshape, select, symbol } from "../../graph/index.ts";
import { type ClipTextConfig, clipPooled, clipStates } from "../../models/clip-text.ts";
import { recorded } from "../../models/recorded.ts";
import { encodePrompt } from "../../text/clip-prompt.ts";
import type { Component, EmbeddingTable, Modules, TextSide, Tokens } from "../family.ts";

/** A text encoder: its table, and its input of token ids. */
interface Encoder {
  readonly table: EmbeddingTable;
  readonly ids: string;
  readonly config: ClipTextConfig;
  /** Id of the first learned token. */
  readonly firstLearned: number;
}

const key = "text_model.embeddings.token_embedding.weight";
const tables = [
  { component: "text_encoder", key, input: "learned", fileKey: "clip_l" },
  { component: "text_encoder_2", key, input: "learned_2", fileKey: "clip_g" },
] as const satisfies readonly EmbeddingTable[];
const idsOf = ["ids", "ids_2"] as const;

export interface TextOptions {
  readonly components: readonly [Component, Component];
  readonly configs: readonly [ClipTextConfig, ClipTextConfig];
  /** The tokenizer configs' limit. */
  readonly promptTokens: number | undefined;
  /** Whether the null row is zeros without a negative prompt. */
  readonly zeros: boolean;
}

export function textSide({ components, configs, promptTokens, zeros }: TextOptions): TextSide {
  const positions = Math.min(
    promptTokens ?? Number.POSITIVE_INFINITY,
    ...configs.map((c) => c.max_position_embeddings),
  );
  const encoders = components.map(
    (component, i): Encoder => ({
      table: tables[i]!,
      ids: idsOf[i]!,
      config: configs[i]!,
      firstLearned: component.weights.get(key)!.shape[0]!,
    }),
  );
  return {
    positions,
    embeddings: tables,
    tokenize(tokenizer, prompt, learned) {
      const encoded = [tokenizer, tokenizer.second!].map((one, i) => {
        const { table, firstLearned } = encoders[i]!;
        return encodePrompt(one, prompt, { length: positions, learned: learned.get(table.component), firstLearned });
      });
      const [ids, ids_2] = encoded.map((one) => one.ids) as [readonly number[], readonly number[]];
      return {
        inputs: { ids, ids_2, end: [ids_2.indexOf(tokenizer.second!.end)], absent: [0] },
        dropped: encoded.find(({ dropped }) => dropped !== "")?.dropped ?? "",
      };
    },
    ...(zeros && { none: absent(positions) }),
    hasLearned: ({ inputs }) => encoders.some(({ ids, firstLearned }) => inputs[ids]!.some((id) => id >= firstLearned)),
    end: (tokenizer, { inputs }) => inputs.ids!.indexOf(tokenizer.end),
    graph: (modules, { clipSkip = 0 } = {}) =>
      recorded("text encoder", () => graph(modules, encoders, positions, clipSkip)),
  };
}

/** Tokens of a row without text: any, since the states become zeros. */
const absent = (positions: number): Tokens => ({
  inputs: { ids: Array(positions).fill(0), ids_2: Array(positions).fill(0), end: [0], absent: [1] },
  dropped: "",
});

/** Outputs: `text` [rows, positions, sum of the widths], and `text_embeds` [rows, projection size]. */
function graph(modules: Modules, encoders: readonly Encoder[], positions: number, clipSkip: number): Outputs {
  const layers = Math.min(...encoders.map(({ config }) => config.num_hidden_layers));
  if (clipSkip > layers - 2) {
    throw new TillerError(
      "clip-skip-too-large",
      `clip skip ${clipSkip} leaves no layer of a text encoder of ${layers} layers, of which SDXL never uses the last.`,
    );
  }
  const states = encoders.map(({ table: { component, input: learned }, ids, config }) =>
    clipStates(modules(component), config, { ids, learned, positions }),
  );
  const batch = symbol("batch");
  const second = encoders[1]!;
  const end = input("end", [batch, 1], "int32");
  const pooled = clipPooled(modules(second.table.component), second.config, states[1]!, end);
  const present = less(input("absent", [batch, 1], "int32"), integers([], [1]));
  // Without a final norm, unlike Stable Diffusion's; clip skip counts from there.
  const joined = concat(
    states.map((all) => all.at(-2 - clipSkip)!),
    2,
  );
  return {
    text: select(reshape(present, [batch, 1, 1]), joined, 0),
    text_embeds: select(present, pooled, 0),
  };
}
