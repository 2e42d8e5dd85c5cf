/** The server's routes as types, derived from the schemas that the server validates with. */
import type { routes, TypedRoute } from "../server/routes.ts";

type Known = (typeof routes)[number];
type ByName = { readonly [R in Known as `${R["method"]} ${R["path"]}`]: R };

/** A route by method and path: `"get /api/jobs/{id}"`. */
export type RouteName = keyof ByName;

/** The JSON body of a route; fields with defaults may be left out. */
export type Body<R extends RouteName> =
  ByName[R] extends TypedRoute<infer _M, infer _P, infer _Body, infer Given, infer _Answer> ? Given : never;

/** The JSON answer of a route. */
export type Answer<R extends RouteName> =
  ByName[R] extends TypedRoute<infer _M, infer _P, infer _Body, infer _Given, infer Answer> ? Answer : never;
