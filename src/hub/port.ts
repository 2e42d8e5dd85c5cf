/** What the core asks of the place it runs in, to bring models from the hub; package.json's `#hub` picks a side. */
import type { HubName } from "./id.ts";
import type { HubOptions } from "./options.ts";

/** A repository, at a revision or at its newest. */
export type HubRepository = Pick<HubName, "id" | "revision">;

export interface HubPort {
  /** The newest snapshot of a repository that is here, without asking the hub; undefined if there is none. */
  cachedSnapshot(repository: HubRepository, options?: HubOptions): Promise<string | undefined>;
  /** Brings the chosen files of a repository here and returns the folder they are in. */
  fetchSnapshot(
    repository: HubRepository,
    choose: (names: readonly string[]) => readonly string[],
    options?: HubOptions,
  ): Promise<string>;
}
