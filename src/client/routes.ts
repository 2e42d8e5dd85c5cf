/** The server's routes as types: what each takes and gives, from the schemas that the server itself checks with. */
import type { routes, TypedRoute } from "../server/routes.ts";

type Known = (typeof routes)[number];
type ByName = { readonly [R in Known as `${R["method"]} ${R["path"]}`]: R };

/** A route by method and path: `"get /api/jobs/{id}"`. */
export type RouteName = keyof ByName;

/** The JSON that a route takes; what it has a default for may be left out. */
export type Body<R extends RouteName> =
  ByName[R] extends TypedRoute<infer _M, infer _P, infer _Body, infer Given, infer _Answer> ? Given : never;

/** The JSON that a route gives. */
export type Answer<R extends RouteName> =
  ByName[R] extends TypedRoute<infer _M, infer _P, infer _Body, infer _Given, infer Answer> ? Answer : never;
