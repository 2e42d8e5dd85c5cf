/** Real servers for tests, on loopback in temporary folders: Redis with its append-only file, PostgreSQL, and moto's S3. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";

export interface Server {
  readonly url: string;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files. */
  restart(): Promise<void>;
  /** Stops it and removes its files. */
  end(): Promise<void>;
}

const onPath = (name: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/** The newest of Debian's PostgreSQL. */
const postgresFolder = (): string | undefined => {
  const root = "/usr/lib/postgresql";
  const [newest] = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return newest === undefined ? undefined : join(root, newest, "bin");
};

export const redisHere = (): boolean => onPath("redis-server") !== undefined;
export const postgresHere = (): boolean => postgresFolder() !== undefined;
const moto = join(homedir(), ".cache/tiller-check/moto/bin/moto_server");
export const motoHere = (): boolean => existsSync(moto);

/** @param also Another address of this machine to listen on, and the one in its URL. */
export async function startRedis(also?: string): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "tiller-redis-"));
  const port = await freePort();
  const settings = ["--port", String(port), "--dir", folder, "--appendonly", "yes"];
  // Every write reaches the disk before its answer, so that a crash loses nothing that was promised.
  const safe = ["--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", ""];
  const reached = ["--bind", "127.0.0.1", ...(also ? [also, "--protected-mode", "no"] : [])];
  const all = [...settings, ...safe, ...reached];
  return started(
    `redis://${also ?? "127.0.0.1"}:${port}`,
    folder,
    () => spawn("redis-server", all, { stdio: "ignore" }),
    port,
  );
}

/** @param also The same. */
export async function startPostgres(also?: string): Promise<Server> {
  const bin = postgresFolder()!;
  const folder = mkdtempSync(join(tmpdir(), "tiller-postgres-"));
  const port = await freePort();
  const data = join(folder, "data");
  mkdirSync(data);
  // PostgreSQL refuses to run as root.
  const user: { uid?: number; gid?: number } = userInfo().uid === 0 ? idsOf("postgres") : {};
  if (user.uid !== undefined) {
    chmodSync(folder, 0o755);
    chownSync(data, user.uid, user.gid!);
  }
  const how = { ...user, cwd: "/", stdio: "ignore" as const };
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "tiller", "--auth=trust", "--no-sync"], how);
  if (also) appendFileSync(join(data, "pg_hba.conf"), `host all all ${also}/24 trust\n`);
  const settings = ["-D", data, "-p", String(port), "-k", "", "-h", ["127.0.0.1", ...(also ? [also] : [])].join(",")];
  const begin = () => {
    // A crash leaves this file; its process is gone.
    rmSync(join(data, "postmaster.pid"), { force: true });
    return spawn(join(bin, "postgres"), settings, how);
  };
  return started(`postgres://tiller@${also ?? "127.0.0.1"}:${port}/postgres`, folder, begin, port, "SIGINT");
}

/** A bucket named `tiller`; credentials are any. */
export async function startS3(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "tiller-s3-"));
  const port = await freePort();
  const begin = () => spawn(moto, ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore", cwd: folder });
  const server = await started(`http://127.0.0.1:${port}`, folder, begin, port);
  const { status } = await fetch(`${server.url}/tiller`, { method: "PUT" });
  if (status !== 200) throw new Error(`the bucket could not be made: ${status}`);
  return { ...server, url: `s3://tiller/runs?endpoint=${encodeURIComponent(server.url)}` };
}

async function started(
  url: string,
  folder: string,
  begin: () => ChildProcess,
  port: number,
  gentle: NodeJS.Signals = "SIGTERM",
): Promise<Server> {
  let child: ChildProcess;
  const restart = async () => {
    child = begin();
    await listening(port, child);
  };
  const stop = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const over = once(child, "exit");
    child.kill(signal);
    await over;
  };
  await restart();
  writeFileSync(join(folder, "started"), "");
  return {
    url,
    kill: () => stop("SIGKILL"),
    restart,
    async end() {
      await stop(gentle);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const idsOf = (name: string): { readonly uid: number; readonly gid: number } => ({
  uid: Number(execFileSync("id", ["-u", name])),
  gid: Number(execFileSync("id", ["-g", name])),
});

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const { connect } = await import("node:net");
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const there = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => done(true)).on("error", () => done(false));
      socket.on("connect", () => socket.end());
    });
    if (there) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`no server listens on port ${port}`);
}
