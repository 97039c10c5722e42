export { Application } from "./src/application.ts";
export * from "./src/errors.ts";
