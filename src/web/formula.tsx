/**
 * Formulas in a line of text.
 * @module
 */

/** A text with formulas: the letters that stand alone in one are set as such, what is behind a ^ is raised, and a flag stays whole. */
export function Formula({ text }: { readonly text: string }) {
  return (
    <>
      {text
        .split(/(\b[FLAmn]\b|\^\d[\d\u202f]*|--[\w-]+)/)
        .map((part, i) => (i % 2 === 0 ? part : marked(part)))}
    </>
  );
}

function marked(part: string) {
  if (part.startsWith("^")) return <sup>{part.slice(1)}</sup>;
  return part.startsWith("-") ? <span class="flag">{part}</span> : <i>{part}</i>;
}
