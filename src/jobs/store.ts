/** Where results are kept: folders of files under keys. What is in the store is done; a queue only delivers work. */

export interface Store {
  /** The store in words, without passwords. */
  readonly name: string;
  has(key: string): Promise<boolean>;
  /**
   * Copies the files under a key into the folder `into`, which is made.
   *
   * @throws TillerError `result-missing` if there are none, `store-damaged` if their hashes are others than were published.
   */
  fetch(key: string, into: string): Promise<void>;
  /** Puts the files of the folder `from` under a key; if the key has files already, they stay as they are. Returns whether it did. */
  publish(key: string, from: string): Promise<boolean>;
  /** Puts them in the place of those that are there: for checkpoints, the only thing in a store that changes. */
  replace(key: string, from: string): Promise<void>;
  /** Removes what is under a key, if anything. */
  remove(key: string): Promise<void>;
}
