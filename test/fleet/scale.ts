/** How much the tests of fleets do: little in `npm test`, much in `npm run check:fleet`. */
export const long = process.env.TILLER_FLEET === "long";
export const scale = long ? { jobs: 400, kills: 12 } : { jobs: 40, kills: 3 };

/** What moto accepts. */
export const credentials = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
