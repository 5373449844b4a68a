// One answer by HTTP, bounded in bytes and time, from the very address that was asked.

/** @throws Error whose message holds nothing of the answer */
export async function fetchText(url: URL, maxBytes: number, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, {
    redirect: 'error', // another address is the operator's to name
    headers: { Accept: 'application/jwk-set+json, application/json' },
    signal,
  });
  if (answer.status !== 200 || !answer.body) {
    await answer.body?.cancel();
    throw new Error(`it answered ${answer.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`it answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
