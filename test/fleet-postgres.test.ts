/** The engine on PostgreSQL does what every engine must, and so does a store on S3. */
import pg from "pg";
import { testEngine, testFleet } from "./fleet/conformance.ts";
import { credentials, long, scale } from "./fleet/scale.ts";
import { motoHere, postgresHere, startPostgres, startS3 } from "./fleet/servers.ts";
import { skipped } from "./skipped.ts";

Object.assign(process.env, credentials);

async function wipe(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("DELETE FROM tiller.job");
  await client.end();
}

if (!skipped(postgresHere(), "PostgreSQL is not installed, so the queue on it is not tested.")) {
  testEngine("PostgreSQL", startPostgres);
  if (!skipped(motoHere(), "moto's server is not installed, so the store on S3 is not tested."))
    testFleet("PostgreSQL and S3", { queue: startPostgres, store: startS3, wipe }, scale);
  if (long) testFleet("PostgreSQL and a folder", { queue: startPostgres, store: async () => undefined, wipe }, scale);
}
