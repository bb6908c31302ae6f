// What was looked at and what is wrong with it. Every fault says where: page, theme, width, and which element.
export class Report {
  count = 0;
  faults = [];
  // The kinds of text whose colours have been found right.
  colours = new Set();

  // One check. `what` is only made into words when it fails.
  check(holds, where, what) {
    this.count += 1;
    if (!holds) this.faults.push(`${where}: ${typeof what === "function" ? what() : what}`);
    return Boolean(holds);
  }

  fault(where, what) {
    this.check(false, where, what);
  }

  // What went wrong while something was used as a person would: an exception is a fault of its own.
  async part(where, act) {
    this.count += 1;
    try {
      await act();
    } catch (error) {
      // What was waited for stands at the beginning, and what was in the way at the end.
      const lines = String(error.message ?? error).split("\n").filter((line) => line.trim());
      const told = lines.length > 12 ? [...lines.slice(0, 4), "…", ...lines.slice(-7)] : lines;
      const line = error.stack?.match(/use\.js:\d+/)?.[0];
      this.faults.push(`${where}: ${told.join(" | ")}${line ? ` (${line})` : ""}`);
    }
  }
}
