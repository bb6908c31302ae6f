// The browser: Debian's Chromium, or whichever the variable CHROMIUM names. None is downloaded.
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

// The browser's program: what CHROMIUM says, or the first of the usual names in the PATH.
export function find(environment = process.env) {
  const wanted = environment.CHROMIUM;
  if (wanted) {
    if (!existsSync(wanted)) throw new Error(`CHROMIUM is ${wanted}, and there is no such file`);
    return wanted;
  }
  for (const name of NAMES) {
    for (const folder of (environment.PATH ?? "").split(delimiter)) {
      const program = join(folder, name);
      try {
        accessSync(program, constants.X_OK);
        return program;
      } catch {
        // Not here: the next folder may have it.
      }
    }
  }
  throw new Error(`there is no browser: none of ${NAMES.join(", ")} is in the PATH. On Debian: apt-get install chromium. `
    + "Or name one: CHROMIUM=/path/to/chromium npm test");
}

// Starts it. No name is looked up, so that no page reaches another host, whatever it tries.
export async function start() {
  return await chromium.launch({
    executablePath: find(),
    // As root, Chromium refuses to start inside its own sandbox; it only reads this book here.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-dev-shm-usage"],
  });
}
