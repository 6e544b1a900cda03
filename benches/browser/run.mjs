// Measures Glassbox in headless Chromium beside other libraries: `./build.sh bench browser`, which installs
// and builds what this needs. It is run in the project's root; --site names the folder that is built.

import { HELP, readOptions } from "./lib/options.mjs";

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else {
    const { runMode } = await import("./lib/lab.mjs");
    process.exitCode = (await runMode(options)) ? 0 : 1;
  }
} catch (error) {
  console.error(`bench browser: ${/** @type {any} */ (error).message}`);
  process.exitCode = 2;
}
