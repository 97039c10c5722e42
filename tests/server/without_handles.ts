// Loaded before a program: the runtime has no handles below `node:net` then.

(globalThis as unknown as { process: { binding: unknown } }).process.binding =
  () => {
    throw new Error("There is no such binding");
  };
