/** A prompt as people read it. */

/** With "an" where the prompt's first word needs it: prompts of diffusion models say "a alarm clock". */
export const plainWords = (prompt: string): string => prompt.trim().replace(/^(a)(?= [aeio])/i, "$1n");
