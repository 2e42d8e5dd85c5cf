/** The prompt with the style of the request, if it has one, after a space. */
export const styledPrompt = ({
  prompt,
  style,
}: {
  readonly prompt: string;
  readonly style?: string | undefined;
}): string => [prompt, style].filter((part) => part !== undefined && part !== "").join(" ");
