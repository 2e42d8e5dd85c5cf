/** What a message says, without the folders of this machine: those who ask may be elsewhere. */
export const withoutPaths = (message: string): string =>
  message.replace(/(?<![\w:/\\.])(?:[A-Za-z]:)?[\\/](?:[^\s\\/:'"]+[\\/])+/g, "");
