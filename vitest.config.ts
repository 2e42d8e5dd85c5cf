import { defineConfig } from "vitest/config";

// Tests run the sources, not the build.
const conditions = ["tiller-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{src,test,pretraining}/**/*.test.ts"],
    testTimeout: 60_000,
    // Sessions are multi-threaded already; two test files at a time fill two cores.
    maxWorkers: 2,
  },
});
