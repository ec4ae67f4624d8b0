// Telling the service what an answer should have been.

/** Sends `{item, label}` or `{item, rain_mm}` about a request and says in `status` what came of it, as long as the answer it is about `isShown()`. */
export async function tell(exchange, request_id, told, status, isShown) {
  const say = (words) => isShown() && (status.textContent = words);
  say("Sending …");
  const receipt = await exchange.ask("Feedback", `/v1/requests/${request_id}/feedback`, told, new AbortController().signal, () => tell(exchange, request_id, told, status, isShown));
  say(receipt ? `Kept with the request${receipt.replaced ? ", in place of what was said before" : ""}.` : "");
}
