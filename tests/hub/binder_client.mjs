// Drives BinderHub's own client: prints each frame it yields as a line of JSON, until the last.
// Usage: node binder_client.mjs <folder of node_modules> <build endpoint> <provider/spec> <token> [build-only]
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, endpoint, spec, apiToken, buildOnly] = process.argv.slice(2);
// The client is written for browsers: it looks at the page's visibility and cookies.
globalThis.document = { hidden: false, cookie: "", addEventListener() {}, removeEventListener() {} };
globalThis.window = globalThis;

const resolve = createRequire(`${folder}/any.js`).resolve;
const { BinderRepository } = await import(pathToFileURL(resolve("@jupyterhub/binderhub-client/client.js")));
const repository = new BinderRepository(spec, new URL(endpoint), { apiToken, buildOnly: Boolean(buildOnly) });
for await (const frame of repository.fetch()) {
  console.log(JSON.stringify(frame));
  if (frame.phase === "ready" || frame.phase === "failed") break;
}
repository.close();
process.exit(0);
