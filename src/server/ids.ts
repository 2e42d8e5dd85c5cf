/** Ids of jobs, uploads and studies, which sort by time. */
import { randomBytes } from "node:crypto";

/** The time in base 36 and a few random letters. */
export const newId = (): string => `${Date.now().toString(36)}-${randomBytes(5).toString("hex")}`;

export const isId = (name: string): boolean => /^[0-9a-z]{8,9}-[0-9a-f]{10}$/.test(name);
