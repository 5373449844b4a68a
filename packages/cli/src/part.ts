/** Something that runs until it is closed. */
export interface Part {
  close(): Promise<unknown>;
}
