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
      this.faults.push(`${where}: ${String(error.message ?? error).split("\n").slice(0, 6).join(" | ")}`);
    }
  }
}
