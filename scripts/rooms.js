/**
 * Which room may import which, and where Node may be used. `scripts/walls.js` enforces it.
 *
 * Rooms are listed from the ground up; a room may only import earlier rooms named in its list. Type imports count too.
 */

/** Files of src/ that every room may import; they may only import each other and files beside them. */
export const ground = [
  "aborted.ts",
  "errors/index.ts",
  "kept.ts",
  "pace.ts",
  "rounding.ts",
  "version.ts",
  "wrong-setting.ts",
];

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
  metrics: ["bytes", "runtime", "images", "hub", "weights", "text", "models", "recipe", "families", "adapters"],
  world: [],
  jobs: ["bytes"],
  experiments: [
    ...["bytes", "random", "runtime", "images", "plots", "hub", "guidance", "recipe", "families"],
    ...["pipelines", "training", "metrics", "world", "jobs"],
  ],
  study: ["bytes", "random", "images", "recipe", "metrics", "experiments"],
  // Server and command line use the public exports, internal.ts, jobs, studies and what workers share only.
  server: [
    ...["index.ts", "node.ts", "internal.ts", "experiments/index.ts", "experiments/fleet.ts"],
    ...["jobs/index.ts", "study/index.ts"],
  ],
  // Imports only types from the server: it runs wherever there is fetch.
  client: ["server/routes.ts"],
  cli: [
    ...[
      "index.ts",
      "node.ts",
      "internal.ts",
      "experiments/index.ts",
      "experiments/concepts.ts",
      "experiments/fleet.ts",
    ],
    "jobs/index.ts",
    "study/index.ts",
    "server/index.ts",
    "server/fleet.ts",
  ],
};

/** Where Node's own modules and native packages may be imported: these rooms, and every room's `node/`. */
export const nodeRooms = ["jobs", "experiments", "study", "world", "server", "cli"];

/** Packages with native code, or for terminals and servers. */
export const nodePackages = [
  "sharp",
  "@resvg/resvg-js",
  "onnxruntime-node",
  "cli-progress",
  "commander",
  "@hono/node-server",
];
