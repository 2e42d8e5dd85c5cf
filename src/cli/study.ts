/** `tiller study`: blind studies of what people prefer, as the paper's table 3. */

import { join } from "node:path";
import type { Command } from "commander";
import { untilAborted } from "../aborted.ts";
import { writeWhole } from "../internal.ts";
import {
  answerRows,
  answersCsv,
  invite,
  makeStudy,
  participantsOf,
  questions,
  readStudy,
  readStudyFile,
  type Share,
  type StudyShares,
  sharesCsv,
  sharesOf,
  stateOf,
  studyJson,
} from "../study/index.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { quoted, table } from "./printable.ts";
import { parseWhole } from "./values.ts";
import type { World } from "./world.ts";

export interface StudyOptions {
  out: string;
  participants: number;
  host?: string;
  port: number;
}

export type StudyVerb = "make" | "invite" | "serve" | "results";

const mostParticipants = 10_000;

export function addStudy(
  program: Command,
  act: (verb: StudyVerb, path: string, options: StudyOptions) => Promise<void>,
): void {
  const study = program
    .command("study")
    .description("a blind study: which method's pictures people find closest to the subject, and to the text");
  const participants = (text: string) => parseWhole("--participants", text, 1, mostParticipants);
  const add = (verb: StudyVerb, argument: string, what: string, description: string) =>
    study.command(verb).description(description).argument(argument, what);
  const end = (command: Command, verb: StudyVerb) =>
    command
      .option("--json", "print one JSON object to standard output and nothing else")
      .option("--verbose", "print stack traces of errors")
      .action((path, options) => act(verb, path, options));
  const folder = "the folder that tiller study make wrote";
  end(
    add(
      "make",
      "<study.json>",
      "its settings: whose pictures are compared",
      "choose sets of pictures, and invite participants",
    )
      .option("--out <folder>", "where the study and its answers are kept", "tiller-study")
      .option("--participants <n>", "how many participants to invite", participants, 20),
    "make",
  );
  end(
    add("invite", "<folder>", folder, "invite more participants").option(
      "--participants <n>",
      "how many more",
      participants,
      1,
    ),
    "invite",
  );
  end(
    add("serve", "<folder>", folder, "a web page for each participant, with nothing else on it")
      .option("--port <n>", "port; 0 for any free one", (text) => parseWhole("--port", text, 0), 7861)
      .option("--host <address>", "accept other machines too; whoever has a participant's address can answer"),
    "serve",
  );
  end(
    add("results", "<folder>", folder, "print the shares, and write them and all answers as CSV and JSON"),
    "results",
  );
  study.addHelpText(
    "after",
    "\nExample:\n  tiller study make experiments/study.json\n  tiller study serve tiller-study\n  tiller study results tiller-study",
  );
}

export async function study(
  verb: StudyVerb,
  path: string,
  options: StudyOptions,
  world: World,
  output: Output,
): Promise<void> {
  switch (verb) {
    case "make":
      return make(path, options, output);
    case "invite": {
      const invited = await invite(path, options.participants);
      output.result.participants = invited;
      return output.say(`${invited.length} more invited; tiller study serve ${quoted(path)} prints all addresses`);
    }
    case "serve":
      return serve(path, options, world, output);
    case "results":
      return results(path, output);
  }
}

async function make(path: string, { out, participants }: StudyOptions, output: Output): Promise<void> {
  const file = await readStudyFile(path);
  await prepareFolder(out);
  output.progress.doing("copying pictures");
  const { sets, settings } = await makeStudy(file, out);
  output.progress.end();
  const invited = await invite(out, participants);
  Object.assign(output.result, { out, sets: sets.length, participants: invited });
  const parts = settings.map(({ name, methods }, i) => {
    const own = sets.filter(({ setting }) => setting === i);
    const subjects = new Set(own.map(({ subject }) => subject)).size;
    return `${name}: ${own.length} sets of ${subjects} subjects, ${methods.join(", ")}`;
  });
  output.say(parts.join("\n"));
  output.say(`${invited.length} participants invited; tiller study serve ${quoted(out)} prints their addresses`);
}

async function serve(path: string, { host, port }: StudyOptions, { signal }: World, output: Output): Promise<void> {
  // Loaded here: no other verb needs a server.
  const { startStudy } = await import("../server/index.ts");
  const started = await startStudy({ folder: path, host, port });
  const addresses = (await participantsOf(path)).map((one) => ({
    participant: one.number,
    address: `${started.url}${one.code}/`,
    state: stateText[stateOf(one)],
  }));
  Object.assign(output.result, { url: started.url, addresses });
  // A program that started it needs the addresses now, not at the end.
  output.printResult();
  output.say("One address for each participant:");
  output.say(table(addresses.map(({ participant, address, state }) => [String(participant), address, state])));
  output.say("Ctrl-C stops it; answers are kept");
  await untilAborted(signal);
  await started.close();
}

const stateText = { invited: "", begun: "has begun", finished: "finished" };

async function results(folder: string, output: Output): Promise<void> {
  const one = await readStudy(folder);
  const participants = await participantsOf(folder);
  const shares = sharesOf(one, participants);
  output.result.shares = shares;
  output.say(sharesLines(shares));
  const files = {
    "answers.csv": answersCsv(answerRows(one, participants)),
    "shares.csv": sharesCsv(shares),
    "results.json": studyJson(one, participants),
  };
  const written: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    written.push(join(folder, name));
    await writeWhole(join(folder, name), text);
  }
  output.result.files = written;
  output.say(`\n${written.join("\n")}`);
}

/** A table for each setting, in the layout of the paper's table 3. */
export function sharesLines({ participants, settings }: StudyShares): string {
  const { invited, begun, finished } = participants;
  const people = `${finished} of ${invited} participants have finished${begun > finished ? `, ${begun - finished} more have begun and do not count yet` : ""}.`;
  const tables = settings.map((setting) => {
    const compared = setting.subject.some(({ published }) => published !== undefined);
    const heads = questions.flatMap((question) => [`closest to the ${question}`, ...(compared ? ["paper"] : [])]);
    const rows = setting.subject.map(({ choice }, i) => [
      choice,
      ...questions.flatMap((question) => {
        const share = setting[question][i]!;
        return [shareText(share), ...(compared ? [percent(share.published, 2)] : [])];
      }),
    ]);
    return `${setting.setting}, ${setting.sets} sets\n${table([["", ...heads], ...rows])}`;
  });
  return `${people}\n\n${tables.join("\n\n")}\n\nMeans over participants, with 95 % intervals for participants like these and these sets.`;
}

const percent = (value: number | undefined, digits = 1): string =>
  value === undefined || Number.isNaN(value) ? "" : `${(100 * value).toFixed(digits)} %`;

function shareText({ share, low, high }: Share): string {
  if (Number.isNaN(share)) return "";
  return Number.isNaN(low) ? percent(share) : `${percent(share)} [${percent(low)}, ${percent(high)}]`;
}
