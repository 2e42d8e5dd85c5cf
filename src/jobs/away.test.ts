import { expect, test } from "vitest";
import { orAborted } from "../aborted.ts";
import { insist, insistUntil, isAway } from "./away.ts";
import { made } from "./bull-object.ts";

const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
const never = new Promise<never>(() => {});
const live = new AbortController().signal;

test.each([
  ["a refused connection", refused, true],
  ["a server that starts", { code: "57P03", message: "the database system is starting up" }, true],
  ["a server that stops", { code: "57P01", message: "terminating connection" }, true],
  ["a lost connection", new Error("Connection terminated unexpectedly"), true],
  ["a dead connection", new Error("Client has encountered a connection error and is not queryable"), true],
  ["a closed one", new Error("Connection is closed."), true],
  ["a wrong password", { code: "28P01", message: "password authentication failed" }, false],
  ["a missing right", new Error("NOPERM this user has no permissions"), false],
])("%s", (_, error, away) => {
  expect(isAway(error)).toBe(away);
});

test("a call is repeated while the server is away, and other failures are passed on", async () => {
  let calls = 0;
  const call = async () => {
    if (++calls === 1) throw refused;
    return calls;
  };
  expect(await insist(call, live)).toBe(2);
  await expect(insist(async () => Promise.reject(new Error("NOPERM")), live)).rejects.toThrow("NOPERM");
});

test("whoever waits can stop waiting, and a call that has begun has a moment to end", async () => {
  const stop = new AbortController();
  const waiting = [insist(() => never, stop.signal), insist(async () => Promise.reject(refused), stop.signal)];
  const some = insistUntil(async () => "given back", stop.signal, 1000);
  const late = insistUntil(() => never, stop.signal, 10);
  stop.abort(new Error("stopped"));
  for (const one of [...waiting, late]) await expect(one).rejects.toThrow("stopped");
  expect(await some).toBe("given back");
  expect(await insistUntil(async () => "still tried", stop.signal, 1000)).toBe("still tried");
  await expect(orAborted(never, stop.signal)).rejects.toThrow("stopped");
});

test("an object whose server was away is closed, and another is made", async () => {
  const closed: number[] = [];
  let number = 0;
  const make = () => {
    const own = ++number;
    return {
      own,
      on: () => {},
      waitUntilReady: async () => (own === 1 ? Promise.reject(refused) : undefined),
      close: async () => closed.push(own),
    };
  };
  expect((await made(make, live)).own).toBe(2);
  expect(closed).toEqual([1]);
});
