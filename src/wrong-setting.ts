/** Describes why a value does not match its schema. */
import type { z } from "zod";

/** The first issue, as `path: what`; for a union, by the member that matches best. */
export function wrongSetting(error: z.core.$ZodError, whole = "it"): string {
  const { path, message } = innermost(error.issues[0]!);
  return `${path.join(".") || whole}: ${message}`;
}

function innermost({ path, ...issue }: z.core.$ZodIssue): { path: PropertyKey[]; message: string } {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return { path, message: issue.message };
  const wrong = (form: readonly z.core.$ZodIssue[]) =>
    form.filter(({ code, path }) => path.length === 0 && code !== "unrecognized_keys").length;
  const [nearest] = [...issue.errors].sort((a, b) => wrong(a) - wrong(b) || a.length - b.length);
  const inner = innermost(nearest![0]!);
  return { path: [...path, ...inner.path], message: inner.message };
}
