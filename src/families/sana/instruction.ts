/**
 * What goes before a prompt where nothing else is asked for: SANA's text encoder is a language model, and was trained to read
 * prompts after a request to describe the picture ("complex human instruction").
 *
 * The published wording is another (docs/sana.md says where it stands), so this asks for the same in words of our own. Recipes
 * leave it out where it is this one: changing it changes pictures that were made before.
 */
export const defaultInstruction = `Write the description that a painter needs, from the prompt at the end of this text.
Where the prompt says little, choose what it leaves open: colors, shapes, sizes, textures, and how things stand to each other.
Where it already says much, keep to it and only make it clearer.
Leave nothing of it out, contradict nothing in it, and give the description alone.
The prompt: `;
