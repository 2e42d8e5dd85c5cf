/** What the core needs from its platform to download models from the hub; package.json's `#hub` picks a side. */
import type { HubName } from "./id.ts";
import type { HubOptions } from "./options.ts";

/** A repository, at a revision or its newest. */
export type HubRepository = Pick<HubName, "id" | "revision">;

export interface HubPort {
  /** The newest cached snapshot of a repository, without asking the hub; undefined if there is none. */
  cachedSnapshot(repository: HubRepository, options?: HubOptions): Promise<string | undefined>;
  /** Downloads the chosen files of a repository and returns their folder. */
  fetchSnapshot(
    repository: HubRepository,
    choose: (names: readonly string[]) => readonly string[],
    options?: HubOptions,
  ): Promise<string>;
}
