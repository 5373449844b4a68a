const answerMs = 10_000;

/** @throws where nobody takes it within 10 s; any status from 200 to 299 does */
export async function callWebhook(url: string, body: object): Promise<void> {
  const { host } = new URL(url); // its path may hold a secret
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(answerMs),
    });
    await response.body?.cancel();
  } catch (error) {
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new Error(`the webhook at ${host} does not answer: ${cause?.code ?? message}`, { cause: error });
  }
  if (!response.ok) throw new Error(`the webhook at ${host} answered ${response.status}`);
}
