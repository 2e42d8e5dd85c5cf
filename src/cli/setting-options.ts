/** Options for the settings of guidance methods, generated from the methods' descriptions. */

import type { Command } from "commander";
import { type GuidanceName, guidanceNames } from "../index.ts";
import { type GivenSettings, methodOf, type SettingName, settingNames, settingOf, settingsNamed } from "../internal.ts";
import { parseOmega, parseOmegas } from "./omega-option.ts";
import type { Output } from "./output.ts";
import { parseNumbers } from "./ranges.ts";
import { optionOf, parseChoice, parseNumber } from "./values.ts";

/** The methods' names and one-line descriptions. */
export const methodHelp = (): string =>
  `\nGuidance methods:\n${guidanceNames.map((name) => `  ${name.padEnd(22)}${methodOf(name).help}`).join("\n")}`;

/** Adds one option for each setting, taking one value or a list. */
export function addSettingOptions(command: Command, takes: "one" | "list"): Command {
  for (const name of settingNames) {
    const option = optionOf(name);
    const forms = settingsNamed(name);
    const [first] = forms;
    const description = forms
      .map((form) => {
        const choices = form.kind === "choice" ? `: ${form.choices.join(", ")}` : "";
        const methods = guidanceNames.filter((method) => methodOf(method).settings.includes(form));
        return `${listed(methods, "conjunction")}: ${form.help}${choices} (default: ${form.ofModel ? "the model's, usually " : ""}${form.default})`;
      })
      .join("; ");
    const value = takes === "list" ? "list" : first.kind === "choice" ? "name" : first.short;
    command.option(`${option} <${value}>`, description, (text: string) => {
      if (first.kind === "omega") return takes === "one" ? parseOmega(option, text) : parseOmegas(option, text);
      if (first.kind === "number") return takes === "one" ? parseNumber(option, text) : parseNumbers(option, text);
      const one = (part: string) => parseChoice(option, part, first.choices);
      return takes === "one" ? one(text) : [...new Set(text.split(",").map((part) => one(part.trim())))];
    });
  }
  return command;
}

/** The options that are settings. */
export const givenSettings = <T extends { [N in SettingName]?: unknown }>(options: T): Pick<T, SettingName & keyof T> =>
  Object.fromEntries(settingNames.map((name) => [name, options[name]])) as Pick<T, SettingName & keyof T>;

/** The methods that use a setting, in words. */
export function methodsWith(name: SettingName): string {
  const having = (method: GuidanceName) => settingOf(method, name) !== undefined;
  const [those, others] = [guidanceNames.filter(having), guidanceNames.filter((method) => !having(method))];
  return others.length < those.length ? `any except ${listed(others, "disjunction")}` : listed(those, "disjunction");
}

/** Warns of each given setting that no chosen method uses. */
export function warnOfIdle(
  given: { readonly [N in keyof GivenSettings]?: unknown },
  guidance: readonly GuidanceName[],
  output: Output,
): void {
  for (const name of settingNames) {
    if (given[name] !== undefined && !guidance.some((method) => settingOf(method, name))) {
      const option = optionOf(name);
      output.warn(`${option} has no effect with --guidance ${guidance.join(",")}; it works with ${methodsWith(name)}`);
    }
  }
}

const listed = (names: readonly string[], type: "conjunction" | "disjunction"): string =>
  new Intl.ListFormat("en-GB", { type }).format(names);
