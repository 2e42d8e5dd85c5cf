/** Runs the product: DATA=subjects node examples/product/server.ts (Node 22.18 or later). */
import { serve } from "@hono/node-server";
import { createApp } from "./app.ts";

const { DATA: data = "subjects", MODEL: model = "dinghy", PORT: port = "3000" } = process.env;
const app = await createApp({ data, model, drawing: { guidance: "pg", omega: 0.6 } });
serve({ fetch: app.fetch, port: Number(port) }, (address) => console.log(`http://localhost:${address.port}`));
