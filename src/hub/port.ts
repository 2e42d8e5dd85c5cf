/** What the core asks of the place it runs in, to bring models from the hub; package.json's `#hub` picks a side. */
import type { HubOptions } from "./options.ts";

export interface HubPort {
  isHubId(text: string): boolean;
  /** The newest snapshot of a repository that is here, without asking the hub; undefined if there is none. */
  cachedSnapshot(id: string, options?: HubOptions): Promise<string | undefined>;
  /** Brings the chosen files of a repository here and returns the folder they are in. */
  fetchSnapshot(
    id: string,
    choose: (names: readonly string[]) => readonly string[],
    options?: HubOptions,
  ): Promise<string>;
}
