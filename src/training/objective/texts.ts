/** Training prompts as the losses take them. */
import type { LearnedTokens, Model, Tokens } from "../../families/family.ts";
import { modulesOf } from "../../models/components.ts";
import { textStates } from "../../pipelines/text-states.ts";
import { type Engine, float32, int32, rowOf, type Tensor } from "../../runtime/index.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

export interface TrainingTexts {
  tokens(prompt: string): Tokens;
  /** Whether the prompt, once truncated, contains a learned token. */
  hasLearned(prompt: string): boolean;
  /** The position of the token that ends the prompt: the text encoder's state there represents the whole prompt. */
  end(prompt: string): number;
  /** The position of the prompt's largest id: a learned token's, else its end. */
  largest(prompt: string): number;
}

/** `learned` is the learned token and how many embeddings it has, by text encoder. */
export function trainingTexts(
  { text }: Pick<Model, "text">,
  tokenizer: Tokenizer,
  learned: LearnedTokens,
): TrainingTexts {
  const tokens = (prompt: string) => text.tokenize(tokenizer, prompt, learned);
  return {
    tokens,
    hasLearned: (prompt) => text.hasLearned(tokens(prompt)),
    largest(prompt) {
      const [ids] = Object.values(tokens(prompt).inputs);
      return ids!.indexOf(Math.max(...ids!));
    },
    end: (prompt) => text.end(tokenizer, tokens(prompt)),
  };
}

/** Tokens of several texts as the text graph's inputs, [rows, length] each. */
export function tokenRows(rows: readonly Tokens[]): Record<string, Tensor> {
  const names = Object.keys(rows[0]!.inputs);
  return Object.fromEntries(
    names.map((name) => {
      const length = rows[0]!.inputs[name]!.length;
      return [
        name,
        int32(
          [rows.length, length],
          rows.flatMap(({ inputs }) => [...inputs[name]!]),
        ),
      ];
    }),
  );
}

/** The text graph has inputs for learned embeddings even if there are none. */
export function noEmbeddings({ components, text }: Pick<Model, "components" | "text">): Record<string, Tensor> {
  return Object.fromEntries(
    text.embeddings.map(({ component, key, input }) => {
      const width = components.get(component)!.weights.get(key)!.shape[1]!;
      return [input, float32([1, width], new Float32Array(width))];
    }),
  );
}

/** The text networks' outputs for a prompt, each [1, ...], by name; the same length for every prompt. */
export type EncodedText = Readonly<Record<string, Tensor>>;

/** The encodings of prompts that training does not change, computed once. */
export async function encodeTexts(
  engine: Engine,
  model: Pick<Model, "components" | "text">,
  tokens: ReadonlyMap<string, Tokens>,
): Promise<ReadonlyMap<string, EncodedText>> {
  const session = await engine.compile("text encoder", model.text.graph(modulesOf(model.components)));
  const encoded = new Map<string, EncodedText>();
  if (model.text.feeds) {
    const states = await textStates(
      session,
      model.text.feeds,
      [...tokens.values()].map((tokens) => ({ tokens })),
    );
    for (const [row, prompt] of [...tokens.keys()].entries()) {
      encoded.set(prompt, { text: rowOf(states.text, row), mask: rowOf(states.mask, row) });
    }
  } else {
    for (const [prompt, row] of tokens) {
      encoded.set(prompt, await session.run({ ...tokenRows([row]), ...noEmbeddings(model) }));
    }
  }
  await session.release();
  return encoded;
}
