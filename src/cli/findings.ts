// Findings: what a check has found out, each as one sentence.

/** How bad it is. */
export type Level = "ok" | "warning" | "problem";

/** What was found out. */
export interface Finding {
  readonly level: Level;
  /** A sentence or two: what is, and what to do about it. */
  readonly text: string;
}

/** Gathers findings. */
export class Findings {
  readonly #tell: (finding: Finding) => void;
  #problems = 0;

  /**
   * Creates a gatherer.
   *
   * @param tell Takes each as it is found.
   */
  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell;
  }

  /** How many problems there are. */
  get problems(): number {
    return this.#problems;
  }

  /** Nothing is wrong here. */
  ok(text: string): void {
    this.#tell({ level: "ok", text });
  }

  /** It works, and may not always. */
  warning(text: string): void {
    this.#tell({ level: "warning", text });
  }

  /** It does not work. */
  problem(text: string): void {
    this.#problems++;
    this.#tell({ level: "problem", text });
  }
}
