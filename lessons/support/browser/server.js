// Serves a built book on a free port of 127.0.0.1, and knows what each of its files weighs.
import { createServer } from "node:http";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
};

// All files below a folder, as paths with "/" that begin with one.
export function files(folder, below = folder) {
  return readdirSync(below, { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? files(folder, path) : [`/${relative(folder, path).split(sep).join("/")}`];
  });
}

export async function serve(folder) {
  if (!statSync(join(folder, "index.html"), { throwIfNoEntry: false })) {
    throw new Error(`${folder} holds no built book: run cargo workbook build`);
  }
  const known = new Set(files(folder));
  const changes = new Map();
  const content = (path) => {
    const bytes = readFileSync(join(folder, path));
    return changes.has(path) ? Buffer.from(changes.get(path)(bytes.toString())) : bytes;
  };
  const server = createServer((request, response) => {
    let path = decodeURIComponent(new URL(request.url, "http://127.0.0.1").pathname);
    if (path.endsWith("/")) path += "index.html";
    const there = known.has(path);
    response.writeHead(there ? 200 : 404, { "content-type": TYPES[extname(path)] ?? "text/plain; charset=utf-8", "cache-control": "no-store" });
    response.end(there ? content(path) : "not here");
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const weights = new Map();
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    pages: [...known].filter((path) => path.endsWith(".html")).sort(),
    files: known,
    // Compressed bytes of a file, without the recordings that a page carries inside.
    weight(path) {
      if (!weights.has(path)) {
        const bytes = readFileSync(join(folder, path));
        const counted = path.endsWith(".html") ? bytes.toString().replace(/(<script type="application\/json">)[^]*?(<\/script>)/g, "$1$2") : bytes;
        weights.set(path, gzipSync(counted, { level: 9 }).length);
      }
      return weights.get(path);
    },
    // From now on a file is served otherwise than it is: mistakes are made on purpose with it. `null` ends it.
    change(path, how) {
      if (how) changes.set(path, how);
      else changes.delete(path);
    },
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}
