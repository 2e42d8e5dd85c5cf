/**
 * The house: which room may import which, and where Node may be. `scripts/walls.js` holds the code to it.
 *
 * Rooms from the ground up; a room imports only what stands before it here and is named in its list. Types count as well.
 */

/** Files of src/ that every room may use; they stand on each other and on what lies beside them. */
export const ground = ["errors/index.ts", "pace.ts", "rounding.ts", "version.ts", "wrong-setting.ts"];

/** @type {Readonly<Record<string, readonly string[]>>} */
export const rooms = {
  errors: [],
  bytes: [],
  random: [],
  graph: ["bytes"],
  runtime: ["bytes", "graph"],
  images: ["bytes"],
  plots: [],
  hub: ["bytes"],
  weights: ["bytes"],
  text: ["bytes"],
  models: ["bytes", "graph"],
  schedules: [],
  samplers: ["random", "schedules"],
  guidance: [],
  recipe: ["bytes", "images", "samplers", "guidance"],
  families: ["bytes", "graph", "hub", "weights", "text", "models", "schedules", "samplers", "guidance"],
  adapters: ["bytes", "hub", "weights", "models", "families"],
  inspection: ["bytes", "images", "weights", "recipe", "families", "adapters"],
  pipelines: [
    ...["bytes", "random", "graph", "runtime", "images", "hub", "weights", "text", "models", "samplers", "guidance"],
    ...["recipe", "families", "adapters"],
  ],
  training: [
    ...["bytes", "random", "graph", "runtime", "images", "plots", "weights", "text", "models", "schedules", "recipe"],
    ...["families", "adapters", "pipelines"],
  ],
  metrics: ["bytes", "runtime", "images", "hub", "weights", "text", "models", "recipe", "families"],
  world: [],
  experiments: [
    ...["bytes", "random", "runtime", "images", "plots", "guidance", "recipe", "families"],
    ...["pipelines", "training", "metrics", "world"],
  ],
  // The two that a person meets go through what is exported for everyone, and one list of what is theirs alone.
  server: ["index.ts", "node.ts", "internal.ts", "experiments/index.ts"],
  // Of the server it takes types alone: it runs wherever there is fetch.
  client: ["server/routes.ts"],
  cli: ["index.ts", "node.ts", "internal.ts", "experiments/index.ts", "experiments/concepts.ts", "server/index.ts"],
};

/** Where Node's own modules and native packages may be imported: these rooms, and every room's `node/`. */
export const nodeRooms = ["experiments", "world", "server", "cli"];

/** Packages with native code, or of a terminal and a server. */
export const nodePackages = [
  "sharp",
  "@resvg/resvg-js",
  "onnxruntime-node",
  "cli-progress",
  "commander",
  "@hono/node-server",
];
