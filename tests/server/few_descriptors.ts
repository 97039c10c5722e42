// Loaded before a program that is to run out of descriptors: the runtime listens
// to this signal once it has time, and ends where it finds none for that.

Deno.addSignalListener("SIGUSR2", () => {});
