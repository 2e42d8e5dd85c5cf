/** The text side: a language model reads an instruction and the prompt; the states of the prompt are used. */

import { TillerError } from "../../errors/index.ts";
import { type Gemma2Config, gemma2, gemma2Table } from "../../models/gemma2.ts";
import { gemmaIds } from "../../text/gemma-prompt.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { embeddingRows } from "../../weights/embedding-rows.ts";
import type { Component, TextSide } from "../family.ts";
import { defaultInstruction } from "./instruction.ts";

const component = "text_encoder";

/** The most states that the denoiser sees: that of the begin token, and the prompt's. */
const most = 300;

export function textSide(encoder: Component, config: Gemma2Config): TextSide {
  const table = gemma2Table(encoder.weights);
  return {
    positions: most,
    instruction: defaultInstruction,
    embeddings: [],
    tokenize(tokenizer, prompt, _, instruction = "") {
      const cleaned = cleanUp(prompt);
      const ids = gemmaIds(tokenizer, instruction + cleaned);
      // The instruction's last token, a space, usually merges with the prompt's first.
      const first = instruction === "" ? 1 : gemmaIds(tokenizer, instruction).length - 1;
      const end = first + most - 1;
      const kept = ids.slice(0, end);
      return {
        inputs: { ids: kept },
        states: [0, ...Array.from(kept.slice(first), (_, i) => first + i)],
        dropped: ids.length > end ? wordsBeyond(tokenizer, instruction, cleaned, end) : "",
      };
    },
    hasLearned: () => false,
    end: (_, { states }) => states!.length - 1,
    async feeds({ inputs: { ids } }) {
      const data = await embeddingRows(encoder.weights, table, ids!);
      return { embeddings: { shape: [1, ids!.length, config.hidden_size], data } };
    },
    graph(modules, { clipSkip = 0 } = {}) {
      if (clipSkip > 0) {
        throw new TillerError(
          "clip-skip-too-large",
          `clip skip ${clipSkip} does not apply to this model, whose text encoder is not CLIP: leave it out.`,
        );
      }
      return gemma2(modules(component), config);
    },
  };
}

/** Lower case, without surrounding white space: the original pipeline's default. */
export function cleanUp(prompt: string): string {
  const signs = Array.from(prompt.toLowerCase());
  const from = signs.findIndex((sign) => !isSpace(sign));
  return from < 0 ? "" : signs.slice(from, signs.findLastIndex((sign) => !isSpace(sign)) + 1).join("");
}

/** The characters that Python's strip() removes; JavaScript's trim() differs in these six. */
const isSpace = (sign: string): boolean =>
  "\u001c\u001d\u001e\u001f\u0085".includes(sign) || (sign !== "\ufeff" && sign.trim() === "");

/** The words of a prompt from the first that does not fit into `end` tokens; cut off if long. */
function wordsBeyond(tokenizer: Tokenizer, instruction: string, prompt: string, end: number): string {
  const words = prompt.split(/(?<=\s)(?=\S)/);
  let [fits, beyond] = [0, words.length];
  while (beyond - fits > 1) {
    const middle = Math.floor((fits + beyond) / 2);
    const tokens = gemmaIds(tokenizer, instruction + words.slice(0, middle).join("").trimEnd()).length;
    if (tokens > end) beyond = middle;
    else fits = middle;
  }
  const dropped = words.slice(fits).join("");
  return dropped.length > 200 ? `${dropped.slice(0, 200)}…` : dropped;
}
