/**
 * The default text before a prompt. SANA was trained with prompts that follow an instruction to its language model to describe
 * the picture ("complex human instruction").
 *
 * The wording is ours; docs/sana.md says where to find the published one. Recipes leave out the default, so changing it would
 * change how old recipes draw.
 */
export const defaultInstruction = `Write the description that a painter needs, from the prompt at the end of this text.
Where the prompt says little, choose what it leaves open: colors, shapes, sizes, textures, and how things stand to each other.
Where it already says much, keep to it and only make it clearer.
Leave nothing of it out, contradict nothing in it, and give the description alone.
The prompt: `;
