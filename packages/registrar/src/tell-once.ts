/** A trouble goes on for long, and is told once; so is that it is over. */
export function tellOnce(log: (line: string) => void, what: string, over = 'all right again') {
  let told: string | undefined;
  return (trouble: string | undefined): void => {
    if (trouble === told) return;
    told = trouble;
    log(`${what}: ${trouble ?? over}`);
  };
}
