/** Refuses empty files, folders and names, which shells pass for unset variables. */
import type { Command } from "commander";
import { TillerError } from "../index.ts";

/** The placeholder of values that may be empty: `<text>` in `--prompt <text>`. */
const mayBeEmpty = "<text>";

/** @throws TillerError naming the first option or argument of the call that is empty. */
export function refuseEmpty(command: Command): void {
  const given: Record<string, unknown> = command.opts();
  const values = [
    ...command.registeredArguments.map((argument, i) => ({
      name: `<${argument.name()}>`,
      value: command.processedArgs[i],
    })),
    ...command.options
      .filter(({ flags }) => !flags.endsWith(mayBeEmpty))
      .map((option) => ({ name: option.long!, value: given[option.attributeName()] })),
  ];
  for (const { name, value } of values) {
    if (![value].flat().some((one) => typeof one === "string" && one.trim() === "")) continue;
    throw new TillerError("option-invalid", `${name} is empty: give it a value.`);
  }
}
