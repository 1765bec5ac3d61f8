// The one function of Node.js that is used; the types of all of it would be another package.
declare module "node:fs" {
  export function openAsBlob(path: string, options: { type: string }): Promise<Blob>;
}
