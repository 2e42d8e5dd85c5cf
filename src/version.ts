/** Tiller's own version, as recipes and `tiller doctor` state it: package.json's, which a test holds it to. */
export const version: string = "0.1.0";
