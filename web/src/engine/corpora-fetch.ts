/** The texts that come with the page, from files beside it. */
export async function fetchCorpus(file: string): Promise<Uint8Array> {
  const response = await fetch(`datasets/${file}`);
  if (!response.ok) throw new Error(`datasets/${file} answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
